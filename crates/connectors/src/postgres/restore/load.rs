//! One tenant into the live database, in one transaction with its ledger row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::back;
use super::differing::{Differing, Shared};
use super::error::{RestoreError, failed};
use super::large_objects;
use super::ledger::{Chunks, Detail, Entry};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::references;
use super::remap::Remapped;
use super::send::{self, Loaded};
use super::session::{Live, run};
use super::source::Extract;
use super::statements::{Before, NewEntry, Opening, Statements, Writes};
use super::tally::{TableTally, Tally};

/// Where a tenant's rows come from.
pub(crate) enum Supply {
    /// From memory.
    Held(Box<Extract>),
    /// From the backup, table by table.
    Stream,
}

/// What happened to a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows of the tenant in the backup.
    pub rows: u64,
    /// Rows that were inserted.
    pub inserted: u64,
    /// Rows that were there and equal.
    pub already: u64,
    /// Rows that were there, differed, and were replaced.
    pub replaced: u64,
    /// Rows that were there, differ, and were kept.
    pub kept: u64,
    /// Rows and hash of each table that has some.
    pub tables: BTreeMap<String, TableTally>,
    /// Rows of shared tables that were gone and were made again, by table.
    pub shared: BTreeMap<String, u64>,
    /// What new IDs the tenant got; none if it is under its old ones.
    pub remapped: Option<Box<Remapped>>,
    /// Rows of shared tables that rows of the tenant refer to and that differ from the backup's; they stay as they are.
    pub shared_differs: Differing,
    /// Transactions before the last, if it was too large for one; their rows are counted above.
    pub chunks: Option<Chunks>,
    /// Whether an earlier attempt had done it.
    pub before: bool,
    /// Time in which the rows were read back and compared.
    pub verifying: Duration,
}

impl Restored {
    /// All rows of a tenant were inserted.
    pub(super) fn whole(pair: &Pair, tallies: &[Tally]) -> Self {
        let rows = tallies.iter().map(|tally| tally.rows).sum();
        Self { rows, inserted: rows, tables: back::named(pair, tallies), ..Self::default() }
    }
}

impl From<Entry> for Restored {
    fn from(entry: Entry) -> Self {
        let chunks = entry.detail.chunks;
        let mut all = chunks.clone().unwrap_or_default();
        all.add(entry.inserted, &entry.detail.shared);
        Self {
            rows: entry.rows,
            inserted: all.inserted,
            already: entry.detail.already,
            replaced: entry.updated,
            kept: entry.detail.kept,
            tables: entry.detail.tables,
            shared: all.shared,
            remapped: entry.detail.remapped,
            shared_differs: entry.detail.shared_differs,
            chunks,
            before: true,
            verifying: Duration::ZERO,
        }
    }
}

/// Under which key and name a tenant is restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket<'a> {
    /// Key of the unit; all transactions under it can be waited for together.
    pub(crate) unit: &'a str,
    /// Key of the tenant's restore.
    pub(crate) key: &'a str,
    pub(crate) token: i64,
    pub(crate) run: &'a str,
    pub(crate) tenant: &'a str,
    /// What the job knows of shared rows.
    pub(crate) shared: &'a Shared,
}

/// What came of a try.
pub(crate) enum Came {
    /// It is committed, or was before.
    Restored(Restored),
    /// Nothing was written: live rows are in the way, and have to be looked at one by one.
    Occupied,
}

/// Restores a tenant that has no row in the live database.
///
/// Either everything is committed and verified, or nothing was changed.
///
/// # Cancel safety
/// The connections are of no more use; the transaction is rolled back by the server, unless COMMIT was on its way.
pub(crate) async fn fast(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    supply: Supply,
    pace: &Pace,
) -> Result<Came, RestoreError> {
    begin(&mut live.connection).await?;
    match attempt(live, origin, pair, statements, ticket, supply, pace).await {
        Ok(Came::Restored(restored)) => {
            if restored.before {
                rollback(&mut live.connection).await?;
            } else {
                commit(&mut live.connection).await?;
            }
            Ok(Came::Restored(restored))
        }
        Ok(Came::Occupied) => {
            rollback(&mut live.connection).await?;
            Ok(Came::Occupied)
        }
        Err(error) => {
            // A row with a value that must be there once is there: which ones, and whose, is found out with care.
            let taken = matches!(&error, RestoreError::Database { state: Some(state), .. } if state == "23505" || state == "23P01");
            rollback(&mut live.connection).await?;
            if taken { Ok(Came::Occupied) } else { Err(error) }
        }
    }
}

async fn attempt(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    supply: Supply,
    pace: &Pace,
) -> Result<Came, RestoreError> {
    let opening = open(live, statements, ticket).await?;
    let before = match opening {
        Opened::Before(restored) => return Ok(Came::Restored(restored)),
        Opened::New { present, .. } if present.iter().any(|there| *there) => return Ok(Came::Occupied),
        Opened::New { before, .. } => before,
    };
    let loaded = match supply {
        Supply::Held(extract) => {
            send::held(&mut live.connection, pair, statements, &[&extract], pace).await?;
            Loaded { tallies: extract.tallies(), left: extract.ties.left(&pair.sheets) }
        }
        Supply::Stream => send::streamed(&mut live.connection, origin, pair, ticket.tenant, pace).await?,
    };
    let settled = references::settle(&mut live.connection, origin, pair, ticket, loaded.left).await?;
    if pair.has_large_objects() {
        large_objects::restore(&mut live.connection, origin, pair, ticket.tenant).await?;
    }
    let rows: u64 = loaded.tallies.iter().map(|tally| tally.rows).sum();
    let begun = Instant::now();
    let back = back::read_back(&mut live.connection, pair, statements, ticket.tenant, rows).await?;
    back::compare(pair, ticket.tenant, &loaded.tallies, &back)?;
    let restored = Restored {
        shared: settled.made,
        shared_differs: settled.differs,
        verifying: begun.elapsed(),
        ..Restored::whole(pair, &loaded.tallies)
    };
    close(live, pair, statements, ticket, &restored, &before).await?;
    Ok(Came::Restored(restored))
}

/// How a restore begins.
pub(crate) enum Opened {
    /// It is done.
    Before(Restored),
    /// It is new; what the counters stand at, and for each table whether it has rows of the tenant.
    New { before: Before, present: Vec<bool> },
}

/// Looks whether the key is known, and holds it until the transaction ends.
pub(crate) async fn open(live: &mut Live, statements: &Statements, ticket: Ticket<'_>) -> Result<Opened, RestoreError> {
    let mut opening = statements.open(&mut live.connection, &[ticket]).await?;
    if !opening.iter().all(|opening| opening.alone) {
        // Another attempt under this key is on its way; what it leaves is seen only by a statement that begins later.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(ticket.key)
            .execute(&mut live.connection)
            .await
            .map_err(failed("wait for another attempt"))?;
        opening = statements.open(&mut live.connection, &[ticket]).await?;
    }
    opening.pop().ok_or(RestoreError::Stream("the server did not answer for each tenant"))?.judged(ticket)
}

impl Opening {
    /// What is to be done under the key.
    pub(super) fn judged(self, ticket: Ticket<'_>) -> Result<Opened, RestoreError> {
        match self.entry {
            Some(entry) => match &entry.undone_by {
                Some(by) => Err(RestoreError::Undone(by.clone())),
                None if entry.token > ticket.token => {
                    Err(RestoreError::Stale { token: ticket.token, seen: entry.token })
                }
                None => Ok(Opened::Before(entry.into())),
            },
            None => Ok(Opened::New { before: self.before, present: self.present }),
        }
    }
}

/// Writes the ledger's row, and checks by the server's counters that nothing else was written.
pub(crate) async fn close(
    live: &mut Live,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    restored: &Restored,
    before: &Before,
) -> Result<(), RestoreError> {
    seal(live, pair, statements, &[(ticket, Deed::of(restored))], before).await
}

/// What a transaction has done for a tenant, as the ledger keeps it.
pub(crate) struct Deed {
    pub(crate) rows: u64,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) detail: Detail,
}

impl Deed {
    pub(super) fn of(restored: &Restored) -> Self {
        // What earlier transactions have written is in rows of their own.
        let earlier = restored.chunks.clone().unwrap_or_default();
        let mut shared = restored.shared.clone();
        for (table, rows) in &mut shared {
            *rows -= earlier.shared.get(table).copied().unwrap_or(0).min(*rows);
        }
        shared.retain(|_, rows| *rows > 0);
        let detail = Detail {
            tables: restored.tables.clone(),
            already: restored.already,
            kept: restored.kept,
            shared,
            remapped: restored.remapped.clone(),
            shared_differs: restored.shared_differs.clone(),
            chunks: restored.chunks.clone(),
            ..Detail::default()
        };
        let inserted = restored.inserted.saturating_sub(earlier.inserted);
        Self { rows: restored.rows, inserted, updated: restored.replaced, detail }
    }
}

/// As [`close`], for all that a transaction has done: a part of a tenant, or several tenants.
pub(crate) async fn seal(
    live: &mut Live,
    pair: &Pair,
    statements: &Statements,
    deeds: &[(Ticket<'_>, Deed)],
    before: &Before,
) -> Result<(), RestoreError> {
    let (mut inserted, mut updated) = (0, 0);
    let mut entries = Vec::with_capacity(deeds.len());
    for (ticket, deed) in deeds {
        inserted += deed.inserted + deed.detail.shared.values().sum::<u64>();
        updated += deed.updated;
        let detail = Detail { noisy: pair.noisy || !live.quiet, ..deed.detail.clone() };
        entries.push(NewEntry {
            key: ticket.key,
            token: ticket.token,
            run: ticket.run,
            tenant: ticket.tenant,
            rows: deed.rows,
            inserted: deed.inserted,
            updated: deed.updated,
            begun_lsn: &before.lsn,
            detail: serde_json::to_string(&detail)
                .map_err(|_| RestoreError::Stream("the ledger's row cannot be written"))?,
        });
    }
    let wrote = statements.close(&mut live.connection, &entries).await? - before.writes;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let meant = Writes { inserted: number(inserted), updated: number(updated), deleted: 0 };
    if live.counts && wrote != meant && !pair.noisy {
        let tenants: Vec<&str> = deeds.iter().map(|(ticket, _)| ticket.tenant).collect();
        return Err(RestoreError::Mismatch {
            tenant: tenants.join(", "),
            differences: vec![format!("meant to write {meant:?}, and the server counted {wrote:?}")],
        });
    }
    Ok(())
}

pub(crate) async fn begin(live: &mut PgConnection) -> Result<(), RestoreError> {
    run(live, "BEGIN", "begin a transaction").await
}

pub(crate) async fn rollback(live: &mut PgConnection) -> Result<(), RestoreError> {
    run(live, "ROLLBACK", "roll back").await
}

/// Ends the transaction of a restore: what was done in it is committed; what was done before, or failed, leaves nothing.
pub(crate) async fn end(
    live: &mut PgConnection,
    done: Result<Restored, RestoreError>,
) -> Result<Restored, RestoreError> {
    match done {
        Ok(restored) if !restored.before => commit(live).await.map(|()| restored),
        settled => rollback(live).await.and(settled),
    }
}

/// Commits; whatever goes wrong now leaves it open whether the rows are there.
pub(crate) async fn commit(live: &mut PgConnection) -> Result<(), RestoreError> {
    match sqlx::raw_sql("COMMIT").execute(live).await {
        Ok(_) => Ok(()),
        // The server refused: a deferred constraint, say. Then it has rolled back. With anything worse than an ERROR it
        // ended, perhaps with the record of the commit on its disk (a full one is a PANIC).
        Err(sqlx::Error::Database(error))
            if error.try_downcast_ref::<PgDatabaseError>().is_some_and(|it| it.severity() == PgSeverity::Error) =>
        {
            Err(failed("commit")(sqlx::Error::Database(error)))
        }
        Err(error) => Err(RestoreError::InDoubt(error.to_string())),
    }
}
