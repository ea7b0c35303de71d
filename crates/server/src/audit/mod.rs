//! Who did what: an append-only file of records, each with the hash of the one before, so that a change shows.
//!
//! The chain proves that nothing in the middle was changed, left out or moved. That nothing was cut off at the end shows
//! against `audit.head` beside the file, and, for whoever could write both, against a hash that was noted elsewhere.

mod bounds;
mod log;
mod record;
mod verify;

pub use log::{AuditError, AuditLog, read_last};
pub use record::{Entry, Record};
pub use verify::{Fault, Verified, verify};
