//! The workload of a tenant restore: a shared database of many tenants, half of them deleted, and who brings them back how fast.
//!
//! `tables` and the SQL files are the data set, `shop` builds it on two servers (`cluster`), `pump` is what others would
//! do, `traffic` the tenants in use, `measure` the order of it all, `figures` and `text` the answer.

mod cluster;
mod figures;
mod measure;
mod pump;
mod shop;
mod tables;
mod text;
mod traffic;

pub(crate) use measure::{Part, Wanted, measure_tenant};
pub(crate) use text::tenant_text;
