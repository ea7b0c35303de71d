//! SQLite through sqlx: opening files, writing and reading rows of a known schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection};

use crate::schema::{Schema, Table};
use crate::value::{Row, Value, decode};

/// Why a store of the lab could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused a statement on this file.
    #[error("store {} failed", path.display())]
    Sql {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// A file of the lab could not be read or written.
    #[error("file {} failed", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the lab does not hold what the lab wrote there.
    #[error("{place} is damaged: {fact}")]
    Corrupt {
        /// The file or log entry.
        place: String,
        /// What is wrong with it.
        fact: String,
    },
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn sql(path: &Path) -> impl FnOnce(sqlx::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Sql { path, source }
    }
}

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A new file, filled once and only by us: no journal, no syncs.
    Bulk,
    /// A store in use: write-ahead log, foreign keys checked, waits for other writers.
    Live,
    /// Only reads.
    Read,
}

pub(crate) async fn open(path: &Path, mode: Mode) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(20))
        .statement_cache_capacity(512)
        .command_buffer_size(64)
        .row_buffer_size(1024)
        .pragma("cache_size", "-32000")
        .disable_statement_logging();
    let options = match mode {
        Mode::Bulk => options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false),
        Mode::Live => {
            options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal).foreign_keys(true)
        }
        Mode::Read => options.read_only(true),
    };
    SqliteConnection::connect_with(&options).await.map_err(StoreError::sql(path))
}

/// Runs several statements of our own text.
pub(crate) async fn script(conn: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

pub(crate) fn arguments<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<SqliteArguments, sqlx::Error> {
    let mut args = SqliteArguments::default();
    for value in values {
        match value {
            Value::Null => args.add(None::<i64>),
            Value::Int(n) => args.add(*n),
            Value::Real(bits) => args.add(f64::from_bits(*bits)),
            Value::Text(text) => args.add(text.clone()),
            Value::Blob(bytes) => args.add(bytes.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(args)
}

/// Runs one statement; gives the rows it changed. `sql` is our own text, values are bound.
pub(crate) async fn execute(conn: &mut SqliteConnection, sql: &str, values: &[Value]) -> Result<u64, sqlx::Error> {
    let args = arguments(values)?;
    let done = sqlx::query_with(AssertSqlSafe(sql.to_owned()), args).execute(conn).await?;
    Ok(done.rows_affected())
}

/// All rows of one query.
pub(crate) async fn rows(conn: &mut SqliteConnection, sql: &str, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
    let args = arguments(values)?;
    let mut stream = sqlx::query_with(AssertSqlSafe(sql.to_owned()), args).fetch(conn);
    let mut out = Vec::new();
    while let Some(row) = stream.try_next().await? {
        out.push(decode(&row)?);
    }
    Ok(out)
}

/// The first row of one query, if any.
pub(crate) async fn row(conn: &mut SqliteConnection, sql: &str, values: &[Value]) -> Result<Option<Row>, sqlx::Error> {
    Ok(rows(conn, sql, values).await?.into_iter().next())
}

/// The integer that a query such as `SELECT count(*)` gives; 0 if none.
pub(crate) async fn number(conn: &mut SqliteConnection, sql: &str, values: &[Value]) -> Result<i64, sqlx::Error> {
    let first = row(conn, sql, values).await?;
    Ok(first.and_then(|r| r.first().and_then(Value::as_int)).unwrap_or(0))
}

/// Inserts rows in multi-row statements of few different sizes, so that all stay prepared.
pub(crate) async fn insert(conn: &mut SqliteConnection, table: &Table, rows: &[Row]) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let size = [256, 32, 4, 1].into_iter().find(|n| *n <= rest.len()).unwrap_or(1);
        let (now, later) = rest.split_at(size);
        let tuple = format!("({})", vec!["?"; table.columns.len()].join(","));
        let sql =
            format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names().join(", "), vec![tuple; size].join(","));
        sqlx::query_with(AssertSqlSafe(sql), arguments(now.iter().flatten())?).execute(&mut *conn).await?;
        rest = later;
    }
    Ok(())
}

/// Inserts the row, or replaces the columns of the row with its key.
pub(crate) async fn put(conn: &mut SqliteConnection, table: &Table, row: &Row) -> Result<(), sqlx::Error> {
    let names = table.names();
    let sets: Vec<String> = names[table.key..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let action = if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {action}",
        table.name,
        names.join(", "),
        vec!["?"; names.len()].join(", "),
        names[..table.key].join(", "),
    );
    execute(conn, &sql, row).await.map(drop)
}

/// Deletes the site's rows of all tables, children first; gives each deleted key with its table.
pub(crate) async fn delete_site(
    conn: &mut SqliteConnection,
    schema: &Schema,
    site: &str,
) -> Result<Vec<(usize, Row)>, sqlx::Error> {
    let mut out = Vec::new();
    for (i, table) in schema.tables.iter().enumerate().rev() {
        let Some(condition) = schema.belongs(i) else {
            continue;
        };
        let keys = table.names()[..table.key].join(", ");
        let sql = format!("DELETE FROM {} WHERE {condition} RETURNING {keys}", table.name);
        let deleted = rows(conn, &sql, &[Value::from(site)]).await?;
        out.extend(deleted.into_iter().map(|key| (i, key)));
    }
    Ok(out)
}
