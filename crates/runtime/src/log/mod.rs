//! Writing the logs of attempts: never in the way of an attempt, bounded, without secrets.

mod book;
mod page;
mod write;

pub use book::LogBook;
pub use write::Log;
