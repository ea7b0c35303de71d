//! Our record in a live database: what was restored and taken back, in the same commit as the rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use super::differing::Differing;
use super::error::{RestoreError, failed};
use super::remap::Remapped;
use super::session::run;
use super::tally::TableTally;

/// Made by the first restore. Nothing of ours is written outside of this schema.
const CREATE: &str = "CREATE SCHEMA IF NOT EXISTS reinstate; \
    CREATE TABLE IF NOT EXISTS reinstate.ledger ( \
      key text PRIMARY KEY, token bigint NOT NULL, run text NOT NULL, root text NOT NULL, tenant text NOT NULL, \
      rows bigint NOT NULL, inserted bigint NOT NULL, updated bigint NOT NULL, detail jsonb NOT NULL, \
      xid xid8 NOT NULL DEFAULT pg_current_xact_id(), begun_lsn pg_lsn NOT NULL, lsn pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn(), \
      at timestamptz NOT NULL DEFAULT clock_timestamp(), undone_by text)";

/// What a ledger row says beside its columns.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Detail {
    /// Rows and hash of each table with rows of the tenant.
    pub(crate) tables: BTreeMap<String, TableTally>,
    /// Rows that were there before and equal.
    #[serde(default)]
    pub(crate) already: u64,
    /// Live rows that were kept though the backup has others under their keys.
    #[serde(default)]
    pub(crate) kept: u64,
    /// Rows of shared tables that were gone and that rows of the tenant need, by table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shared: BTreeMap<String, u64>,
    /// Rows of shared tables that rows of the tenant refer to and that differ from the backup's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shared_differs: Differing,
    /// The part of a tenant that this is, counted from 1; the tenant's own row is not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chunk: Option<u64>,
    /// Parts that were committed before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chunks: Option<Chunks>,
    /// The key of the restore that this takes back; the numbers of rows are then of rows that went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removes: Option<String>,
    /// What new IDs the tenant got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remapped: Option<Box<Remapped>>,
    /// Whether triggers were allowed to write beside us.
    #[serde(default)]
    pub(crate) noisy: bool,
}

/// What earlier transactions of one restore have committed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Chunks {
    /// How many there were.
    pub transactions: u64,
    /// Rows that they inserted.
    pub inserted: u64,
    /// Rows of shared tables that they made again, by table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shared: BTreeMap<String, u64>,
}

impl Chunks {
    pub(crate) fn add(&mut self, inserted: u64, shared: &BTreeMap<String, u64>) {
        self.transactions += 1;
        self.inserted += inserted;
        for (table, rows) in shared {
            *self.shared.entry(table.clone()).or_insert(0) += rows;
        }
    }
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) token: i64,
    pub(crate) tenant: String,
    pub(crate) rows: u64,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) undone_by: Option<String>,
    pub(crate) detail: Detail,
}

/// A row of the ledger as the server gives it, inside of a larger answer.
pub(crate) const ENTRY: &str =
    "jsonb_build_array(l.key, l.token, l.tenant, l.rows, l.inserted, l.updated, l.undone_by, l.detail)::text";

impl Entry {
    /// Reads what [`ENTRY`] gave.
    pub(crate) fn read(text: &str) -> Result<Self, RestoreError> {
        type Columns = (String, i64, String, u64, u64, u64, Option<String>, Detail);
        let (key, token, tenant, rows, inserted, updated, undone_by, detail): Columns = serde_json::from_str(text)
            .map_err(|error| RestoreError::Database {
                doing: "read the ledger".into(),
                state: None,
                why: error.to_string(),
            })?;
        Ok(Self { key, token, tenant, rows, inserted, updated, undone_by, detail })
    }
}

/// Makes the ledger where there is none.
pub(crate) async fn make(connection: &mut PgConnection) -> Result<(), RestoreError> {
    make_table(connection, "reinstate.ledger", CREATE).await
}

/// Makes a table of ours where there is none.
pub(crate) async fn make_table(connection: &mut PgConnection, table: &str, create: &str) -> Result<(), RestoreError> {
    if has_table(connection, table).await? {
        return Ok(());
    }
    let doing = format!("make the table {table}");
    match run(connection, create, &doing).await {
        // Another session was making it at the same moment.
        Err(RestoreError::Database { state: Some(state), .. })
            if matches!(state.as_str(), "23505" | "42P06" | "42P07") =>
        {
            run(connection, create, &doing).await
        }
        made => made,
    }
}

/// Returns whether there is a ledger.
pub(crate) async fn is_there(connection: &mut PgConnection) -> Result<bool, RestoreError> {
    has_table(connection, "reinstate.ledger").await
}

/// Returns whether there is a table of ours.
pub(crate) async fn has_table(connection: &mut PgConnection, table: &str) -> Result<bool, RestoreError> {
    let (there,): (bool,) = sqlx::query_as("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(connection)
        .await
        .map_err(failed(format!("look for {table}")))?;
    Ok(there)
}

/// Returns the rows of a unit's tenants, after any transaction under its key that is still on its way.
pub(crate) async fn entries(connection: &mut PgConnection, key: &str) -> Result<Vec<Entry>, RestoreError> {
    if !is_there(connection).await? {
        return Ok(Vec::new());
    }
    let error = || failed("read the ledger");
    // Each transaction under the key holds this lock with others of its kind.
    const WAIT: &str = "SELECT pg_advisory_lock(hashtextextended($1, 1)), pg_advisory_unlock(hashtextextended($1, 1))";
    sqlx::query(WAIT).bind(key).execute(&mut *connection).await.map_err(error())?;
    let select =
        format!("SELECT {ENTRY} FROM reinstate.ledger AS l WHERE starts_with(l.key, $1 || '/') ORDER BY l.key");
    let found: Vec<(String,)> =
        sqlx::query_as(AssertSqlSafe(select)).bind(key).fetch_all(connection).await.map_err(error())?;
    found.iter().map(|(text,)| Entry::read(text)).collect()
}

/// Returns the row of a key.
pub(crate) async fn row(connection: &mut PgConnection, key: &str) -> Result<Option<Entry>, RestoreError> {
    let select = format!("SELECT {ENTRY} FROM reinstate.ledger AS l WHERE l.key = $1");
    let found: Option<(String,)> = sqlx::query_as(AssertSqlSafe(select))
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the ledger"))?;
    found.map(|(text,)| Entry::read(&text)).transpose()
}

/// Returns the row of a unit's restore by which a tenant got this new ID.
pub(crate) async fn renamed(
    connection: &mut PgConnection,
    unit: &str,
    tenant: &str,
) -> Result<Option<Entry>, RestoreError> {
    let select = format!(
        "SELECT {ENTRY} FROM reinstate.ledger AS l WHERE starts_with(l.key, $1 || '/') AND l.tenant = $2 AND l.detail ? 'remapped'"
    );
    let found: Option<(String,)> = sqlx::query_as(AssertSqlSafe(select))
        .bind(unit)
        .bind(tenant)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the ledger"))?;
    found.map(|(text,)| Entry::read(&text)).transpose()
}

/// The key of a part of a restore. It does not begin as those of the unit do, which stand for whole tenants.
pub(crate) fn chunk_key(key: &str, number: u64) -> String {
    format!("chunk {number} of {key}")
}

/// Returns the rows of the parts of a restore, in order.
pub(crate) async fn chunks(connection: &mut PgConnection, key: &str) -> Result<Vec<Entry>, RestoreError> {
    let select = format!(
        "WITH RECURSIVE part(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM part \
           WHERE EXISTS (SELECT FROM reinstate.ledger WHERE key = 'chunk ' || n || ' of ' || $1)) \
         SELECT {ENTRY} FROM part JOIN reinstate.ledger AS l ON l.key = 'chunk ' || part.n || ' of ' || $1 ORDER BY part.n"
    );
    let found: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(select))
        .bind(key)
        .fetch_all(connection)
        .await
        .map_err(failed("read the ledger"))?;
    found.iter().map(|(text,)| Entry::read(text)).collect()
}
