//! Measuring: workloads and figures.

mod ageing;
mod engine_load;
mod process;
mod restore;
mod tenant;
mod workers;

pub(crate) use ageing::{Ageing, history_text, soak_text};
pub(crate) use engine_load::measure_engine;
pub(crate) use restore::{PoolSetting, RestoreBench, measure_restores};
pub(crate) use tenant::{Part, Wanted, measure_tenant, tenant_text};
