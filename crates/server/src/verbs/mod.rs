//! What people may ask of a run, by the names that reports and `why` use, and how it gets there.
//!
//! The command line, the full screen and the HTTP API take verbs the same way, so that they mean the same everywhere.

mod adopt;
mod ask;
pub(crate) mod claims;
mod sites;
pub mod subject;
mod trouble;
mod verb;

pub(crate) use ask::deliver;
pub use ask::{Asked, Asker, ask};
pub use sites::{hold_again, hold_own_sites};
pub use trouble::{NoSubject, REASON_MAX, VerbError};
pub use verb::{Truth, Verb, take};
