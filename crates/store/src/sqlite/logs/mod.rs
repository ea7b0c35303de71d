//! The logs of attempts, in a file of their own beside the store (`adr/0003`).

mod file;
mod free;
mod port;
mod rows;

pub(super) use file::LogFile;
