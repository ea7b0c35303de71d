//! PostgreSQL: what a database holds (`catalog`), and which of it belongs to a tenant (`closure`).
//!
//! Reading ([`Catalog::read`]) and judging ([`Closure::of`]) are apart, so that the judgement is a function of data.

mod catalog;
mod closure;
mod connect;
mod quote;

pub use catalog::{
    Action, Catalog, CatalogError, Column, ForeignKey, Generated, Identity, Index, Partition, Sequence, Table,
    TableKind, Trigger, TriggerState,
};
pub use closure::{
    Class, Closure, ClosureError, Declaration, DeclarationError, Hop, Link, Options, Rows, TableClass, Way,
};
pub use connect::{ConnectError, connect, without_password};
