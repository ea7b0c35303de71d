//! What the writer does to orders and workers.

use runtime::engine::Millis;
use runtime::{JournalError, Lease, Order, OrderAnswer, Worker};
use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::look::{CLAIMABLE, held};
use crate::rows::{self, ANSWERED, LOST, NOBODY, OPEN, TAKEN_BACK, WITHDRAWN_ORDER, integer};
use crate::sqlite::lease::{self, expiry};
use crate::sqlite::trouble::Failure;
use crate::sqlite::work::Done;

/// A change to orders or workers.
pub(in crate::sqlite) enum Change {
    Send { lease: Lease, orders: Vec<Order> },
    Settle { lease: Lease, done: Vec<u64> },
    TakeBack { lease: Lease, numbers: Vec<u64> },
    TakeBackLeft { lease: Lease, below: u64 },
    Withdraw { lease: Lease, below: u64 },
    Enlist { worker: Worker, ttl_ms: u64 },
    Beat { worker: u64, ttl_ms: u64 },
    Drain { worker: u64 },
    Retire { worker: u64 },
    Claim { worker: u64 },
    Answer { worker: u64, answers: Vec<OrderAnswer> },
}

impl Change {
    /// About how many bytes it writes.
    pub(in crate::sqlite) fn weight(&self) -> usize {
        match self {
            Self::Send { orders, .. } => orders.iter().map(|order| order.call.len() + 256).sum(),
            Self::Answer { answers, .. } => answers.iter().map(|answer| answer.outcome.len() + 64).sum(),
            Self::Settle { done: numbers, .. } | Self::TakeBack { numbers, .. } => 128 + numbers.len() * 32,
            _ => 128,
        }
    }
}

pub(in crate::sqlite) async fn execute(
    connection: &mut SqliteConnection,
    change: &Change,
    now: Millis,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    match change {
        Change::Send { lease, orders } => send(connection, lease, orders).await?,
        Change::Settle { lease, done } => settle(connection, lease, done, now).await?,
        Change::TakeBack { lease, numbers } => take_back(connection, lease, numbers).await?,
        Change::TakeBackLeft { lease, below } => take_back_left(connection, lease, *below).await?,
        Change::Withdraw { lease, below } => {
            let (run, _) = lease::is_newest(connection, lease).await?;
            withdraw(connection, run, lease.epoch, *below).await?;
            forget_withdrawn(connection, run, now).await?;
            let held = sqlx::query_scalar("SELECT count(*) FROM orders WHERE run = $1 AND fate = $2");
            let held: i64 = held.bind(run).bind(WITHDRAWN_ORDER).fetch_one(connection).await?;
            done.number = held.unsigned_abs();
        }
        Change::Enlist { worker, ttl_ms } => {
            done.number = enlist(connection, worker, expiry(now, *ttl_ms), now).await?
        }
        Change::Beat { worker, ttl_ms } => {
            let beat = "UPDATE workers SET expires_at = $3 WHERE id = $1 AND expires_at > $2";
            living(connection, beat, *worker, now, expiry(now, *ttl_ms)).await?;
            let over = sqlx::query_scalar("SELECT id FROM orders WHERE worker = $1 AND fate IN ($2, $3) ORDER BY id");
            let over: Vec<i64> =
                over.bind(integer(*worker)).bind(LOST).bind(WITHDRAWN_ORDER).fetch_all(connection).await?;
            done.ids = over.into_iter().map(i64::unsigned_abs).collect();
        }
        Change::Drain { worker } => {
            let drain = "UPDATE workers SET drains = $3 WHERE id = $1 AND expires_at > $2";
            living(connection, drain, *worker, now, 1).await?;
        }
        Change::Retire { worker } => {
            sqlx::query("DELETE FROM workers WHERE id = $1").bind(integer(*worker)).execute(connection).await?;
        }
        Change::Claim { worker } => claim(connection, *worker, now).await?,
        Change::Answer { worker, answers } => done.ids = answer(connection, *worker, answers, now).await?,
    }
    Ok(done)
}

async fn send(connection: &mut SqliteConnection, lease: &Lease, orders: &[Order]) -> Result<(), Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let epoch = integer(lease.epoch);
    withdraw(connection, run, lease.epoch, 0).await?;
    for order in orders {
        let is_new = sqlx::query("UPDATE sent_orders SET last = $2 WHERE run = $1 AND last < $2")
            .bind(run)
            .bind(integer(order.number))
            .execute(&mut *connection)
            .await?;
        if is_new.rows_affected() == 0 {
            continue;
        }
        sqlx::query(
            "INSERT INTO orders (run, epoch, number, unit, attempt, mode, labels, timeout_ms, call, fate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(run)
        .bind(epoch)
        .bind(integer(order.number))
        .bind(&order.unit)
        .bind(i64::from(order.attempt))
        .bind(rows::mode_number(order.mode))
        .bind(Json(&order.labels))
        .bind(integer(order.timeout_ms))
        .bind(&order.call[..])
        .bind(OPEN)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Withdraws what lower epochs have sent, unless this one did so before, and what this one has sent with numbers below
/// `below`.
async fn withdraw(connection: &mut SqliteConnection, run: i64, epoch: u64, below: u64) -> Result<(), Failure> {
    let first = sqlx::query(
        "INSERT INTO sent_orders (run, epoch, last) VALUES ($1, $2, $3) ON CONFLICT (run) DO UPDATE \
         SET epoch = excluded.epoch, last = iif(epoch = excluded.epoch, max(last, excluded.last), excluded.last) \
         WHERE epoch <> excluded.epoch OR last < excluded.last",
    );
    let last = integer(below.saturating_sub(1));
    let first = first.bind(run).bind(integer(epoch)).bind(last).execute(&mut *connection).await?;
    if first.rows_affected() == 0 && below == 0 {
        return Ok(());
    }
    for statement in [
        "DELETE FROM orders WHERE run = $1 AND (epoch <> $2 OR number < $3) AND (worker IS NULL OR fate NOT IN ($4, $5))",
        "UPDATE orders SET fate = $5 WHERE run = $1 AND (epoch <> $2 OR number < $3) AND fate = $4",
    ] {
        let change = sqlx::query(statement).bind(run).bind(integer(epoch)).bind(integer(below));
        change.bind(OPEN).bind(WITHDRAWN_ORDER).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn take_back(connection: &mut SqliteConnection, lease: &Lease, numbers: &[u64]) -> Result<(), Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let numbers: Vec<i64> = numbers.iter().map(|&number| integer(number)).collect();
    sqlx::query(
        "UPDATE orders SET fate = $4, worker = $5 WHERE run = $1 AND epoch = $2 AND worker IS NULL \
         AND number IN (SELECT value FROM json_each($3))",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(Json(numbers))
    .bind(TAKEN_BACK)
    .bind(NOBODY)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back what would be withdrawn, and nobody has claimed.
async fn take_back_left(connection: &mut SqliteConnection, lease: &Lease, below: u64) -> Result<(), Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    sqlx::query(
        "UPDATE orders SET fate = $4, worker = $5 WHERE run = $1 AND (epoch <> $2 OR number < $3) AND worker IS NULL",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(integer(below))
    .bind(TAKEN_BACK)
    .bind(NOBODY)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets withdrawn orders of a run that no living worker has.
async fn forget_withdrawn(connection: &mut SqliteConnection, run: i64, now: Millis) -> Result<(), Failure> {
    sqlx::query(
        "DELETE FROM orders WHERE run = $1 AND fate = $2 \
         AND worker NOT IN (SELECT id FROM workers WHERE expires_at > $3)",
    )
    .bind(run)
    .bind(WITHDRAWN_ORDER)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn settle(connection: &mut SqliteConnection, lease: &Lease, done: &[u64], now: Millis) -> Result<(), Failure> {
    let (run, _) = lease::is_newest(connection, lease).await?;
    let done: Vec<i64> = done.iter().map(|&number| integer(number)).collect();
    sqlx::query(
        "DELETE FROM orders WHERE run = $1 AND epoch = $2 AND number IN (SELECT value FROM json_each($3)) \
         AND fate IN ($4, $5, $6)",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(Json(done))
    .bind(ANSWERED)
    .bind(LOST)
    .bind(TAKEN_BACK)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE orders SET fate = $3 WHERE run = $1 AND epoch = $2 AND fate = $4 AND worker IS NOT NULL \
         AND worker NOT IN (SELECT id FROM workers WHERE expires_at > $5)",
    )
    .bind(run)
    .bind(integer(lease.epoch))
    .bind(LOST)
    .bind(OPEN)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    forget_withdrawn(connection, run, now).await
}

async fn enlist(
    connection: &mut SqliteConnection,
    worker: &Worker,
    expires_at: Millis,
    now: Millis,
) -> Result<u64, Failure> {
    sqlx::query("DELETE FROM workers WHERE expires_at <= $1").bind(now).execute(&mut *connection).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO workers (name, labels, slots, version, drains, expires_at) VALUES ($1, $2, $3, $4, 0, $5) \
         RETURNING id",
    )
    .bind(&worker.name)
    .bind(Json(&worker.labels))
    .bind(i64::from(worker.slots))
    .bind(&worker.version)
    .bind(expires_at)
    .fetch_one(connection)
    .await?;
    Ok(id.unsigned_abs())
}

/// Changes the row of a worker, if it lives.
async fn living(
    connection: &mut SqliteConnection,
    statement: &'static str,
    worker: u64,
    now: Millis,
    to: i64,
) -> Result<(), Failure> {
    let changed = sqlx::query(statement).bind(integer(worker)).bind(now).bind(to).execute(connection).await?;
    match changed.rows_affected() {
        0 => Err(JournalError::NotEnlisted(worker).into()),
        _ => Ok(()),
    }
}

async fn claim(connection: &mut SqliteConnection, worker: u64, now: Millis) -> Result<(), Failure> {
    // One transaction at a time writes, so nobody else is claiming.
    let held = held();
    let claim = format!(
        "UPDATE orders SET worker = $1 WHERE id IN ({CLAIMABLE} ORDER BY o.id LIMIT \
         (SELECT max(0, slots - ({held})) FROM workers WHERE id = $1))"
    );
    // Where there is no such worker, nothing can be claimed, and the limit is none.
    let lives = sqlx::query_scalar("SELECT id FROM workers WHERE id = $1 AND expires_at > $2");
    let lives: Option<i64> = lives.bind(integer(worker)).bind(now).fetch_optional(&mut *connection).await?;
    lives.ok_or(JournalError::NotEnlisted(worker))?;
    sqlx::query(sqlx::AssertSqlSafe(claim)).bind(integer(worker)).bind(now).execute(connection).await?;
    Ok(())
}

async fn answer(
    connection: &mut SqliteConnection,
    worker: u64,
    answers: &[OrderAnswer],
    now: Millis,
) -> Result<Vec<u64>, Failure> {
    let lives = sqlx::query_scalar("SELECT id FROM workers WHERE id = $1 AND expires_at > $2");
    let lives: Option<i64> = lives.bind(integer(worker)).bind(now).fetch_optional(&mut *connection).await?;
    let mut counted = Vec::with_capacity(answers.len());
    for OrderAnswer { id, outcome } in answers.iter().filter(|_| lives.is_some()) {
        // The first answer stays.
        let accepted = sqlx::query(
            "UPDATE orders SET fate = $4, answer = ifnull(answer, $3) WHERE id = $1 AND worker = $2 AND fate IN ($4, $5)",
        )
        .bind(integer(*id))
        .bind(integer(worker))
        .bind(&outcome[..])
        .bind(ANSWERED)
        .bind(OPEN)
        .execute(&mut *connection)
        .await?;
        if accepted.rows_affected() == 1 {
            counted.push(*id);
            continue;
        }
        sqlx::query("DELETE FROM orders WHERE id = $1 AND worker = $2 AND fate = $3")
            .bind(integer(*id))
            .bind(integer(worker))
            .bind(WITHDRAWN_ORDER)
            .execute(&mut *connection)
            .await?;
    }
    Ok(counted)
}
