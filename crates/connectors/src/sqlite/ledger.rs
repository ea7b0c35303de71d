//! Our one table in a live file: what was restored and what was taken back, in the same commit as the rows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::input::{Removed, Restored};

const CREATE: &str = "CREATE TABLE main.reinstate_ledger (
    key TEXT NOT NULL PRIMARY KEY,
    token INTEGER NOT NULL,
    run TEXT NOT NULL,
    tenant TEXT NOT NULL,
    rows INTEGER NOT NULL,
    inserted INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    hash TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID";

const INSERT: &str =
    "INSERT INTO main.reinstate_ledger (key, token, run, tenant, rows, inserted, writes, hash, detail, at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))";

const OPENING: &str = "SELECT v.schema_version, l.token, l.rows, l.inserted, l.hash, l.detail, l.tenant
    FROM pragma_schema_version v LEFT JOIN main.reinstate_ledger l ON l.key = ?1";

const OPENING_WITHOUT: &str =
    "SELECT v.schema_version, NULL, NULL, NULL, NULL, NULL, NULL FROM pragma_schema_version v WHERE ?1 IS NOT NULL";

/// What is known when a transaction has begun.
pub(super) struct Opening {
    /// Version of the live schema.
    pub(super) version: i64,
    /// The row of the key.
    pub(super) entry: Option<Entry>,
}

/// A row of the ledger.
pub(super) struct Entry {
    pub(super) token: i64,
    pub(super) tenant: String,
    /// Rows of the tenant afterwards.
    pub(super) rows: u64,
    /// By how much their number changed.
    pub(super) inserted: i64,
    pub(super) hash: String,
    pub(super) detail: Detail,
}

/// What a row of the ledger says table by table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Detail {
    /// Rows of the tenant in each table afterwards.
    pub(super) tables: BTreeMap<String, u64>,
    /// Sum of their hashes in each table, hexadecimal; of a restore only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) hashes: BTreeMap<String, String>,
    /// Hashes of the rows that were there before a restore wrote others; they are not the restore's to take back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) kept: BTreeMap<String, BTreeSet<String>>,
    /// Key of the unit that took this restore back: nothing may be done under the restore's key any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undone_by: Option<String>,
    /// Key of the restore that this entry takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removes: Option<String>,
    /// Rows that were taken out of each table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) removed: BTreeMap<String, u64>,
}

/// A row to be written.
pub(super) struct NewEntry<'a> {
    pub(super) key: &'a str,
    pub(super) token: i64,
    pub(super) tenant: String,
    pub(super) rows: u64,
    pub(super) inserted: i64,
    /// Changes that SQLite counted on the connection.
    pub(super) writes: u64,
    pub(super) hash: &'a str,
    pub(super) detail: &'a Detail,
}

impl Entry {
    /// What the restore of this entry answered.
    pub(super) fn restored(self) -> Restored {
        let inserted = u64::try_from(self.inserted).unwrap_or_default();
        let already = self.rows.saturating_sub(inserted);
        Restored { rows: self.rows, inserted, already, tables: self.detail.tables, hash: self.hash }
    }

    /// What the removal of this entry answered.
    pub(super) fn removed(self) -> Removed {
        Removed { rows: self.detail.removed.values().sum(), tables: self.detail.removed }
    }
}

/// Looks for a key; with `there` false, the ledger's table is known to be missing.
pub(super) async fn look(connection: &mut SqliteConnection, key: &str, there: bool) -> Result<Opening, sqlx::Error> {
    let query = sqlx::query(if there { OPENING } else { OPENING_WITHOUT });
    let row = query.bind(key).fetch_one(connection).await?;
    Ok(Opening { version: row.try_get(0)?, entry: entry(&row)? })
}

/// Whether the live file has a ledger.
pub(super) async fn exists(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let text = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'reinstate_ledger')";
    sqlx::query_scalar(text).persistent(false).fetch_one(connection).await
}

fn entry(row: &SqliteRow) -> Result<Option<Entry>, sqlx::Error> {
    let Some(token) = row.try_get::<Option<i64>, _>(1)? else { return Ok(None) };
    Ok(Some(Entry {
        token,
        tenant: row.try_get(6)?,
        rows: u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default(),
        inserted: row.try_get(3)?,
        hash: row.try_get(4)?,
        detail: detail(&row.try_get::<String, _>(5)?),
    }))
}

/// Reads an entry's detail.
pub(super) fn detail(text: &str) -> Detail {
    serde_json::from_str(text).unwrap_or_default()
}

/// Writes an entry; the table is made with the first.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    entry: &NewEntry<'_>,
    there: bool,
) -> Result<(), sqlx::Error> {
    if !there {
        sqlx::query(CREATE).persistent(false).execute(&mut *connection).await?;
    }
    let run = entry.key.split('/').next().unwrap_or_default();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(INSERT)
        .bind(entry.key)
        .bind(entry.token)
        .bind(run)
        .bind(&entry.tenant)
        .bind(number(entry.rows))
        .bind(entry.inserted)
        .bind(number(entry.writes))
        .bind(entry.hash)
        .bind(encoded(entry.detail)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers that a higher token asked for the same key.
pub(super) async fn raise(connection: &mut SqliteConnection, key: &str, token: i64) -> Result<(), sqlx::Error> {
    let text = "UPDATE main.reinstate_ledger SET token = ?2 WHERE key = ?1 AND token < ?2";
    sqlx::query(text).bind(key).bind(token).execute(connection).await?;
    Ok(())
}

/// Replaces an entry's detail.
pub(super) async fn amend(connection: &mut SqliteConnection, key: &str, detail: &Detail) -> Result<(), sqlx::Error> {
    let text = "UPDATE main.reinstate_ledger SET detail = ?2 WHERE key = ?1";
    sqlx::query(text).bind(key).bind(encoded(detail)?).execute(connection).await?;
    Ok(())
}

fn encoded(detail: &Detail) -> Result<String, sqlx::Error> {
    serde_json::to_string(detail).map_err(|error| sqlx::Error::Encode(error.into()))
}
