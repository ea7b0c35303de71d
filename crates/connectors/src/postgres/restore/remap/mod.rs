//! A tenant's rows under new IDs, for where the old ones cannot be had: everything that holds an ID follows.
//!
//! `declared` is what is asked for; `spread` finds which columns change and `plan` keeps it, a function of the catalogue;
//! `map` draws the new IDs, `kept` is where they stay and from where they are taken again, `earlier` asks whether other
//! restores have given what is counted on. `overlap` tells which value could be replaced twice, `clash` which could be
//! mistaken for a new ID. `rewrite` is SQL that puts IDs in and takes them out again, `mirror` sees that all rows lead back
//! before one is written; `dangling` looks for old IDs that are left, `written` in whatever form. `carry` does it in one
//! transaction, `proof` compares, then and later.

mod carry;
mod clash;
mod dangling;
mod declared;
mod earlier;
mod error;
mod kept;
mod map;
mod mirror;
mod overlap;
mod plan;
mod proof;
mod rewrite;
mod spread;
mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tally::TableTally;

pub(super) use carry::{look, restore};
pub use dangling::Dangling;
pub use declared::{Mention, OnDangling, Remap, Step};
pub use error::RemapError;
pub(super) use kept::{claim, forget, make};
pub(crate) use proof::check;

/// A tenant's old ID and its new one, as the root's key is written.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    pub(super) was: String,
    pub(super) tenant: String,
}

/// What new IDs a restore has given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Remapped {
    /// The tenant's old ID.
    pub was: String,
    /// Its new one, under which the rows are.
    pub tenant: String,
    /// How many new IDs each table has, those of earlier restores of the same tenant under the same ID included.
    pub ids: BTreeMap<String, u64>,
    /// Old IDs that are left where nobody declared any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dangling: Vec<Dangling>,
    /// Rows and hash of each table as the backup has them, to which the rows map back.
    pub backup: BTreeMap<String, TableTally>,
}
