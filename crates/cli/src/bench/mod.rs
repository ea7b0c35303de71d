//! Measuring: workloads and figures.

mod ageing;
mod dispatch;
mod engine_load;
mod engine_text;
mod process;
mod restore;
mod runs;
mod tenant;
mod workers;
mod workload;

pub(crate) use ageing::{Ageing, history_text, soak_text};
pub(crate) use engine_load::{EngineLoad, measure_engine};
pub(crate) use engine_text::engine_text;
pub(crate) use restore::{PoolSetting, RestoreBench, measure_restores};
pub(crate) use tenant::{Part, Wanted, measure_tenant, tenant_text};
pub(crate) use workload::STEPS;
