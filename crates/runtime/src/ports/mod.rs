//! What the shell asks of the world.

mod clock;
mod connector;
mod journal;
mod journal_error;

pub use clock::Clock;
pub use connector::{Call, Connector, Probed, SecretSource, SecretText};
pub use journal::{Appended, Holder, Journal, Lease, RunHead, RunSummary, StoredGroup};
pub use journal_error::JournalError;
