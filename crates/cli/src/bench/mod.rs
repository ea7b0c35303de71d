//! Measuring: workloads and figures.

mod engine_load;
mod process;

pub(crate) use engine_load::measure_engine;
