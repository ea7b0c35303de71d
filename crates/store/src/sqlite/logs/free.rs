//! Giving the logs of a run up, in pieces, and their space back to the system.

use runtime::JournalError;
use runtime::engine::Millis;
use sqlx::SqliteConnection;

use super::LogFile;

/// Attempts whose logs go in one transaction, at most.
const ATTEMPTS: i64 = 64;
/// Bytes of lines after which a transaction takes no more.
const PIECE: i64 = 2 << 20;
/// Pages that are given back to the system with it: about as many as it freed.
const PAGES: u32 = 1_024;

impl LogFile {
    /// Frees some logs of a run: about how many bytes; `None` if it has none.
    ///
    /// # Errors
    /// The file's trouble.
    pub(crate) async fn free(&self, run: &str, created_at: Millis) -> Result<Option<u64>, JournalError> {
        if !self.is_there() {
            return Ok(None);
        }
        let mut held = self.writer.lock().await;
        let mut open = self.to_write(&mut held).await?;
        let freed = free(&mut open.connection, run, created_at).await;
        let freed = freed.map_err(|error| self.trouble("writing to", error))?;
        *held = Some(open);
        Ok(freed)
    }
}

async fn free(connection: &mut SqliteConnection, run: &str, created_at: Millis) -> Result<Option<u64>, sqlx::Error> {
    let run: Option<i64> = sqlx::query_scalar("SELECT id FROM runs WHERE name = $1 AND created_at = $2")
        .bind(run)
        .bind(created_at)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(run) = run else { return Ok(None) };
    let mut logs: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, bytes - cut_bytes FROM logs WHERE run = $1 ORDER BY id LIMIT $2")
            .bind(run)
            .bind(ATTEMPTS)
            .fetch_all(&mut *connection)
            .await?;
    let mut bytes = 0;
    let fits = logs.iter().take_while(|(_, own)| {
        let fits = bytes < PIECE;
        bytes += own.max(&0);
        fits
    });
    logs.truncate(fits.count());
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for (log, _) in &logs {
        sqlx::query("DELETE FROM lines WHERE id >= $1 << 32 AND id < ($1 + 1) << 32")
            .bind(log)
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM logs WHERE id = $1").bind(log).execute(&mut *connection).await?;
    }
    if logs.is_empty() {
        sqlx::query("DELETE FROM runs WHERE id = $1").bind(run).execute(&mut *connection).await?;
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    // A part of what is free, or attempts would wait for all that was ever forgotten.
    let vacuum = format!("PRAGMA incremental_vacuum({PAGES})");
    sqlx::query(sqlx::AssertSqlSafe(vacuum)).fetch_all(connection).await?;
    Ok(Some(logs.iter().map(|(_, bytes)| bytes.max(&0).unsigned_abs()).sum()))
}
