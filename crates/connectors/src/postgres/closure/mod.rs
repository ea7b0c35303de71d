//! Which rows belong to a tenant: every table classed, with the way by which its rows lead to the tenant.
//!
//! A pure function of the catalogue and of what was declared. Ways are found in `grow`, those of tables with several keys
//! in `several`; tables without one are judged in `judge`, and what they may hide in `suspects`. `names` and `words` say
//! which names look like references. `rows` makes SQL of a way, `order` the order of inserts.

mod declaration;
mod edges;
mod grow;
#[cfg(test)]
mod habits;
mod judge;
mod model;
mod names;
mod notes;
mod order;
mod rows;
mod several;
mod suspects;
#[cfg(test)]
mod tests;
mod words;

pub use declaration::{Declaration, DeclarationError, Options};
pub(crate) use edges::references;
pub use model::{Class, Closure, ClosureError, Hop, Link, TableClass, Way};
pub use rows::Rows;
