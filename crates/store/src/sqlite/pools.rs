//! Pools that runs share. A call that changes nothing that others see is a read; the rest goes through the writer.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Grant, JournalError, Lease, Party, SharedPools, Want, fair_grant};
use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::SqliteJournal;
use super::lease;
use super::trouble::Failure;
use super::work::Work;

/// What a call comes to.
struct Weighed {
    run: i64,
    grants: Vec<Grant>,
    /// For each pool that changes: pool, key, limit, held, wanted, unit.
    rows: Vec<(String, String, u32, u32, u32, u32)>,
}

/// A row: place of the pool in the call, run, limit, held, wanted, unit.
type Share = (i64, i64, i64, i64, i64, i64);

async fn weigh(
    connection: &mut SqliteConnection,
    lease: &Lease,
    estate: &str,
    wants: &[Want],
    now: Millis,
) -> Result<Weighed, Failure> {
    let (run, expires_at) = lease::is_newest(connection, lease).await?;
    let mut weighed = Weighed { run, grants: Vec::with_capacity(wants.len()), rows: Vec::new() };
    if expires_at <= now {
        weighed.grants.resize(wants.len(), Grant { slots: 0, participants: 1 });
        return Ok(weighed);
    }
    let keys: Vec<(&str, &str)> = wants.iter().map(|want| (want.pool.as_str(), want.key.as_str())).collect();
    let shares: Vec<Share> = sqlx::query_as(
        "SELECT j.key, s.run, s.slots, s.held, s.want, s.unit FROM json_each($2) j CROSS JOIN shares s \
         ON s.estate = $1 AND s.pool = j.value ->> 0 AND s.key = j.value ->> 1 JOIN leases l ON l.run = s.run \
         WHERE s.run = $3 OR l.expires_at > $4 ORDER BY j.key, s.run",
    )
    .bind(estate)
    .bind(Json(keys))
    .bind(run)
    .bind(now)
    .fetch_all(connection)
    .await?;
    let mut pools = shares.chunk_by(|one, next| one.0 == next.0).peekable();
    for (want, place) in wants.iter().zip(0_i64..) {
        let pool = pools.next_if(|shares| shares.first().is_some_and(|share| share.0 == place)).unwrap_or_default();
        let before = pool.iter().find(|share| share.1 == run).map(party);
        let mut asks =
            Party { limit: want.limit, held: want.used, want: want.want.min(want.limit.max(1)), unit: want.unit };
        let (older, younger): (Vec<&Share>, Vec<&Share>) =
            pool.iter().filter(|share| share.1 != run).partition(|share| share.1 < run);
        let parties: Vec<Party> =
            older.iter().copied().map(party).chain([asks]).chain(younger.into_iter().map(party)).collect();
        let grant = fair_grant(&parties, older.len(), now);
        weighed.grants.push(grant);
        asks.held = want.used.max(grant.slots);
        let nothing = asks.held == 0 && asks.want == 0;
        if before != Some(asks).filter(|_| !nothing) {
            weighed.rows.push((want.pool.clone(), want.key.clone(), asks.limit, asks.held, asks.want, asks.unit));
        }
    }
    Ok(weighed)
}

fn party(share: &Share) -> Party {
    // What does not fit was not written by us; the largest number grants the least.
    let number = |stored: i64| u32::try_from(stored).unwrap_or(u32::MAX);
    Party { limit: number(share.2), held: number(share.3), want: number(share.4), unit: number(share.5) }
}

pub(super) async fn share(
    connection: &mut SqliteConnection,
    lease: &Lease,
    estate: &str,
    wants: &[Want],
    now: Millis,
) -> Result<Vec<Grant>, Failure> {
    let Weighed { run, grants, rows } = weigh(connection, lease, estate, wants, now).await?;
    let nothing = rows.iter().any(|row| row.3 == 0 && row.4 == 0);
    if !rows.is_empty() {
        sqlx::query(
            "INSERT INTO shares (estate, pool, key, run, slots, held, want, unit) \
             SELECT $1, value ->> 0, value ->> 1, $3, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($2) \
             WHERE true ON CONFLICT (estate, pool, key, run) \
             DO UPDATE SET slots = excluded.slots, held = excluded.held, want = excluded.want, \
             unit = excluded.unit",
        )
        .bind(estate)
        .bind(Json(rows))
        .bind(run)
        .execute(&mut *connection)
        .await?;
    }
    if nothing {
        sqlx::query("DELETE FROM shares WHERE estate = $1 AND run = $2 AND held = 0 AND want = 0")
            .bind(estate)
            .bind(run)
            .execute(connection)
            .await?;
    }
    Ok(grants)
}

pub(super) async fn leave(connection: &mut SqliteConnection, lease: &Lease) -> Result<u64, Failure> {
    match lease::is_newest(connection, lease).await {
        Ok((run, _)) => drop_all(connection, run).await?,
        // A newer driver holds the run's shares, or there is no such run.
        Err(Failure::Refused(_)) => {}
        Err(sql) => return Err(sql),
    }
    Ok(0)
}

/// Forgets all that a run holds.
pub(super) async fn drop_all(connection: &mut SqliteConnection, run: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM shares WHERE run = $1").bind(run).execute(connection).await?;
    Ok(())
}

#[async_trait]
impl SharedPools for SqliteJournal {
    async fn share(&self, lease: &Lease, estate: &str, wants: &[Want]) -> Result<Vec<Grant>, JournalError> {
        let now = (self.now)();
        {
            let mut reader = self.reader.lock().await;
            if let Some(connection) = reader.get_shared(&self.path, self.lock_wait).await? {
                let answer = weigh(connection, lease, estate, wants, now).await;
                let weighed = self.judge(&mut reader, answer)?;
                if weighed.rows.is_empty() {
                    return Ok(weighed.grants);
                }
            }
        }
        let work = Work::Share { lease: lease.clone(), estate: estate.to_owned(), wants: wants.to_vec() };
        self.change(work).await.map(|done| done.grants)
    }

    async fn leave(&self, lease: &Lease) -> Result<(), JournalError> {
        self.change(Work::Leave { lease: lease.clone() }).await.map(drop)
    }
}
