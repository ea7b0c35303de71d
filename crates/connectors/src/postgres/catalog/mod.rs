//! What a database holds, as data: tables, columns, keys, triggers, policies, sequences.

mod model;
mod queries;
mod read;
mod writes;

pub use model::{
    Action, Catalog, Column, ForeignKey, Generated, Identity, Index, Partition, Sequence, Table, TableKind, Trigger,
    TriggerState,
};
pub use read::CatalogError;
