//! In-memory references of the ports: exact, not durable.

mod journal;

pub use journal::MemoryJournal;
