//! Which rows belong to a tenant: every table classed, with the way by which its rows lead to the tenant.
//!
//! A pure function of the catalogue and of what was declared. Ways are found in `grow`, tables without one are judged in
//! `judge`, names that look like references in `names`; `rows` makes SQL of a way, `order` the order of inserts.

mod declaration;
mod edges;
mod grow;
mod judge;
mod model;
mod names;
mod order;
mod rows;
#[cfg(test)]
mod tests;

pub use declaration::{Declaration, DeclarationError, Options};
pub(crate) use edges::references;
pub use model::{Class, Closure, ClosureError, Hop, Link, TableClass, Way};
pub use rows::Rows;
