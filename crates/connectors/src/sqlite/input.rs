//! What the actions on SQLite files take and give.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

/// Inputs of `sqlite/recover@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recover {
    /// Folder in format `sqlite-backup/v1`.
    pub(crate) backup: String,
    /// Point in time, RFC 3339.
    pub(crate) at: String,
    /// Folder of the new file; default: folder `recovered` beside the backup folder.
    pub(crate) into: Option<String>,
}

/// Outputs of `sqlite/recover@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Recovered {
    /// The complete file as a URL, `sqlite:PATH`: what a restore takes as `from`.
    pub(crate) url: String,
    /// The complete file.
    pub(crate) path: String,
    /// Time of the last transaction in it, or of the base.
    pub(crate) reached: String,
    /// Time of the base.
    pub(crate) base_at: String,
    /// Transactions replayed.
    pub(crate) transactions: u64,
    /// At which point the store stands, and what proves it.
    pub(crate) restore_point: Stands,
}

impl Recovered {
    /// What is told of a complete file.
    pub(crate) fn new(path: String, store: &str, log: Replayed) -> Self {
        let next =
            log.until.as_deref().map_or("the log ends there".to_owned(), |until| format!("the next is of {until}"));
        let last = match log.transactions {
            0 => format!("no transaction after the base of {}", log.base_at),
            count => format!("{count} transactions after the base of {}, the last of {}", log.base_at, log.reached),
        };
        let restore_point = Stands {
            store: store.to_owned(),
            reached: log.reached.clone(),
            until: log.until,
            evidence: format!("{last}; {next}"),
        };
        let url = format!("sqlite:{path}");
        Self { url, path, reached: log.reached, base_at: log.base_at, transactions: log.transactions, restore_point }
    }
}

/// What was replayed, as the recovered file records it of itself.
pub(crate) struct Replayed {
    /// Time of the last transaction, or of the base.
    pub(crate) reached: String,
    /// Time of the first transaction that was left out.
    pub(crate) until: Option<String>,
    /// Time of the base.
    pub(crate) base_at: String,
    /// Transactions.
    pub(crate) transactions: u64,
}

/// At which point in time a recovered store stands.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Stands {
    /// Name of the store, as its backup names it.
    pub(crate) store: String,
    /// Time of the last transaction in it, or of the base.
    pub(crate) reached: String,
    /// Time of the first transaction that is not in it; absent if the log ends at the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    /// What the log says.
    pub(crate) evidence: String,
}

/// What makes a row the tenant's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    /// Table of the tenants themselves.
    pub(crate) table: Option<String>,
    /// Its key column; default: its primary key.
    pub(crate) key: Option<String>,
    /// Name of the column that says whose a row is, in every table that has it.
    pub(crate) column: Option<String>,
}

pub(crate) use crate::tenant::Tenant;

impl Tenant {
    /// Binds it as the next argument.
    pub(crate) fn bind<'q>(&self, query: Query<'q, Sqlite, SqliteArguments>) -> Query<'q, Sqlite, SqliteArguments> {
        match self {
            Self::Integer(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.clone()),
        }
    }
}

/// Inputs of `sqlite/restore@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// Recovered file; must not change any more.
    pub(crate) from: String,
    /// Live file.
    pub(crate) to: String,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// Globs (`*`, `?`): only these tables of the closure; default all.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// What happens if rows are there and differ.
    #[serde(default)]
    #[expect(dead_code, reason = "its only value is the default, so that runbooks can say it")]
    on_conflict: OnConflict,
    /// What happens to triggers of the tables.
    #[serde(default)]
    pub(crate) triggers: Triggers,
    /// Whether a tenant without any row is fine.
    #[serde(default)]
    pub(crate) allow_empty: bool,
}

/// What happens if rows are there and differ.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnConflict {
    /// Nothing is written.
    #[default]
    Fail,
}

/// What happens to triggers of the tables.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Triggers {
    /// Nothing is written if there are any.
    #[default]
    Refuse,
    /// They are dropped and made again in the same transaction.
    Suppress,
    /// They fire.
    Fire,
}

/// Outputs of `sqlite/restore@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Restored {
    /// Rows of the tenant.
    pub(crate) rows: u64,
    /// Rows that this unit wrote.
    pub(crate) inserted: u64,
    /// Rows that were there and equal.
    pub(crate) already: u64,
    /// Rows of each table.
    pub(crate) tables: BTreeMap<String, u64>,
    /// Sum of 64-bit hashes of all rows, hexadecimal.
    pub(crate) hash: String,
}

/// Inputs of `sqlite/remove@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    /// Live file.
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
    /// What happens to triggers of the tables.
    #[serde(default)]
    pub(crate) triggers: Triggers,
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

/// Outputs of `sqlite/remove@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Removed {
    /// Rows that this unit took out; 0 if the restore never was, or was taken back before.
    pub(crate) rows: u64,
    /// Rows of each table.
    pub(crate) tables: BTreeMap<String, u64>,
}

/// Outputs of `sqlite/drop-recovered@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Dropped {
    /// The file.
    pub(crate) path: String,
    /// Whether it was there.
    pub(crate) removed: bool,
}

/// Inputs of `sqlite/verify@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verify {
    /// Recovered file.
    pub(crate) from: String,
    /// Live file.
    pub(crate) to: String,
    /// What makes a row the tenant's.
    pub(crate) root: Root,
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// Globs (`*`, `?`): only these tables of the closure; default all.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
}

/// Outputs of `sqlite/verify@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Verified {
    /// Rows of the tenant.
    pub(crate) rows: u64,
    /// Rows of each table.
    pub(crate) tables: BTreeMap<String, u64>,
    /// Sum of 64-bit hashes of all rows, hexadecimal.
    pub(crate) hash: String,
}

/// Inputs of `sqlite/bystanders@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bystanders {
    /// Live file.
    pub(crate) live: String,
    /// Only transactions of this run; default all.
    pub(crate) run: Option<String>,
    /// What makes a row a tenant's; with it, restored rows are counted again.
    pub(crate) root: Option<Root>,
}

/// Outputs of `sqlite/bystanders@1`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Stood {
    /// Tenants with a restore that was not taken back.
    pub(crate) restored_sites: u64,
    /// Our transactions.
    pub(crate) transactions: u64,
    /// Rows they inserted.
    pub(crate) rows: u64,
    /// Rows they took out again; absent if they took none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<u64>,
    /// Rows they wrote or changed beyond the tenants' own: 0, or the action is refused.
    pub(crate) foreign: u64,
    /// Tenants whose rows were counted again and are more or fewer now; absent without `root`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed_since: Option<u64>,
}
