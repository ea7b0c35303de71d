//! What the shell asks of the world.

mod clock;
mod connector;
mod journal;

pub use clock::Clock;
pub use connector::{Call, Connector, Probed, SecretText};
pub use journal::{Appended, Holder, Journal, JournalError, Lease, RunHead, RunSummary, StoredGroup};
