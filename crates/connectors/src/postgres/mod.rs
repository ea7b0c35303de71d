//! PostgreSQL: what a database holds (`catalog`), which of it belongs to a tenant (`closure`), and the database as it was
//! at a point in time (`recover`). `actions` is what a runbook can use of it.
//!
//! Reading ([`Catalog::read`]) and judging ([`Closure::of`]) are apart, so that the judgement is a function of data.

mod actions;
mod catalog;
mod closure;
mod connect;
mod quote;
mod recover;
mod restore;
mod wal_dump;

pub(crate) use actions::{Postgres, preflight};
pub use catalog::{
    Action, Catalog, CatalogError, Column, ForeignKey, Generated, Identity, Index, Partition, Sequence, Table,
    TableKind, Trigger, TriggerState,
};
pub use closure::{
    Class, Closure, ClosureError, Declaration, DeclarationError, Hop, Link, Options, Rows, TableClass, Way,
};
pub use connect::{ConnectError, connect, without_password};
pub(crate) use connect::{connect_patiently, said};
pub(crate) use quote::literal;
pub use restore::{
    CHUNK_ROWS, Chunks, Conflict, ConflictKind, Dangling, Guard, Heard, Job, Looked, Mention, OnConflict, OnDangling,
    Outcome, Preview, Raised, Remap, RemapError, Remapped, Residue, RestoreError, Restored, Scope, SharedDiffers, Step,
    TableTally, TenantOutcome, preview, restore,
};
