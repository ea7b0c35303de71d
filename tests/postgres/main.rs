//! PostgreSQL connectors on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;
