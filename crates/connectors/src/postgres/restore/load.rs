//! One tenant into the live database, in one transaction with its ledger row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sqlx::PgConnection;
use sqlx::postgres::{PgCopyIn, PgDatabaseError, PgSeverity};

use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Form, Splitter};
use super::differing::{Differing, Shared};
use super::error::{RestoreError, failed};
use super::large_objects;
use super::ledger::{Chunks, Detail, Entry};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::references;
use super::remap::Remapped;
use super::session::{Live, run};
use super::sheet::Sheet;
use super::source::{self, Cutter, Extract};
use super::statements::{Before, NewEntry, Statements, Writes};
use super::tally::{TableTally, Tally};
use super::ties::{Open, Ties};

/// Bytes that are handed to a server at once.
pub(crate) const CHUNK: usize = 512 * 1024;
/// Statements that are judged by the size of what they read, not as about one small tenant of many.
pub(crate) const BY_SIZE: &str =
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on";
/// Rows up to which a tenant is read back by one prepared statement.
const SMALL: u64 = 3_000;

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

/// What a transaction is about to commit.
pub(crate) struct Loaded {
    pub(crate) tallies: Vec<Tally>,
    pub(crate) left: Vec<(usize, usize, Open)>,
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
        Supply::Held(extract) => held(&mut live.connection, pair, statements, *extract, pace).await?,
        Supply::Stream => streamed(&mut live.connection, origin, pair, ticket.tenant, pace).await?,
    };
    let settled = references::settle(&mut live.connection, origin, pair, ticket, loaded.left).await?;
    if pair.has_large_objects() {
        large_objects::restore(&mut live.connection, origin, pair, ticket.tenant).await?;
    }
    let rows: u64 = loaded.tallies.iter().map(|tally| tally.rows).sum();
    let begun = Instant::now();
    let back = read_back(&mut live.connection, pair, statements, ticket.tenant, rows).await?;
    compare(pair, ticket.tenant, &loaded.tallies, &back)?;
    let restored = Restored {
        rows,
        inserted: rows,
        tables: named(pair, &loaded.tallies),
        shared: settled.made,
        shared_differs: settled.differs,
        verifying: begun.elapsed(),
        ..Restored::default()
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
    let mut opening = statements.open(&mut live.connection, ticket).await?;
    if !opening.alone {
        // Another attempt under this key is on its way; what it leaves is seen only by a statement that begins later.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(ticket.key)
            .execute(&mut live.connection)
            .await
            .map_err(failed("wait for another attempt"))?;
        opening = statements.open(&mut live.connection, ticket).await?;
    }
    match opening.entry {
        Some(entry) => match &entry.undone_by {
            Some(by) => Err(RestoreError::Undone(by.clone())),
            None if entry.token > ticket.token => Err(RestoreError::Stale { token: ticket.token, seen: entry.token }),
            None => Ok(Opened::Before(entry.into())),
        },
        None => Ok(Opened::New { before: opening.before, present: opening.present }),
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
    let deed = Deed { rows: restored.rows, inserted, updated: restored.replaced, detail };
    seal(live, pair, statements, ticket, deed, before).await
}

/// What a transaction has done, as the ledger keeps it.
pub(crate) struct Deed {
    pub(crate) rows: u64,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) detail: Detail,
}

/// As [`close`], for one transaction of several.
pub(crate) async fn seal(
    live: &mut Live,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    deed: Deed,
    before: &Before,
) -> Result<(), RestoreError> {
    let shared: u64 = deed.detail.shared.values().sum();
    let detail = Detail { noisy: pair.noisy || !live.quiet, ..deed.detail };
    let detail =
        serde_json::to_string(&detail).map_err(|_| RestoreError::Stream("the ledger's row cannot be written"))?;
    let entry = NewEntry {
        key: ticket.key,
        token: ticket.token,
        run: ticket.run,
        tenant: ticket.tenant,
        rows: deed.rows,
        inserted: deed.inserted,
        updated: deed.updated,
        begun_lsn: &before.lsn,
        detail: &detail,
    };
    let after = statements.close(&mut live.connection, &entry).await?;
    let wrote = after - before.writes;
    let meant = Writes {
        inserted: i64::try_from(deed.inserted + shared).unwrap_or(i64::MAX),
        updated: i64::try_from(deed.updated).unwrap_or(i64::MAX),
        deleted: 0,
    };
    if live.counts && wrote != meant && !pair.noisy {
        return Err(RestoreError::Mismatch {
            tenant: ticket.tenant.to_owned(),
            differences: vec![format!("meant to write {meant:?}, and the server counted {wrote:?}")],
        });
    }
    Ok(())
}

/// Sends what is held in memory.
async fn held(
    live: &mut PgConnection,
    pair: &Pair,
    statements: &Statements,
    mut extract: Extract,
    pace: &Pace,
) -> Result<Loaded, RestoreError> {
    let tallies = extract.tables.iter().map(|rows| rows.tally).collect();
    if let Some(at_once) = statements.at_once.as_ref().filter(|at_once| at_once.suits(&extract)) {
        pace.wait(extract.tables.iter().map(|rows| rows.stream.len()).sum()).await;
        at_once.write(live, pair, &extract).await?;
        let left = extract.ties.left(&pair.sheets);
        return Ok(Loaded { tallies, left });
    }
    for (sheet, rows) in pair.sheets.all.iter().zip(&extract.tables) {
        if rows.tally.rows == 0 {
            continue;
        }
        let mut copy = Copy::begin(live, sheet).await?;
        for chunk in rows.stream.chunks(CHUNK) {
            pace.wait(chunk.len()).await;
            copy.send(chunk).await?;
        }
        copy.finish(rows.tally.rows).await?;
    }
    let left = extract.ties.left(&pair.sheets);
    Ok(Loaded { tallies, left })
}

/// Reads from the one server and writes to the other at the same time.
async fn streamed(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    tenant: &str,
    pace: &Pace,
) -> Result<Loaded, RestoreError> {
    let mut ties = Ties::new(&pair.sheets);
    let mut tallies = vec![Tally::default(); pair.sheets.all.len()];
    let mut cutter = Cutter::default();
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        let mut messages = origin.rows(pair, table, tenant).await?;
        let mut splitter = Splitter::new(sheet.form);
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut sent = 0;
        loop {
            let message = messages.try_next().await?;
            if let Some(message) = &message {
                splitter.feed(message, |row| {
                    cutter.fields.find(sheet.form, row)?;
                    cutter.pass(sheet, row, &mut chunk, &mut tallies[table])?;
                    ties.see(&pair.sheets, table, row, &cutter.fields, 1);
                    Ok(())
                })?;
            }
            if chunk.len() >= CHUNK || (message.is_none() && !chunk.is_empty()) {
                pace.wait(chunk.len()).await;
                // A COPY for each chunk: an error of the server shows at the end of one, and no lock is waited for longer.
                let mut copy = Copy::begin(live, sheet).await?;
                if sheet.form == Form::Binary {
                    copy.send(BINARY_HEAD).await?;
                    chunk.extend_from_slice(BINARY_TAIL);
                }
                copy.send(&chunk).await?;
                copy.finish(tallies[table].rows - sent).await?;
                sent = tallies[table].rows;
                chunk.clear();
            }
            if message.is_none() {
                break;
            }
        }
        splitter.finish()?;
    }
    Ok(Loaded { tallies, left: ties.left(&pair.sheets) })
}

/// A COPY into a table.
pub(crate) struct Copy<'a> {
    copy: PgCopyIn<&'a mut PgConnection>,
    sheet: &'a Sheet,
}

impl<'a> Copy<'a> {
    pub(crate) async fn begin(live: &'a mut PgConnection, sheet: &'a Sheet) -> Result<Self, RestoreError> {
        let copy = live.copy_in_raw(&sheet.copy_in).await.map_err(failed(format!("write rows of {}", sheet.label)))?;
        Ok(Self { copy, sheet })
    }

    pub(crate) async fn send(&mut self, chunk: &[u8]) -> Result<(), RestoreError> {
        self.copy.send(chunk).await.map(drop).map_err(failed(format!("write rows of {}", self.sheet.label)))
    }

    pub(crate) async fn finish(self, expected: u64) -> Result<(), RestoreError> {
        let rows = self.copy.finish().await.map_err(failed(format!("write rows of {}", self.sheet.label)))?;
        if rows == expected {
            Ok(())
        } else {
            Err(RestoreError::Database {
                doing: format!("write rows of {}", self.sheet.label),
                state: None,
                why: format!("{expected} rows were sent, and the server took {rows}"),
            })
        }
    }
}

/// Reads a tenant's rows back inside of the transaction.
pub(crate) async fn read_back(
    live: &mut PgConnection,
    pair: &Pair,
    statements: &Statements,
    tenant: &str,
    rows: u64,
) -> Result<Vec<Tally>, RestoreError> {
    if rows <= SMALL && Statements::reads_all(pair) {
        return statements.read_back(live, pair, tenant).await;
    }
    run(live, BY_SIZE, "set up the session").await?;
    let wanted = pair.wanted([tenant]);
    let mut tallies = vec![Tally::default(); pair.sheets.all.len()];
    let mut cutter = Cutter::default();
    for (sheet, tally) in pair.sheets.all.iter().zip(&mut tallies) {
        source::read(live, &source::copy_out(pair, sheet, &wanted), sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            tally.add(cutter.fields.span(row, 1, cutter.fields.len()));
            Ok(())
        })
        .await?;
    }
    Ok(tallies)
}

/// Checks that both sides hold the same rows of each table.
pub(crate) fn compare(pair: &Pair, tenant: &str, meant: &[Tally], found: &[Tally]) -> Result<(), RestoreError> {
    let differences = differences(&named(pair, meant), &named(pair, found));
    if differences.is_empty() { Ok(()) } else { Err(RestoreError::Mismatch { tenant: tenant.to_owned(), differences }) }
}

/// Names tables whose rows differ.
pub(crate) fn differences(meant: &BTreeMap<String, TableTally>, found: &BTreeMap<String, TableTally>) -> Vec<String> {
    let none = TableTally::default();
    let tables: BTreeSet<&String> = meant.keys().chain(found.keys()).collect();
    let both =
        tables.into_iter().map(|table| (table, meant.get(table).unwrap_or(&none), found.get(table).unwrap_or(&none)));
    both.filter(|(_, meant, found)| meant != found)
        .map(|(table, meant, found)| match meant.rows == found.rows {
            true => format!("{table}: {} rows, with other contents", meant.rows),
            false => format!("{table}: {} rows in the backup, {} live", meant.rows, found.rows),
        })
        .collect()
}

/// Tallies by table, without empty ones.
pub(crate) fn named(pair: &Pair, tallies: &[Tally]) -> BTreeMap<String, TableTally> {
    let tables = pair.sheets.all.iter().zip(tallies).filter(|(_, tally)| tally.rows > 0);
    tables.map(|(sheet, tally)| (sheet.label.clone(), tally.into())).collect()
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
