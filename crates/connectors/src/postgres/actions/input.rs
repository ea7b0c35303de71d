//! What `postgres/restore@1`, `remove` and `verify` take and give; `audited` is what `bystanders` does, `extracted` what
//! `extract` does.

mod audited;
mod extracted;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Trouble, duration};
use crate::postgres::closure::Options;
use crate::postgres::restore::{
    Dangling, Guard, Mention, OnConflict, OnDangling, Raised, Remap, RemapError, Scope, SharedDiffers, TableTally,
};

pub(crate) use crate::tenant::Tenant;
pub(crate) use audited::{Audited, Bystanders, Stood};
pub(crate) use extracted::{DroppedExtract, Extract, Extracted, SiteStands};

/// What makes a row the tenant's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    /// Table of the tenants themselves: `name` or `schema.name`.
    pub(crate) table: String,
    /// Its column that names a tenant; default: its primary key.
    pub(crate) key: Option<String>,
    /// Name of the column that holds a tenant's ID wherever it is, foreign key or not.
    pub(crate) column: Option<String>,
    /// What the catalogue does not say: `TABLE=CLASS`, `TABLE(COLUMN)->TABLE(COLUMN)`.
    #[serde(default)]
    pub(crate) declare: Vec<String>,
    /// Whether a column's name and type may count as a reference where no foreign key says more; default true.
    pub(crate) by_name: Option<bool>,
    /// Columns of a tenant's own row with the values, as text, that they must have in the copy (`null` for none): a
    /// tenant that was switched off before the point is not restored. Not asked of extracts.
    #[serde(default)]
    pub(crate) active: BTreeMap<String, Option<String>>,
}

impl Root {
    /// Makes the scope of a restore.
    pub(crate) fn scope(&self, tables: &[String], allow_triggers: bool) -> Result<Scope, Trouble> {
        let declarations = self.declare.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        let declarations = declarations.map_err(|error: crate::postgres::DeclarationError| {
            Trouble::never("inputs", error.to_string()).hint("`reinstate tenant closure --help` shows examples")
        })?;
        Ok(Scope {
            root: self.table.clone(),
            closure: Options {
                key: self.key.clone(),
                tenant_columns: self.column.iter().cloned().collect(),
                declarations,
                by_name: self.by_name.unwrap_or(true),
            },
            tables: tables.to_vec(),
            allow_triggers,
            active: self.active.clone(),
        })
    }
}

/// Inputs of `postgres/restore@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// URL of the recovered copy.
    pub(crate) from: String,
    /// URL of the live database.
    pub(crate) to: String,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// The tenant; or `tenants`.
    pub(crate) tenant: Option<Tenant>,
    /// Several tenants, each in a transaction of its own.
    #[serde(default)]
    pub(crate) tenants: Vec<Tenant>,
    /// Globs (`*`, `?`): only these tables of the closure; default all.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// New IDs for one tenant; without it the old ones are kept.
    pub(crate) remap: Option<Remapping>,
    /// What happens if live rows of the tenant are in the way.
    #[serde(default)]
    pub(crate) on_conflict: Policy,
    /// Whether triggers that fire in any role may fire.
    #[serde(default)]
    pub(crate) triggers: Triggers,
    /// Connections that write, for several tenants; 1 to 16, default 2.
    pub(crate) connections: Option<u8>,
    /// Rows from which on a tenant is committed in several transactions of so many, its own row in the last; default
    /// 5,000,000, and 0 for never.
    pub(crate) chunk_rows: Option<u64>,
    /// How long a lock is waited for; default `5s`.
    pub(crate) lock_timeout: Option<String>,
    /// What protects those who use the live database.
    #[serde(default)]
    pub(crate) guard: Limits,
    /// Name of a replication origin under which the rows are written: readers of changes that ask for local ones alone
    /// are not given them. Default: none, they see inserts.
    pub(crate) replication_origin: Option<String>,
}

/// New IDs for a tenant: its own is given, keys that are numbered or UUIDs get new values, and what refers to them follows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remapping {
    /// The tenant's new ID.
    pub(crate) tenant: Tenant,
    /// Globs (`*`, `?`) of `TABLE.COLUMN`: values that stay though they look like IDs.
    #[serde(default)]
    pub(crate) keep: Vec<String>,
    /// Places inside of JSON that hold IDs: `TABLE(COLUMN $.a[*].b)->TABLE(COLUMN)`.
    #[serde(default)]
    pub(crate) json: Vec<String>,
    /// Columns in whose text IDs are written as whole words: `TABLE(COLUMN)->TABLE(COLUMN)`.
    #[serde(default)]
    pub(crate) text: Vec<String>,
    /// What happens if an old ID is found where none was declared.
    #[serde(default)]
    pub(crate) dangling: OldIds,
}

/// What happens if an old ID is found where none was declared.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OldIds {
    /// Nothing is written, and every column is named.
    #[default]
    Fail,
    /// They stay, and are told in the outputs.
    Report,
}

impl Remapping {
    /// Makes the request of a restore.
    pub(crate) fn remap(&self) -> Result<Remap, Trouble> {
        let read = |list: &str, all: &[String], read: fn(&str) -> Result<Mention, RemapError>| {
            let one = |(at, text): (usize, &String)| {
                let place = format!("remap.{list}[{at}]");
                read(text)
                    .map_err(|error| Trouble::never(error.code(), error.to_string()).at(&place).hint(error.hint()))
            };
            all.iter().enumerate().map(one).collect::<Result<Vec<_>, Trouble>>()
        };
        Ok(Remap {
            tenant: self.tenant.to_string(),
            keep: self.keep.clone(),
            json: read("json", &self.json, Mention::json)?,
            text: read("text", &self.text, Mention::text)?,
            dangling: match self.dangling {
                OldIds::Fail => OnDangling::Fail,
                OldIds::Report => OnDangling::Report,
            },
        })
    }
}

/// What happens if live rows of the tenant are in the way.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// Nothing is written, and every conflict is listed.
    #[default]
    Fail,
    /// They stay; what is missing is restored.
    KeepLive,
    /// They get the contents that the backup has.
    Replace,
}

impl From<Policy> for OnConflict {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Fail => Self::Fail,
            Policy::KeepLive => Self::KeepLive,
            Policy::Replace => Self::Replace,
        }
    }
}

/// What happens to triggers that cannot be kept quiet.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Triggers {
    /// Nothing is written if there are any.
    #[default]
    Refuse,
    /// They fire.
    Fire,
}

/// What protects those who use the live database.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// What a small transaction may take there, such as `20ms`; default: no limit.
    pub(crate) max_latency: Option<String>,
    /// How far replicas may fall behind, in bytes of WAL; default: no limit.
    pub(crate) max_lag: Option<u64>,
}

impl Limits {
    /// Makes the guard of a restore.
    pub(crate) fn guard(&self) -> Result<Guard, Trouble> {
        let latency = self.max_latency.as_deref().map(|text| duration("guard.max_latency", text)).transpose()?;
        Ok(Guard { latency, lag_bytes: self.max_lag })
    }
}

/// Outputs of `postgres/restore@1`.
#[derive(Default, JsonSchema, Serialize)]
pub(crate) struct Restored {
    /// Rows of the tenants.
    pub(crate) rows: u64,
    /// Rows that were inserted.
    pub(crate) inserted: u64,
    /// Rows that were there and equal.
    pub(crate) already: u64,
    /// Rows that were there, differed, and were replaced.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) replaced: u64,
    /// Rows that were there, differ, and were kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) kept: u64,
    /// Transactions before the last, of tenants too large for one.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) chunks: u64,
    /// Rows of each table, of all tenants.
    pub(crate) tables: BTreeMap<String, u64>,
    /// Sum of 128-bit hashes of all rows, hexadecimal.
    pub(crate) hash: String,
    /// Rows of shared tables that were gone and were made again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shared: BTreeMap<String, u64>,
    /// The tenant's new ID; absent under its old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// How many new IDs each table got; absent under the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ids: Option<BTreeMap<String, u64>>,
    /// Old IDs that are left where none was declared (`dangling: report`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dangling: Vec<Dangling>,
    /// Rows of shared tables that restored rows refer to and that differ from the backup's, by table: they stay as they
    /// are. Not compared where rows come from an extract.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shared_differs: BTreeMap<String, SharedDiffers>,
    /// Sequences that stood behind the backup's and were raised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<crate::spec::Anything>")]
    pub(crate) sequences_raised: Vec<Raised>,
    /// What a small transaction took at the live database meanwhile, at the 99th percentile; absent without a guard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live_p99_ms: Option<f64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Inputs of `postgres/remove@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    /// URL of the live database.
    pub(crate) to: String,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// Globs (`*`, `?`): only these tables of the closure; default all. As the restore has them.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// What happens if the tenant's rows are not as the restore left them.
    #[serde(default)]
    pub(crate) if_changed: IfChanged,
}

/// What happens if the tenant's rows are not as the restore left them.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IfChanged {
    /// Nothing is removed.
    #[default]
    Fail,
    /// They are removed, changed and added ones too.
    Remove,
}

/// Outputs of `postgres/remove@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Removed {
    /// Rows that this unit took out; 0 if the restore never was, or was taken back before.
    pub(crate) rows: u64,
}

/// Inputs of `postgres/verify@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    /// URL of the recovered copy.
    pub(crate) from: String,
    /// URL of the live database.
    pub(crate) to: String,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// The tenant; or `tenants`.
    pub(crate) tenant: Option<Tenant>,
    /// Several tenants: each table is read once for all of them.
    #[serde(default)]
    pub(crate) tenants: Vec<Tenant>,
    /// Globs (`*`, `?`): only these tables of the closure; default all.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// The new IDs under which the tenant was restored, as the restore has it.
    pub(crate) remap: Option<Remapping>,
}

/// Outputs of `postgres/verify@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Verified {
    /// Rows of the tenants.
    pub(crate) rows: u64,
    /// Rows and hash of each table, of all tenants.
    pub(crate) tables: BTreeMap<String, TableTally>,
}
