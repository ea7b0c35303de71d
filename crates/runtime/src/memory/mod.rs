//! In-memory references of the ports: exact, not durable.

mod claims;
mod dispatch;
mod drills;
mod journal;
mod logs;
mod mailbox;
mod pools;
mod retention;
mod runs;
mod sites;

pub use journal::MemoryJournal;
