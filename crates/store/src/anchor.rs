//! The anchor of benchmarks: what bare SQLite can make durable on this disk, now.

use std::path::Path;
use std::time::{Duration, Instant};

use runtime::JournalError;
use sqlx::{ConnectOptions, Connection};

use crate::sqlite::{Trouble, writer_options};

/// Returns how many rows of about 44 bytes a second one SQLite writer makes durable in a new file at `path`, with
/// `rows_per_commit` rows in each transaction, WAL and `synchronous=FULL`, over `seconds` of wall-clock time.
///
/// The rows are made inside of SQLite by one prepared statement, so that nothing but SQLite and the disk is measured;
/// the pragmas are those of the journal. The file is removed afterwards. Takes the whole time given.
///
/// # Errors
/// [`JournalError::Unavailable`] if the file exists already, else the store's trouble.
pub async fn anchor(path: &Path, rows_per_commit: u32, seconds: f64) -> Result<f64, JournalError> {
    if path.exists() {
        let context = format!("{} exists; the anchor is measured in a new file", path.display());
        return Err(JournalError::Unavailable { context, source: None });
    }
    let measured = measure(path, rows_per_commit.max(1), Duration::from_secs_f64(seconds.clamp(0.001, 3_600.0))).await;
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // Missing ones are fine, and a scratch file that stays changes no result.
        let _ = std::fs::remove_file(name);
    }
    measured.map_err(|error| Trouble::new(path, "measuring the anchor", error).into_error())
}

async fn measure(path: &Path, rows_per_commit: u32, span: Duration) -> Result<f64, sqlx::Error> {
    let options = writer_options(path, Duration::from_secs(5)).create_if_missing(true).pragma("journal_mode", "WAL");
    let mut connection = options.connect().await?;
    sqlx::raw_sql("CREATE TABLE anchor (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
        .execute(&mut connection)
        .await?;
    let started = Instant::now();
    let mut rows = 0_u64;
    while started.elapsed() < span {
        // A statement of its own is a transaction of its own: one commit, one sync.
        rows += sqlx::query(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1) \
             INSERT INTO anchor (seq, bytes) SELECT $2 + i, randomblob(36) FROM n",
        )
        .bind(i64::from(rows_per_commit))
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .execute(&mut connection)
        .await?
        .rows_affected();
    }
    let rate = rows as f64 / started.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}
