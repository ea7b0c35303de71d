//! Pools that runs share. A call that changes nothing that others see is a read; the rest goes through the writer.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Grant, JournalError, Lease, Party, SharedPools, Want};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::SqliteJournal;
use super::lease;
use super::trouble::Failure;
use super::work::Work;
use crate::shares::{Asker, Share, Weighed, weigh};

async fn weighed<'a>(
    connection: &mut SqliteConnection,
    lease: &Lease,
    estate: &str,
    wants: &'a [Want],
    now: Millis,
) -> Result<Weighed<'a>, Failure> {
    let (run, expires_at) = lease::is_newest(connection, lease).await?;
    let keys: Vec<(&str, &str)> = wants.iter().map(|want| (want.pool.as_str(), want.key.as_str())).collect();
    let found = sqlx::query(
        "SELECT j.key AS place, s.run, s.slots, s.held, s.want, s.unit FROM json_each($2) j CROSS JOIN shares s \
         ON s.estate = $1 AND s.pool = j.value ->> 0 AND s.key = j.value ->> 1 JOIN leases l ON l.run = s.run \
         WHERE s.run = $3 OR l.expires_at > $4 ORDER BY j.key, s.run",
    )
    .bind(estate)
    .bind(Json(keys))
    .bind(run)
    .bind(now)
    .fetch_all(connection)
    .await?;
    let shares: Vec<Share> = found.iter().map(|row| Share::of(row, 0)).collect::<Result<_, _>>()?;
    Ok(weigh(&Asker { run, expires_at, now }, &shares, wants))
}

pub(super) async fn share(
    connection: &mut SqliteConnection,
    lease: &Lease,
    estate: &str,
    wants: &[Want],
    now: Millis,
) -> Result<Vec<Grant>, Failure> {
    let Weighed { run, grants, rows } = weighed(connection, lease, estate, wants, now).await?;
    let nothing = rows.iter().any(|(_, party)| party.held == 0 && party.want == 0);
    if !rows.is_empty() {
        let row = |(want, party): &(&Want, Party)| {
            json!([want.pool, want.key, party.limit, party.held, party.want, party.unit])
        };
        let said: Vec<Value> = rows.iter().map(row).collect();
        sqlx::query(
            "INSERT INTO shares (estate, pool, key, run, slots, held, want, unit) \
             SELECT $1, value ->> 0, value ->> 1, $3, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($2) \
             WHERE true ON CONFLICT (estate, pool, key, run) \
             DO UPDATE SET slots = excluded.slots, held = excluded.held, want = excluded.want, \
             unit = excluded.unit",
        )
        .bind(estate)
        .bind(Json(said))
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
                let answer = weighed(connection, lease, estate, wants, now).await;
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
