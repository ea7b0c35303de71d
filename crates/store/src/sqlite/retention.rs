//! Giving runs up: a row of `discarded` takes the place of the run's, then its rows go in pieces.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{JournalError, Lease, Retention};
use sqlx::SqliteConnection;

use super::format::{DISCARDED_SINCE, GROUP_BITS, PART_BITS};
use super::trouble::Failure;
use super::work::{Done, Work};
use super::{SqliteJournal, lease, pools};

/// Bytes of rows that go in one transaction: some milliseconds.
const PIECE: i64 = 2 << 20;
/// Rows of one transaction.
const ROWS: i64 = 512;

/// Takes a run from the list.
pub(super) async fn discard(connection: &mut SqliteConnection, held: &Lease) -> Result<u64, Failure> {
    let (run, _) = lease::is_newest(connection, held).await?;
    let site: Option<(String, i64)> = sqlx::query_as(
        "SELECT site, (SELECT count(*) FROM held_sites WHERE run = $1) FROM held_sites WHERE run = $1 ORDER BY site LIMIT 1",
    )
    .bind(run)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((site, held_by_it)) = site {
        let more = held_by_it.unsigned_abs() - 1;
        return Err(JournalError::SiteHeld { site, run: held.run.clone(), more }.into());
    }
    for statement in [
        "INSERT INTO discarded (run, name, created_at) SELECT id, name, created_at FROM runs WHERE id = $1",
        "INSERT INTO spent (name) SELECT name FROM runs WHERE id = $1",
        "DELETE FROM runs WHERE id = $1",
        "DELETE FROM leases WHERE run = $1",
        "DELETE FROM left_with WHERE run = $1",
        "DELETE FROM requests WHERE run = $1",
        "DELETE FROM claims WHERE run = $1",
        "DELETE FROM orders WHERE run = $1",
        "DELETE FROM sent_orders WHERE run = $1",
    ] {
        sqlx::query(statement).bind(run).execute(&mut *connection).await?;
    }
    pools::drop_all(connection, run).await?;
    Ok(0)
}

/// Deletes some rows of the run that was discarded first. Gives their bytes, and 1 more: 0 says that nothing is left.
pub(super) async fn free(connection: &mut SqliteConnection) -> Result<u64, Failure> {
    let run: Option<i64> = sqlx::query_scalar("SELECT min(run) FROM discarded").fetch_one(&mut *connection).await?;
    let Some(run) = run else { return Ok(0) };
    for (bits, table) in [(GROUP_BITS, "groups"), (PART_BITS, "plans")] {
        let (from, to) = (run << bits, (run + 1) << bits);
        let rows: Vec<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT id, length(bytes) FROM {table} WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3"
        )))
        .bind(from)
        .bind(to)
        .bind(ROWS)
        .fetch_all(&mut *connection)
        .await?;
        let mut bytes = 0;
        let mut last = None;
        for (id, length) in rows {
            if last.is_some() && bytes + length > PIECE {
                break;
            }
            (bytes, last) = (bytes + length, Some(id));
        }
        let Some(last) = last else { continue };
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE id >= $1 AND id <= $2")))
            .bind(from)
            .bind(last)
            .execute(connection)
            .await?;
        return Ok(1 + bytes.unsigned_abs());
    }
    sqlx::query("DELETE FROM discarded WHERE run = $1").bind(run).execute(connection).await?;
    Ok(1)
}

async fn oldest(connection: &mut SqliteConnection) -> Result<Option<(String, Millis)>, Failure> {
    let oldest = "SELECT name, created_at FROM discarded ORDER BY run LIMIT 1";
    Ok(sqlx::query_as(oldest).fetch_optional(connection).await?)
}

async fn spare(connection: &mut SqliteConnection) -> Result<i64, Failure> {
    let pages: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(connection).await?;
    Ok(pages * size)
}

#[async_trait]
impl Retention for SqliteJournal {
    async fn discard(&self, lease: &Lease) -> Result<(), JournalError> {
        self.change(Work::Discard { lease: lease.clone() }).await.map(drop)
    }

    async fn free(&self) -> Result<Option<u64>, JournalError> {
        let discarded = {
            let mut reader = self.reader.lock().await;
            let since = reader.get_since(DISCARDED_SINCE, &self.path, self.lock_wait).await?;
            let Some(connection) = since else { return Ok(None) };
            let answer = oldest(connection).await;
            self.judge(&mut reader, answer)?
        };
        let Some((name, created_at)) = discarded else { return Ok(None) };
        // The logs go first: once the row is gone nobody knows whose they are.
        if let Some(freed) = self.logs.free(&name, created_at).await? {
            return Ok(Some(freed));
        }
        let Done { number, .. } = self.change(Work::Free).await?;
        Ok(number.checked_sub(1))
    }

    async fn spare(&self) -> Result<u64, JournalError> {
        let mut reader = self.reader.lock().await;
        let answer = spare(reader.get(&self.path, self.lock_wait).await?).await;
        self.judge(&mut reader, answer).map(|bytes| bytes.max(0).unsigned_abs())
    }
}
