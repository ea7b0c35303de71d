//! Writing the logs of attempts: never in the way of an attempt, bounded, without secrets.

mod book;
mod keep;
mod page;
mod write;

pub use book::LogBook;
pub(crate) use keep::Keep;
pub use write::Log;
