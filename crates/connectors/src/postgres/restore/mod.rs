//! Rows of tenants from a recovered copy into the live database, under their original IDs, proven before COMMIT.
//!
//! `pair` compares both databases and settles each table's part (`sheet`, `types`, `drift`); `source` reads tenants out
//! (`copy_stream`, `tally`, `ties`); `load` writes one in one transaction with its `ledger` row (`statements`,
//! `references`), `careful` where live rows are in the way (`stage`), `remap` under new IDs, `chunks` in several
//! transactions what is too large for one; `pace` keeps it from being felt; `work` does it for many.

mod active;
mod ahead;
mod at_once;
mod back;
mod careful;
mod chunks;
mod copy_stream;
mod differing;
mod drift;
mod error;
mod extract;
mod extracted;
mod groups;
mod guard;
mod lanes;
mod large_objects;
mod ledger;
mod load;
mod named;
mod origin;
mod pace;
mod pair;
mod pairs;
mod references;
mod remap;
mod remove;
mod residue;
mod send;
mod sequences;
mod session;
mod shared;
mod sheet;
mod source;
mod stage;
mod statements;
mod tally;
mod ties;
mod together;
mod types;
mod verify;
mod work;

pub use careful::Looked;
pub use error::{Conflict, ConflictKind, RestoreError};
pub(crate) use error::{failed, listed};
pub(crate) use extract::Taking;
pub(crate) use extracted::Extracted;
pub use guard::Heard;
pub use ledger::Chunks;
pub(crate) use ledger::{entries as ledger_entries, is_there as ledger_is_there};
pub use load::Restored;
pub(crate) use origin::EXTRACT;

pub use differing::SharedDiffers;
pub(crate) use differing::joined;
pub use pair::Scope;
pub(crate) use pair::{Pair, loud, needs_quiet};
pub(crate) use pairs::Pairs;
pub(crate) use remap::check as check_remapped;
pub use remap::{Dangling, Mention, OnDangling, Remap, RemapError, Remapped, Step};
pub(crate) use remove::{Removal, remove};
pub use residue::Residue;
pub use sequences::Raised;
pub(crate) use session::Live;
pub use tally::TableTally;
pub(crate) use verify::{Checked, check};
pub(crate) use work::restore_with;
pub use work::{CHUNK_ROWS, Guard, Job, OnConflict, Outcome, Preview, TenantOutcome, preview, restore};
