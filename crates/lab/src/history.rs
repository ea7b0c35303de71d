//! A stretch of the lab's clock in one store: customers at work, deletions and heartbeats, in order of time.

use std::path::Path;
use std::time::Duration;

use crate::clock::{self, MINUTE, Millis, SECOND, rfc3339};
use crate::life;
use crate::log::{self, Change, Entry, Kind};
use crate::population::Site;
use crate::random::Random;
use crate::schema::{SHARD, Schema};
use crate::sql::{self, Session, StoreError};
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

impl What<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::Heartbeat => Kind::Heartbeat,
            Self::Deletion(_) => Kind::Deletion,
            Self::Life(_) => Kind::Life,
        }
    }

    fn site(&self) -> Option<&str> {
        match self {
            Self::Heartbeat => None,
            Self::Deletion(site) | Self::Life(site) => Some(&site.id),
        }
    }
}

impl Stretch<'_> {
    /// What happens and when, in order of time.
    fn events(&self, random: &mut Random) -> Vec<(Millis, What<'_>)> {
        let mut events: Vec<(Millis, What<'_>)> = Vec::new();
        let minutes = (self.to - self.from) / MINUTE;
        events.extend((1..=minutes).map(|m| (self.from + m * MINUTE, What::Heartbeat)));
        let gone =
            |site: &Site, at: Millis| self.deletions.iter().any(|(s, deleted)| s.id == site.id && at >= *deleted);
        if !self.sites.is_empty() {
            for _ in 0..self.transactions {
                let at = self.from + random.below((self.to - self.from) as u64) as i64;
                let site = self.sites[random.index(self.sites.len())];
                // A second of distance: nobody works on a site while it is being deleted.
                if !gone(site, at + 1_000) {
                    events.push((at, What::Life(site)));
                }
            }
        }
        events.extend(self.deletions.iter().map(|(site, at)| (*at, What::Deletion(site))));
        events.sort_by_key(|(at, _)| *at);
        events
    }

    /// Lets one thing happen; `None` if there was nothing to change. The caller holds the transaction.
    async fn happen(
        &self,
        session: &mut Session,
        what: &What<'_>,
        random: &mut Random,
        at: Millis,
    ) -> Result<Option<String>, sqlx::Error> {
        let changes = match what {
            What::Heartbeat => Vec::new(),
            What::Deletion(site) => delete(session, self.schema, site, at).await?,
            What::Life(site) => {
                let changes = if self.schema.name == SHARD.name {
                    life::on_shard(session, self.schema, site, random, at).await?
                } else {
                    life::on_service(session, self.schema, site, random, at).await?
                };
                if changes.is_empty() {
                    return Ok(None);
                }
                changes
            }
        };
        Ok(Some(log::encode(self.schema, &changes)))
    }
}

/// Plays the stretch in one SQLite transaction; gives the number of business transactions that took place.
pub(crate) async fn play(
    conn: &mut Session,
    path: &Path,
    stretch: &Stretch<'_>,
    random: &mut Random,
) -> Result<usize, StoreError> {
    let fail = StoreError::sql;
    sql::begin(conn).await.map_err(fail(path))?;
    let done = run(conn, stretch, random).await.map_err(fail(path))?;
    sql::script(conn, "COMMIT".to_owned()).await.map_err(fail(path))?;
    Ok(done)
}

async fn run(conn: &mut Session, stretch: &Stretch<'_>, random: &mut Random) -> Result<usize, sqlx::Error> {
    let (mut seq, mut newest) = log::tail(conn).await?;
    let mut transactions = 0;
    for (at, what) in stretch.events(random) {
        let at = at.max(newest);
        let Some(changes) = stretch.happen(conn, &what, random, at).await? else {
            continue;
        };
        transactions += usize::from(what.kind() == Kind::Life);
        seq += 1;
        newest = at;
        log::record(conn, &Entry { seq, at, site: what.site().map(str::to_owned), kind: what.kind(), changes }).await?;
    }
    Ok(transactions)
}

/// How a stretch that is played in real time went.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Business transactions that took place.
    pub(crate) transactions: usize,
    /// Each deleted site with the real instant at which its deletion began.
    pub(crate) deleted: Vec<(String, Millis)>,
}

/// Plays the stretch on a server, a transaction for each thing that happens, and real instants for all of them.
///
/// With `begin` a minute of the stretch takes a second from there on; without it everything follows at once.
pub(crate) async fn perform(
    session: &mut Session,
    place: &Path,
    stretch: &Stretch<'_>,
    random: &mut Random,
    begin: Option<tokio::time::Instant>,
) -> Result<Played, StoreError> {
    let mut played = Played::default();
    // Nobody was promised anything yet, and servers are stopped in order: what counts is the order of the commits.
    let relaxed = sql::script(session, "SET synchronous_commit = off".to_owned());
    relaxed.await.map_err(StoreError::sql(place))?;
    for (due, what) in stretch.events(random) {
        if let Some(begin) = begin {
            let real = u64::try_from((due - stretch.from) * SECOND / MINUTE).unwrap_or_default();
            tokio::time::sleep_until(begin + Duration::from_millis(real)).await;
        }
        let at = clock::now();
        if let What::Deletion(site) = &what {
            played.deleted.push((site.id.clone(), at));
        }
        let done = transaction(session, stretch, &what, random, at).await.map_err(StoreError::sql(place))?;
        played.transactions += usize::from(done && what.kind() == Kind::Life);
    }
    Ok(played)
}

async fn transaction(
    session: &mut Session,
    stretch: &Stretch<'_>,
    what: &What<'_>,
    random: &mut Random,
    at: Millis,
) -> Result<bool, sqlx::Error> {
    sql::begin(session).await?;
    let changes = stretch.happen(session, what, random, at).await?;
    if let Some(changes) = &changes {
        log::append(session, what.site(), what.kind(), changes).await?;
    }
    sql::script(session, "COMMIT".to_owned()).await?;
    Ok(changes.is_some())
}

/// The script's deletion: the catalogue marks, the edge closes, every other store loses the rows.
async fn delete(
    conn: &mut Session,
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
