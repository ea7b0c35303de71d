//! Our one table in a live file: what was restored, in the same commit as the rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::input::Restored;

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

const OPENING: &str = "SELECT v.schema_version, l.token, l.rows, l.inserted, l.hash, l.detail
    FROM pragma_schema_version v LEFT JOIN main.reinstate_ledger l ON l.key = ?1";

const OPENING_WITHOUT: &str =
    "SELECT v.schema_version, NULL, NULL, NULL, NULL, NULL FROM pragma_schema_version v WHERE ?1 IS NOT NULL";

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
    pub(super) restored: Restored,
}

/// A row to be written.
pub(super) struct NewEntry<'a> {
    pub(super) key: &'a str,
    pub(super) token: i64,
    pub(super) tenant: String,
    pub(super) restored: &'a Restored,
    /// Changes that SQLite counted on the connection.
    pub(super) writes: u64,
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
    let detail: Value = serde_json::from_str(&row.try_get::<String, _>(5)?).unwrap_or_default();
    let (rows, inserted) = (count(row, 2)?, count(row, 3)?);
    let restored = Restored {
        rows,
        inserted,
        already: rows.saturating_sub(inserted),
        tables: tables(&detail),
        hash: row.try_get(4)?,
    };
    Ok(Some(Entry { token, restored }))
}

/// Rows of each table, from an entry's detail.
pub(super) fn tables(detail: &Value) -> BTreeMap<String, u64> {
    let tables = detail.get("tables").and_then(Value::as_object).into_iter().flatten();
    tables.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
}

fn count(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
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
        .bind(number(entry.restored.rows))
        .bind(number(entry.restored.inserted))
        .bind(number(entry.writes))
        .bind(&entry.restored.hash)
        .bind(json!({ "tables": entry.restored.tables }).to_string())
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
