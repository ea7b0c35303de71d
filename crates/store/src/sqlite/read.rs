//! Reading runs, plans and groups, and finding out what is not as it was written.

use runtime::engine::Millis;
use runtime::{JournalError, RunHead, RunSummary, StoredGroup};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::format::GROUP_BITS;
use super::process::Born;
use super::trouble::Failure;
use crate::rows::{self, integer};

pub(super) async fn plan(connection: &mut SqliteConnection, run: &str) -> Result<(RunHead, Vec<u8>), Failure> {
    let row = sqlx::query("SELECT id, name, plan_hash, created_at, plan_size, checksum FROM runs WHERE name = $1")
        .bind(run)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
    let id: i64 = row.try_get("id")?;
    let parts: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM plans WHERE id >= $1 << 20 AND id < ($1 + 1) << 20 ORDER BY id")
            .bind(id)
            .fetch_all(connection)
            .await?;
    rows::plan(&row, parts.concat())
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    run: &str,
    from: u64,
    limit: u32,
    knows_length: bool,
) -> Result<Vec<StoredGroup>, Failure> {
    // Before the groups are read: those that come meanwhile are more.
    let (id, had): (i64, i64) = sqlx::query_as(if knows_length {
        "SELECT id, ifnull((SELECT groups FROM left_with WHERE run = id), 0) FROM runs WHERE name = $1"
    } else {
        "SELECT id, 0 FROM runs WHERE name = $1"
    })
    .bind(run)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
    if from >= 1 << GROUP_BITS {
        return Ok(Vec::new());
    }
    let found = sqlx::query(
        "SELECT id & 0xffffffffff AS seq, epoch, checksum, bytes FROM groups \
         WHERE id >= ($1 << 40 | $2) AND id < ($1 + 1) << 40 ORDER BY id LIMIT $3",
    )
    .bind(id)
    .bind(integer(from))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows::reaches(run, (from, found.len(), limit), had.unsigned_abs(), " when it was last left")?;
    found.iter().zip(from..).map(|(row, seq)| rows::group(row, run, seq)).collect()
}

/// Reads summaries of runs; the rest of the statement says of which, in what order.
macro_rules! summaries {
    ($rest:literal) => {
        concat!(
            "SELECT r.name, r.plan_hash, r.created_at, ",
            "ifnull((SELECT 1 + (g.id & 0xffffffffff) FROM groups g WHERE g.id >= r.id << 40 AND g.id < (r.id + 1) << 40 ",
            "ORDER BY g.id DESC LIMIT 1), 0) AS groups, l.holder, l.pid, l.born, ifnull(l.expires_at > $1, 0) AS live ",
            "FROM runs r LEFT JOIN leases l ON l.run = r.id ",
            $rest
        )
    };
}

pub(super) async fn list(connection: &mut SqliteConnection, now: Millis) -> Result<Vec<RunSummary>, Failure> {
    let listed = summaries!("ORDER BY r.created_at DESC, r.id DESC");
    sqlx::query(listed).bind(now).fetch_all(connection).await?.iter().map(summary).collect()
}

/// Runs whose lease was not given back and is over.
pub(super) async fn abandoned(connection: &mut SqliteConnection, now: Millis) -> Result<Vec<RunSummary>, Failure> {
    let left = summaries!("WHERE l.expires_at > $2 AND l.goes_on ORDER BY r.created_at, r.id");
    let rows = sqlx::query(left).bind(now).bind(rows::RELEASED).fetch_all(connection).await?;
    let summaries = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    Ok(summaries.into_iter().filter(|summary| summary.held_by.is_none()).collect())
}

fn summary(row: &SqliteRow) -> Result<RunSummary, Failure> {
    let groups: i64 = row.try_get("groups")?;
    Ok(RunSummary { head: rows::head(row)?, groups: groups.unsigned_abs(), held_by: held_by(row)? })
}

/// Who holds the lease of a row; nobody if it has expired, or is of a process of this host that is gone.
fn held_by(row: &SqliteRow) -> Result<Option<String>, sqlx::Error> {
    if !row.try_get::<bool, _>("live")? {
        return Ok(None);
    }
    let pid = row.try_get::<Option<i64>, _>("pid")?.and_then(|pid| u32::try_from(pid).ok());
    let born: Option<String> = row.try_get("born")?;
    let gone = pid.zip(born.as_deref().and_then(Born::parse)).is_some_and(|(pid, born)| born.died_here(pid));
    Ok(row.try_get::<Option<String>, _>("holder")?.filter(|_| !gone))
}
