//! Shards as databases of real PostgreSQL servers: one cluster for each, with archived WAL and a base backup.
//!
//! A server refuses to run as root: then everything of it belongs to, and runs as, the user `postgres`. Its only door is
//! a socket in the lab's folder. It outlives a killed process of ours and is found again by the next.

mod cluster;
mod create;
mod fleet;
mod programs;
mod settings;

pub(crate) use cluster::{Cluster, url};
pub(crate) use create::{Contents, create};
pub(crate) use fleet::Fleet;
pub use fleet::halt;
pub(crate) use programs::Programs;
