//! Reading orders and workers.

use runtime::engine::Millis;
use runtime::{ClaimedOrder, JournalError, Lease, LeftOrder, LivingWorker, Settled, WaitingOrders};
use sqlx::types::Json;
use sqlx::{Row, SqliteConnection};

use crate::rows::{self, ANSWERED, LOST, OPEN, TAKEN_BACK, WITHDRAWN_ORDER, integer};
use crate::sqlite::lease;
use crate::sqlite::trouble::Failure;

/// Orders that worker $1 may claim at time $2, were it for slots.
pub(super) const CLAIMABLE: &str = "SELECT o.id FROM orders o JOIN leases l ON l.run = o.run AND l.epoch = o.epoch \
     AND l.expires_at > $2 JOIN workers w ON w.id = $1 AND w.expires_at > $2 AND NOT w.drains \
     WHERE o.worker IS NULL AND NOT EXISTS (SELECT 1 FROM json_each(o.labels) d \
     WHERE d.value NOT IN (SELECT value FROM json_each(w.labels)))";

/// How many orders worker $1 has and has not answered: open ones and withdrawn ones.
pub(super) fn held() -> String {
    format!("SELECT count(*) FROM orders h WHERE h.worker = $1 AND h.fate IN ({OPEN}, {WITHDRAWN_ORDER})")
}

/// Whether something of this epoch is to be settled by the writer: lost, or withdrawn and forgotten by its worker.
pub(super) async fn is_due(connection: &mut SqliteConnection, lease: &Lease, now: Millis) -> Result<bool, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM orders WHERE run = $1 AND worker IS NOT NULL \
         AND (fate = $3 OR fate = $2 AND epoch = $5) \
         AND worker NOT IN (SELECT id FROM workers WHERE expires_at > $4))",
    )
    .bind(run)
    .bind(OPEN)
    .bind(WITHDRAWN_ORDER)
    .bind(now)
    .bind(integer(lease.epoch))
    .fetch_one(connection)
    .await?)
}

pub(super) async fn settled(
    connection: &mut SqliteConnection,
    lease: &Lease,
    limit: u32,
) -> Result<Vec<Settled>, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let found = sqlx::query(
        "SELECT number, fate, answer FROM orders WHERE run = $1 AND epoch = $2 AND fate IN ($3, $4, $5) ORDER BY number LIMIT $6",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(ANSWERED)
    .bind(LOST)
    .bind(TAKEN_BACK)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    Ok(found.iter().map(rows::settled).collect::<Result<_, _>>()?)
}

/// What is known of what older drives have left.
pub(super) async fn left(
    connection: &mut SqliteConnection,
    lease: &Lease,
    below: u64,
) -> Result<Vec<LeftOrder>, Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let found = sqlx::query(
        "SELECT unit, attempt, mode, fate, answer FROM orders WHERE run = $1 AND (epoch <> $2 OR number < $3) \
         AND fate IN ($4, $5) ORDER BY id",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(integer(below))
    .bind(ANSWERED)
    .bind(TAKEN_BACK)
    .fetch_all(connection)
    .await?;
    Ok(found.iter().map(rows::left_order).collect::<Result<_, _>>()?)
}

pub(super) async fn waiting(
    connection: &mut SqliteConnection,
    run: &str,
    now: Millis,
) -> Result<Vec<WaitingOrders>, Failure> {
    let run = lease::run_id(connection, run).await?;
    let found = sqlx::query(
        "SELECT o.labels, count(*) AS orders, EXISTS (SELECT 1 FROM workers w WHERE w.expires_at > $2 AND NOT w.drains \
         AND NOT EXISTS (SELECT 1 FROM json_each(o.labels) d WHERE d.value NOT IN (SELECT value FROM json_each(w.labels)))) \
         AS fits FROM orders o JOIN leases l ON l.run = o.run AND l.epoch = o.epoch \
         WHERE o.run = $1 AND o.worker IS NULL GROUP BY o.labels",
    )
    .bind(run)
    .bind(now)
    .fetch_all(connection)
    .await?;
    let mut waiting = Vec::with_capacity(found.len());
    for row in &found {
        let (Json(labels), orders, fits): (_, i64, _) =
            (row.try_get("labels")?, row.try_get("orders")?, row.try_get("fits")?);
        waiting.push(WaitingOrders { labels, orders: orders.unsigned_abs(), fits });
    }
    waiting.sort_by(|one, next| one.labels.cmp(&next.labels));
    Ok(waiting)
}

/// Whether something waits that a worker may claim, and it has a slot for it.
pub(super) async fn can_claim(connection: &mut SqliteConnection, worker: u64, now: Millis) -> Result<bool, Failure> {
    let held = held();
    let look =
        format!("SELECT slots > ({held}) AND EXISTS ({CLAIMABLE}) FROM workers WHERE id = $1 AND expires_at > $2");
    let waits: Option<bool> = sqlx::query_scalar(sqlx::AssertSqlSafe(look))
        .bind(integer(worker))
        .bind(now)
        .fetch_optional(connection)
        .await?;
    Ok(waits.ok_or(JournalError::NotEnlisted(worker))?)
}

/// What a worker has claimed, but for what it holds.
pub(super) async fn claimed(
    connection: &mut SqliteConnection,
    worker: u64,
    holds: &[u64],
) -> Result<Vec<ClaimedOrder>, Failure> {
    let holds: Vec<i64> = holds.iter().map(|&id| integer(id)).collect();
    let found = sqlx::query(
        "SELECT o.id, r.name AS run, o.epoch, o.number, o.unit, o.attempt, o.mode, o.labels, o.timeout_ms, o.call \
         FROM orders o JOIN runs r ON r.id = o.run WHERE o.worker = $1 AND o.fate = $2 \
         AND o.id NOT IN (SELECT value FROM json_each($3)) ORDER BY o.id",
    )
    .bind(integer(worker))
    .bind(OPEN)
    .bind(Json(holds))
    .fetch_all(connection)
    .await?;
    let mut claimed = Vec::with_capacity(found.len());
    for row in &found {
        let Json(labels) = row.try_get("labels")?;
        claimed.push(rows::order(row, labels)?);
    }
    Ok(claimed)
}

pub(super) async fn living(connection: &mut SqliteConnection, now: Millis) -> Result<Vec<LivingWorker>, Failure> {
    let found = sqlx::query(
        "SELECT w.id, w.name, w.labels, w.slots, w.version, w.drains, w.expires_at, \
         (SELECT count(*) FROM orders o WHERE o.worker = w.id AND o.fate IN ($2, $3)) AS holds \
         FROM workers w WHERE w.expires_at > $1 ORDER BY w.id",
    )
    .bind(now)
    .bind(OPEN)
    .bind(WITHDRAWN_ORDER)
    .fetch_all(connection)
    .await?;
    let mut living = Vec::with_capacity(found.len());
    for row in &found {
        let Json(labels) = row.try_get("labels")?;
        living.push(rows::worker(row, labels)?);
    }
    Ok(living)
}
