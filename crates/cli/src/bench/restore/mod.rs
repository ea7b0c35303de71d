//! Whole restores of a lab over a matrix of sizes: how many sites come back an hour, where the time goes, what larger runs
//! will take.
//!
//! `matrix` says what is run, `world` is the lab and puts it back, `copy` copies folders, `sized` makes a plan of other sizes,
//! `measure` drives one run through the real engine and reads its journal, `series` does it all in turn. What follows from
//! the figures is `report::Throughput`'s.

mod copy;
mod matrix;
mod measure;
mod series;
mod sized;
mod world;

pub(crate) use matrix::PoolSetting;
pub(crate) use series::{RestoreBench, measure_restores};
