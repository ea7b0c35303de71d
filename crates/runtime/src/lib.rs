//! The shell around the engine: the ports to the world and the one driver loop.
//!
//! Architecture invariant: no adapter is known here, no YAML, no SQL.

mod memory;
mod ports;

pub use engine;
pub use memory::MemoryJournal;
pub use ports::{
    Appended, Call, Clock, Connector, Holder, Journal, JournalError, Lease, Probed, RunHead, RunSummary, SecretText,
    StoredGroup,
};
