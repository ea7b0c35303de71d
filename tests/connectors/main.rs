//! Actions on real stores: SQLite files, HTTP over loopback, processes, folders of objects.
#![allow(clippy::unwrap_used, missing_docs)]

mod catalogue;
mod check;
mod exec;
mod http;
mod lab_shards;
mod notify;
mod objects;
mod objects_killed;
mod objects_s3;
mod objects_versions;
mod preflight;
mod recover;
mod remove;
mod restore;
mod restore_edges;
mod shard;
mod world;
