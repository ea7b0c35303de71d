//! Leases: who may drive a run, by compare-and-set with an epoch.

use runtime::engine::Millis;
use runtime::{Holder, JournalError, Lease};
use sqlx::{Row, SqliteConnection};

use super::pools;
use super::process::Born;
use super::trouble::Failure;
use crate::rows::{self, integer};

/// Takes the lease if nobody living holds it; gives the new epoch, and whether the last one was not given back.
///
/// A holder on the same host whose process surely ended is not waited for. A stopped process is alive: its lease runs
/// out, and when it wakes up its epoch is stale.
pub(super) async fn acquire(
    connection: &mut SqliteConnection,
    run: &str,
    holder: &Holder,
    now: Millis,
    (ttl_ms, drives): (u64, bool),
) -> Result<(u64, bool), Failure> {
    let row = sqlx::query(
        "SELECT r.id, l.epoch, l.holder, l.host, l.pid, l.born, l.expires_at, l.goes_on \
         FROM runs r LEFT JOIN leases l ON l.run = r.id WHERE r.name = $1",
    )
    .bind(run)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
    let id: i64 = row.try_get("id")?;
    let (mut epoch, mut was_left) = (1, false);
    if let Some(last) = row.try_get::<Option<i64>, _>("epoch")? {
        let expires_at: Millis = row.try_get("expires_at")?;
        if now < expires_at && !ended(&row, &holder.host)? {
            return Err(JournalError::Held { run: run.to_owned(), holder: row.try_get("holder")? }.into());
        }
        (epoch, was_left) = (last + 1, expires_at > rows::RELEASED && row.try_get("goes_on")?);
    }
    sqlx::query(
        "INSERT INTO leases (run, epoch, holder, host, pid, born, expires_at, goes_on) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (run) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder, host = excluded.host, \
         pid = excluded.pid, born = excluded.born, expires_at = excluded.expires_at, goes_on = excluded.goes_on",
    )
    .bind(id)
    .bind(epoch)
    .bind(&holder.name)
    .bind(&holder.host)
    .bind(i64::from(holder.pid))
    .bind(Born::of(holder.pid).map(|born| born.to_string()))
    .bind(expiry(now, ttl_ms))
    .bind(drives || was_left)
    .execute(&mut *connection)
    .await?;
    pools::drop_all(connection, id).await?;
    Ok((epoch.unsigned_abs(), was_left))
}

/// Returns whether the holder of a row ran on this host and surely ended.
fn ended(row: &sqlx::sqlite::SqliteRow, this_host: &str) -> Result<bool, sqlx::Error> {
    let host: String = row.try_get("host")?;
    let pid: i64 = row.try_get("pid")?;
    let born: Option<String> = row.try_get("born")?;
    let (Ok(pid), Some(born)) = (u32::try_from(pid), born.as_deref().and_then(Born::parse)) else {
        return Ok(false);
    };
    Ok(host == this_host && born.surely_dead(pid))
}

pub(super) async fn renew(
    connection: &mut SqliteConnection,
    lease: &Lease,
    now: Millis,
    ttl_ms: u64,
) -> Result<u64, Failure> {
    // A lease that was given back stays so.
    let extend = "UPDATE leases SET expires_at = $3 \
                  WHERE run = (SELECT id FROM runs WHERE name = $1) AND epoch = $2 AND expires_at > $4";
    if !set(connection, lease, extend, expiry(now, ttl_ms)).await? {
        is_newest(connection, lease).await?;
        return Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch }.into());
    }
    Ok(0)
}

/// Ends a lease: [`RELEASED`](crate::rows::RELEASED), or left to whoever stands by.
pub(super) async fn release(connection: &mut SqliteConnection, lease: &Lease, at: Millis) -> Result<u64, Failure> {
    let end = "UPDATE leases SET expires_at = $3, goes_on = goes_on OR $3 = $4 \
               WHERE run = (SELECT id FROM runs WHERE name = $1) AND epoch = $2";
    if set(connection, lease, end, at).await? {
        let run = run_id(connection, &lease.run).await?;
        pools::drop_all(connection, run).await?;
        note_length(connection, run).await?;
    }
    Ok(0)
}

/// Notes of a run that came whole from another store that nobody drives it, and how long it is.
pub(super) async fn left(connection: &mut SqliteConnection, run: i64, epoch: u64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO leases (run, epoch, holder, host, pid, expires_at) VALUES ($1, $2, '', '', 0, $3)")
        .bind(run)
        .bind(integer(epoch))
        .bind(rows::RELEASED)
        .execute(&mut *connection)
        .await?;
    note_length(connection, run).await
}

/// Notes how many groups a run has, so that the last ones cannot go unseen.
async fn note_length(connection: &mut SqliteConnection, run: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO left_with (run, groups) SELECT $1, ifnull(\
             (SELECT 1 + (id & 0xffffffffff) FROM groups WHERE id >= $1 << 40 AND id < ($1 + 1) << 40 \
              ORDER BY id DESC LIMIT 1), 0) \
         ON CONFLICT (run) DO UPDATE SET groups = max(groups, excluded.groups)",
    )
    .bind(run)
    .execute(connection)
    .await
    .map(drop)
}

/// Returns the ID of a run.
pub(super) async fn run_id(connection: &mut SqliteConnection, run: &str) -> Result<i64, Failure> {
    let id = sqlx::query_scalar("SELECT id FROM runs WHERE name = $1").bind(run).fetch_optional(connection).await?;
    Ok(id.ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?)
}

/// Sets something of a lease, if it is the newest and as the statement wants it; `false` if not.
async fn set(
    connection: &mut SqliteConnection,
    lease: &Lease,
    statement: &'static str,
    at: Millis,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(statement)
        .bind(&lease.run)
        .bind(integer(lease.epoch))
        .bind(at)
        .bind(rows::HANDED_ON)
        .execute(connection)
        .await?;
    Ok(updated.rows_affected() == 1)
}

/// Refuses unless the run exists and the lease has its newest epoch; gives the ID of the run and when the lease expires.
pub(super) async fn is_newest(connection: &mut SqliteConnection, lease: &Lease) -> Result<(i64, Millis), Failure> {
    let newest: Option<(i64, i64, Millis)> = sqlx::query_as(
        "SELECT r.id, ifnull(l.epoch, 0), ifnull(l.expires_at, 0) \
         FROM runs r LEFT JOIN leases l ON l.run = r.id WHERE r.name = $1",
    )
    .bind(&lease.run)
    .fetch_optional(connection)
    .await?;
    rows::is_newest(lease, newest.map(|(_, epoch, _)| epoch))?;
    newest.map(|(id, _, expires_at)| (id, expires_at)).ok_or_else(|| sqlx::Error::RowNotFound.into())
}

pub(super) fn expiry(now: Millis, ttl_ms: u64) -> Millis {
    now.saturating_add(integer(ttl_ms))
}
