//! A stretch of the lab's clock in one store: customers at work, deletions and heartbeats, in order of time.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;

use crate::clock::{MINUTE, Millis, rfc3339};
use crate::life;
use crate::log::{self, Change, Entry, Kind};
use crate::population::Site;
use crate::random::Random;
use crate::schema::{SHARD, Schema};
use crate::sql::{self, StoreError};
use crate::value::Value;

/// What happens to one store in a stretch of time.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) schema: &'static Schema,
    pub(crate) from: Millis,
    pub(crate) to: Millis,
    /// The sites that live in this store.
    pub(crate) sites: Vec<&'a Site>,
    /// The sites that the script deletes here, each with its instant.
    pub(crate) deletions: Vec<(&'a Site, Millis)>,
    /// How many business transactions fall in the stretch.
    pub(crate) transactions: usize,
}

enum What<'a> {
    Heartbeat,
    Deletion(&'a Site),
    Life(&'a Site),
}

/// Plays the stretch in one SQLite transaction; gives the number of business transactions that took place.
pub(crate) async fn play(
    conn: &mut SqliteConnection,
    path: &Path,
    stretch: &Stretch<'_>,
    random: &mut Random,
) -> Result<usize, StoreError> {
    let fail = StoreError::sql;
    sql::script(conn, "BEGIN IMMEDIATE".to_owned()).await.map_err(fail(path))?;
    let done = run(conn, stretch, random).await.map_err(fail(path))?;
    sql::script(conn, "COMMIT".to_owned()).await.map_err(fail(path))?;
    Ok(done)
}

async fn run(conn: &mut SqliteConnection, stretch: &Stretch<'_>, random: &mut Random) -> Result<usize, sqlx::Error> {
    let mut events: Vec<(Millis, What<'_>)> = Vec::new();
    let minutes = (stretch.to - stretch.from) / MINUTE;
    events.extend((1..=minutes).map(|m| (stretch.from + m * MINUTE, What::Heartbeat)));
    let gone = |site: &Site, at: Millis| stretch.deletions.iter().any(|(s, deleted)| s.id == site.id && at >= *deleted);
    if !stretch.sites.is_empty() {
        for _ in 0..stretch.transactions {
            let at = stretch.from + random.below((stretch.to - stretch.from) as u64) as i64;
            let site = stretch.sites[random.index(stretch.sites.len())];
            // A second of distance: nobody works on a site while it is being deleted.
            if !gone(site, at + 1_000) {
                events.push((at, What::Life(site)));
            }
        }
    }
    events.extend(stretch.deletions.iter().map(|(site, at)| (*at, What::Deletion(site))));
    events.sort_by_key(|(at, _)| *at);

    let (mut seq, mut newest) = log::tail(conn).await?;
    let mut transactions = 0;
    for (at, what) in events {
        let at = at.max(newest);
        let (site, kind, changes) = match what {
            What::Heartbeat => (None, Kind::Heartbeat, Vec::new()),
            What::Deletion(site) => (Some(site), Kind::Deletion, delete(conn, stretch.schema, site, at).await?),
            What::Life(site) => {
                let changes = if stretch.schema.name == SHARD.name {
                    life::on_shard(conn, site, random, at).await?
                } else {
                    life::on_service(conn, stretch.schema, site, random, at).await?
                };
                if changes.is_empty() {
                    continue;
                }
                transactions += 1;
                (Some(site), Kind::Life, changes)
            }
        };
        seq += 1;
        newest = at;
        let site = site.map(|s| s.id.clone());
        let entry = Entry { seq, at, site, kind, changes: log::encode(stretch.schema, &changes) };
        log::record(conn, &entry).await?;
    }
    Ok(transactions)
}

/// The script's deletion: the catalogue marks, the edge closes, every other store loses the rows.
async fn delete(
    conn: &mut SqliteConnection,
    schema: &'static Schema,
    site: &Site,
    at: Millis,
) -> Result<Vec<Change>, sqlx::Error> {
    let id = [Value::from(site.id.as_str())];
    match schema.name {
        "catalogue" => {
            let mut changes = Vec::new();
            for (position, table) in schema.tables.iter().enumerate() {
                for mut row in sql::rows(conn, &format!("{} WHERE site_id = ?", table.select()), &id).await? {
                    if let Some(state) = table.column("state") {
                        row[state] = "deleted".into();
                    }
                    if let Some(deleted_at) = table.column("deleted_at") {
                        row[deleted_at] = rfc3339(at).into();
                    }
                    sql::put(conn, table, &row).await?;
                    changes.push(Change::Put { table: position, row });
                }
            }
            Ok(changes)
        }
        _ => {
            let deleted = sql::delete_site(conn, schema, &site.id).await?;
            Ok(deleted.into_iter().map(|(table, key)| Change::Delete { table, key }).collect())
        }
    }
}
