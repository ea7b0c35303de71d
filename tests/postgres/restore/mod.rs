//! Tenants back into a live database: every trait of real schemas, every edge that is known to be one.

mod conflicts;
mod edges;
mod rights;
mod strangers;
mod together;
mod traits;
pub(crate) mod world;
