//! What `postgres/bystanders@1` takes and gives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

/// Inputs of `postgres/bystanders@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bystanders {
    /// URL of the live database.
    pub(crate) live: String,
    /// Only transactions of this run; default all.
    pub(crate) run: Option<String>,
    /// What makes a row a tenant's; with it each row that we wrote is held against whose it is.
    pub(crate) root: Option<Root>,
    /// Folder of the live server's WAL, archived or its own: every record of our transactions is read there. Without it
    /// the server's own folder is tried, if it is on this host.
    pub(crate) wal: Option<std::path::PathBuf>,
    /// Folder of the server's programs; default: where packages put those of the server's version.
    pub(crate) bin: Option<std::path::PathBuf>,
}

/// Outputs of `postgres/bystanders@1`.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Stood {
    /// Tenants with a restore that was not taken back.
    pub(crate) restored_sites: u64,
    /// Our transactions.
    pub(crate) transactions: u64,
    /// Rows that they inserted, by the server's counters.
    pub(crate) rows: u64,
    /// Rows in tables now whose last writer is one of our transactions.
    pub(crate) rows_seen: u64,
    /// Rows that they wrote beyond the tenants' own: 0, or the action is refused.
    pub(crate) foreign: u64,
    /// What the WAL says of our transactions; absent if it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wal: Option<Audited>,
    /// Why the WAL was not read; absent if it was, or if there was nothing to look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wal_skipped: Option<String>,
}

/// What the WAL says of our transactions.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub(crate) struct Audited {
    /// Where reading began.
    pub(crate) from: String,
    /// Where it ended.
    pub(crate) to: String,
    /// Records of our transactions.
    pub(crate) records: u64,
    /// Rows that they inserted.
    pub(crate) inserted: u64,
    /// Rows that other transactions wrote in this time: the live users' own.
    pub(crate) others: u64,
}
