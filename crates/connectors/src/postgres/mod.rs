//! PostgreSQL: what a database holds (`catalog`), and which of it belongs to a tenant (`closure`).
//!
//! Reading ([`Catalog::read`]) and judging ([`Closure::of`]) are apart, so that the judgement is a function of data.

mod catalog;
mod closure;
mod connect;
mod quote;
mod restore;

pub use catalog::{
    Action, Catalog, CatalogError, Column, ForeignKey, Generated, Identity, Index, Partition, Sequence, Table,
    TableKind, Trigger, TriggerState,
};
pub use closure::{
    Class, Closure, ClosureError, Declaration, DeclarationError, Hop, Link, Options, Rows, TableClass, Way,
};
pub use connect::{ConnectError, connect, without_password};
pub use restore::{
    Conflict, ConflictKind, Guard, Heard, Job, Looked, OnConflict, Outcome, Preview, Raised, RestoreError, Restored,
    Scope, TableTally, TenantOutcome, preview, restore,
};
