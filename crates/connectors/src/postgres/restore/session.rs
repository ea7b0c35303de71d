//! Connections whose answers mean the same on every server, and what the live one may do.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error::{RestoreError, failed};
use crate::postgres::connect::{connect, without_password};

/// Texts of values depend on these; both sides of a comparison must have the same.
const SAME_TEXTS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET lc_monetary = 'C'; \
    SET xmloption = 'content'; SET row_security = off; SET jit = off; SET statement_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0";
/// To start helpers of a query takes the server longer than to read a small tenant, and takes cores from its users.
const BY_ITSELF: &str = "SET max_parallel_workers_per_gather = 0";

/// Connections that write at the same time at most, each under an origin of its own.
const ORIGINS: u32 = 64;
/// Whether a database stands still: it is no standby, or one whose replay is paused.
const STANDS: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE true END";

/// A connection to the recovered copy, which stands still.
///
/// A standby answers long before it has got to its point; one whose backend was killed starts from an earlier one again.
pub(crate) async fn backup(url: &str) -> Result<PgConnection, RestoreError> {
    let mut connection = connect(url).await?;
    let text = format!("{SAME_TEXTS}; {BY_ITSELF}; {STANDS}");
    let answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut connection).await;
    let answers = answers.map_err(failed("set up the session"))?;
    let stands = answers.last().map(|row| row.try_get::<bool, _>(0)).transpose().map_err(failed("read a setting"))?;
    if stands == Some(true) { Ok(connection) } else { Err(RestoreError::Moving(without_password(url))) }
}

/// A connection to the live database.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) connection: PgConnection,
    /// Whether triggers and row-by-row checks of foreign keys keep quiet; references are then checked here.
    pub(crate) quiet: bool,
    /// Whether the server counts what a transaction writes.
    pub(crate) counts: bool,
}

impl Live {
    /// Connects to the live database for writing.
    ///
    /// Waits for no lock longer than `lock_timeout`. Full pages in the WAL are compressed where the role may ask for it.
    pub(crate) async fn open(url: &str, lock_timeout: Duration) -> Result<Self, RestoreError> {
        let mut connection = connect(url).await?;
        let millis = lock_timeout.as_millis();
        run(&mut connection, &format!("{SAME_TEXTS}; {BY_ITSELF}; SET lock_timeout = {millis}"), "set up the session")
            .await?;
        let quiet = allowed(&mut connection, "SET session_replication_role = replica").await?;
        // Which methods there are depends on how the server was built.
        if !allowed(&mut connection, "SET wal_compression = lz4").await? {
            allowed(&mut connection, "SET wal_compression = on").await?;
        }
        let (counts,): (bool,) = sqlx::query_as("SELECT current_setting('track_counts')::bool")
            .fetch_one(&mut connection)
            .await
            .map_err(failed("read a setting"))?;
        Ok(Self { connection, quiet, counts })
    }
}

impl Live {
    /// Marks what this connection writes from now on as replicated from an origin of this name and a number: one
    /// connection at a time may use an origin.
    ///
    /// Logical decoding tells the origin of each transaction, and a reader of changes that asks for local ones alone is
    /// not given these. A server has room for `max_replication_slots` of them.
    pub(crate) async fn mark(&mut self, name: &str) -> Result<(), RestoreError> {
        const MAKE: &str = "SELECT pg_replication_origin_create($1) WHERE pg_replication_origin_oid($1) IS NULL";
        const USE: &str = "SELECT pg_replication_origin_session_setup($1)";
        let mut last = None;
        for number in 1..=ORIGINS {
            let own = format!("{name}-{number}");
            let is = |error: &sqlx::Error, state: &str| {
                error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(state))
            };
            match sqlx::query(MAKE).bind(&own).execute(&mut self.connection).await {
                // Somebody made it at the same moment.
                Err(error) if !is(&error, "23505") => return Err(failed("make a replication origin")(error)),
                _ => {}
            }
            match sqlx::query(USE).bind(&own).execute(&mut self.connection).await {
                Ok(_) => return Ok(()),
                // In use by another connection.
                Err(error) if is(&error, "55006") => last = Some(error),
                Err(error) => return Err(failed("use a replication origin")(error)),
            }
        }
        last.map_or(Ok(()), |error| Err(failed("use a replication origin")(error)))
    }
}

/// Sets what not every role and server can set; says whether it could.
async fn allowed(connection: &mut PgConnection, set: &'static str) -> Result<bool, RestoreError> {
    match sqlx::raw_sql(set).execute(connection).await {
        Ok(_) => Ok(true),
        // 42501: not permitted; 22023: no such value; 42704: no such parameter.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42501" | "22023" | "42704")) => {
            Ok(false)
        }
        Err(error) => Err(failed("set up the session")(error)),
    }
}

/// Runs statements without arguments, made of quoted names and literals.
pub(crate) async fn run(connection: &mut PgConnection, text: &str, doing: &str) -> Result<(), RestoreError> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.map(drop).map_err(failed(doing))
}

/// Begins to read the backup: from now on it stands still.
pub(crate) async fn snapshot(connection: &mut PgConnection) -> Result<(), RestoreError> {
    run(connection, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "begin to read the backup").await
}
