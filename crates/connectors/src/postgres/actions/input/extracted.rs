//! What `postgres/extract@1` and `postgres/drop-extract@1` take and give.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Root;

/// Inputs of `postgres/extract@1` and `postgres/drop-extract@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extract {
    /// The backup, as `postgres/recover@1` takes it.
    #[expect(dead_code, reason = "it is read with its secrets as references, by the recovery")]
    pub(crate) backup: crate::spec::Anything,
    /// Tenants and their points in time, RFC 3339: `${{ restore_points }}`.
    pub(crate) points: BTreeMap<String, String>,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// Globs (`*`, `?`): only these tables of the closure; default all.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// Folder for what is taken out; made if it is missing.
    pub(crate) into: std::path::PathBuf,
    /// Tenants whose points lie this close after another's are taken out at that one, such as `1m`; default `0s`.
    pub(crate) together: Option<String>,
    /// Folder of the server, as `into` of `postgres/recover@1`.
    pub(crate) server_into: Option<std::path::PathBuf>,
    /// Role that reads; must be in the backup. Default `postgres`.
    pub(crate) role: Option<String>,
    /// The server's page cache, as `postgres/recover@1` takes it.
    pub(crate) shared_buffers: Option<String>,
}

/// Outputs of `postgres/extract@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Extracted {
    /// What `postgres/restore@1` and `postgres/verify@1` take as `from`.
    pub(crate) url: String,
    /// The folder.
    pub(crate) path: String,
    /// Tenants that are there.
    pub(crate) sites: u64,
    /// Different points at which the server stood.
    pub(crate) points: u64,
    /// How often the server was started for them; twice, however many points there are, if WAL lies in a folder.
    pub(crate) starts: u64,
    /// Rows.
    pub(crate) rows: u64,
    /// Tenants that the backup does not hold at their points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<String>,
    /// At which point each tenant's rows stand.
    pub(crate) restore_point: Vec<SiteStands>,
}

/// At which point a tenant's rows stand.
#[derive(JsonSchema, Serialize)]
pub(crate) struct SiteStands {
    /// The tenant.
    pub(crate) site: String,
    /// Time of the last transaction.
    pub(crate) reached: Option<String>,
    /// Time of the first transaction that is not in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    /// What the server said.
    pub(crate) evidence: String,
}

/// Outputs of `postgres/drop-extract@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DroppedExtract {
    /// Tenants whose files went.
    pub(crate) sites: u64,
    /// Whether the server was still there.
    pub(crate) server: bool,
}
