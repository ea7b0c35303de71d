//! PostgreSQL connectors on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod away;
mod bench;
mod chunks;
mod closure;
mod cluster;
mod command;
mod extract;
mod preflight;
mod preflight_recover;
mod prepared;
mod readme;
mod recover;
mod recover_edges;
mod recover_full;
mod recover_killed;
mod recover_refused;
mod remap;
mod restore;
mod restore_command;
mod restore_full;
mod stage;
mod targets;
mod throughput;
