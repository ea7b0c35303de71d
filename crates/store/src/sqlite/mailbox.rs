//! Requests to the driver of a run. Looking for new ones is a read; only what is there is marked, by the writer.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Fate, JournalError, KEPT_MS, Lease, Mailbox, Posted};
use sqlx::SqliteConnection;

use super::SqliteJournal;
use super::lease::{self, expiry};
use super::trouble::Failure;
use super::work::Work;
use crate::rows::{self, WITHDRAWN, integer};

pub(super) async fn post(
    connection: &mut SqliteConnection,
    run: &str,
    bytes: &[u8],
    now: Millis,
    ttl_ms: u64,
) -> Result<u64, Failure> {
    let run = lease::run_id(connection, run).await?;
    sqlx::query(
        "DELETE FROM requests WHERE run = $1 AND expires_at <= $2 AND (taken_by IS NULL OR answer IS NOT NULL \
         OR taken_by IS NOT (SELECT epoch FROM leases WHERE run = $1))",
    )
    .bind(run)
    .bind(now.saturating_sub(integer(KEPT_MS)))
    .execute(&mut *connection)
    .await?;
    let id: i64 = sqlx::query_scalar("INSERT INTO requests (run, expires_at, bytes) VALUES ($1, $2, $3) RETURNING id")
        .bind(run)
        .bind(expiry(now, ttl_ms))
        .bind(bytes)
        .fetch_one(connection)
        .await?;
    Ok(id.unsigned_abs())
}

/// Marks what waits for the driver as taken by it.
pub(super) async fn mark_taken(
    connection: &mut SqliteConnection,
    lease: &Lease,
    after: u64,
    now: Millis,
) -> Result<u64, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let taken = sqlx::query(
        "UPDATE requests SET taken_by = $2 \
         WHERE run = $1 AND id > $3 AND answer IS NULL AND taken_by IS NULL AND expires_at > $4",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(integer(after))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(taken.rows_affected())
}

pub(super) async fn answer(
    connection: &mut SqliteConnection,
    lease: &Lease,
    id: u64,
    bytes: &[u8],
) -> Result<u64, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    // The first answer stays.
    let answered =
        sqlx::query("UPDATE requests SET answer = ifnull(answer, $4) WHERE id = $1 AND run = $2 AND taken_by = $3")
            .bind(integer(id))
            .bind(run)
            .bind(integer(lease.epoch))
            .bind(bytes)
            .execute(connection)
            .await?;
    match answered.rows_affected() {
        0 => Err(JournalError::NotTaken { run: lease.run.clone(), epoch: lease.epoch, id }.into()),
        _ => Ok(0),
    }
}

/// Gives 1 if the request is withdrawn, now or before; 0 if it was taken or is not there.
pub(super) async fn withdraw(connection: &mut SqliteConnection, id: u64) -> Result<u64, Failure> {
    let withdrawn = sqlx::query("UPDATE requests SET expires_at = $2 WHERE id = $1 AND taken_by IS NULL")
        .bind(integer(id))
        .bind(WITHDRAWN)
        .execute(connection)
        .await?;
    Ok(withdrawn.rows_affected())
}

/// What a look at the mailbox tells.
struct Look {
    /// Whether something waits to be marked.
    waiting: bool,
    /// Whether something is marked for this epoch already.
    taken: bool,
}

async fn look(connection: &mut SqliteConnection, lease: &Lease, after: u64, now: Millis) -> Result<Look, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let (waiting, taken): (bool, bool) = sqlx::query_as(
        "SELECT ifnull(max(taken_by IS NULL AND expires_at > $4), 0), ifnull(max(taken_by IS $2), 0) \
         FROM requests WHERE run = $1 AND id > $3 AND answer IS NULL",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(integer(after))
    .bind(now)
    .fetch_one(connection)
    .await?;
    Ok(Look { waiting, taken })
}

async fn taken(connection: &mut SqliteConnection, lease: &Lease, after: u64) -> Result<Vec<Posted>, Failure> {
    let found = sqlx::query(
        "SELECT id, bytes FROM requests WHERE run = (SELECT id FROM runs WHERE name = $1) AND id > $3 \
         AND answer IS NULL AND taken_by = $2 ORDER BY id",
    )
    .bind(&lease.run)
    .bind(integer(lease.epoch))
    .bind(integer(after))
    .fetch_all(connection)
    .await?;
    Ok(found.iter().map(rows::posted).collect::<Result<_, _>>()?)
}

async fn fate(connection: &mut SqliteConnection, id: u64, now: Millis) -> Result<Fate, Failure> {
    let row = sqlx::query(
        "SELECT q.expires_at, q.taken_by IS NOT NULL AS taken, q.answer, \
         ifnull(q.taken_by IS l.epoch AND l.expires_at > $2, 0) AS live \
         FROM requests q LEFT JOIN leases l ON l.run = q.run WHERE q.id = $1",
    )
    .bind(integer(id))
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(rows::fate(row.as_ref())?)
}

#[async_trait]
impl Mailbox for SqliteJournal {
    async fn post(&self, run: &str, bytes: &[u8], ttl_ms: u64) -> Result<u64, JournalError> {
        let work = Work::Post { run: run.to_owned(), bytes: bytes.to_vec(), ttl_ms };
        self.change(work).await.map(|done| done.number)
    }

    async fn take(&self, lease: &Lease, after: u64) -> Result<Vec<Posted>, JournalError> {
        let now = (self.now)();
        let found = {
            let mut reader = self.reader.lock().await;
            let Some(connection) = reader.get_shared(&self.path, self.lock_wait).await? else { return Ok(Vec::new()) };
            let answer = look(connection, lease, after, now).await;
            self.judge(&mut reader, answer)?
        };
        if found.waiting {
            self.change(Work::Take { lease: lease.clone(), after }).await?;
        } else if !found.taken {
            return Ok(Vec::new());
        }
        let mut reader = self.reader.lock().await;
        let answer = taken(reader.get(&self.path, self.lock_wait).await?, lease, after).await;
        self.judge(&mut reader, answer)
    }

    async fn answer(&self, lease: &Lease, id: u64, bytes: &[u8]) -> Result<(), JournalError> {
        self.change(Work::Answer { lease: lease.clone(), id, bytes: bytes.to_vec() }).await.map(drop)
    }

    async fn fate(&self, id: u64) -> Result<Fate, JournalError> {
        let now = (self.now)();
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_shared(&self.path, self.lock_wait).await? else { return Ok(Fate::Gone) };
        let answer = fate(connection, id, now).await;
        self.judge(&mut reader, answer)
    }

    async fn withdraw(&self, id: u64) -> Result<Fate, JournalError> {
        if self.change(Work::Withdraw { id }).await?.number == 1 {
            return Ok(Fate::Withdrawn);
        }
        self.fate(id).await
    }
}
