//! In-memory references of the ports: exact, not durable.

mod claims;
mod drills;
mod journal;
mod mailbox;
mod pools;
mod runs;
mod sites;

pub use journal::MemoryJournal;
