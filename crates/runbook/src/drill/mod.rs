//! Drills: a runbook run against a sandbox, on a schedule, over a sample of sites, judged by objectives.
//!
//! `check` reads a drill file and finds all that is wrong with it; `schedule` says when it is due, `sample` and `prepare`
//! make the plans of one drill from it. The same slot and seed give the same plans.

mod check;
pub(crate) mod keys;
mod model;
mod objectives;
mod prepare;
mod sample;
mod schedule;
mod steps;
mod when;

pub use check::{CheckedDrill, check_drill};
pub use model::{CatchUp, Drill, DrillFiles, Overlap, overdue};
pub use prepare::{DrillRefused, Occasion, Prepared};
pub use sample::Sample;
pub use schedule::{Due, Schedule};
