//! A tenant too large for one transaction: several, each with its own ledger row, and the tenant's own row in the last.
//!
//! A transaction of hours holds back the cleaning of dead rows everywhere, and loses all of it when it is cut off. So the
//! rows go in by parts; until the last part there is no tenant, since its own row is missing. What proves the whole is
//! in that last part: everything is read back there. An attempt that finds parts of an earlier one reads the backup from
//! the beginning, for what is counted and referred to, and writes only what is not there.

mod part;
mod write;

use std::collections::BTreeSet;

use sqlx::PgConnection;

use self::part::Part;
use super::back;
use super::copy_stream::Splitter;
use super::differing::Differing;
use super::error::{RestoreError, failed};
use super::ledger::{self, Chunks, Entry};
use super::load::{self, Came, Opened, Ticket};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::send::CHUNK;
use super::session::{Live, run};
use super::source::{self, Cutter};
use super::statements::{Before, Statements};
use super::tally::{Tally, hashed};
use super::ties::Ties;

/// Least bytes that a row takes up in a table: what a page can hold at most follows.
const ROW_MIN: i64 = 28;

/// Returns how many rows a tenant has, or 0 if it has surely not more than these.
pub(crate) async fn size(origin: &mut Origin, pair: &Pair, tenant: &str, most: u64) -> Result<u64, RestoreError> {
    match origin {
        _ if most == 0 => Ok(0),
        Origin::Files(extracted) => {
            let manifest = extracted.manifest(tenant)?;
            Ok(manifest.map_or(0, |manifest| manifest.tables.values().map(|table| table.rows).sum()))
        }
        Origin::Server(server) => {
            if !may_exceed(server, pair, most).await? {
                return Ok(0);
            }
            let tenants = [tenant.to_owned()];
            Ok(source::sizes(server, pair, &tenants).await?.values().sum())
        }
    }
}

/// Whether the tables of a restore are large enough to hold more rows than these: a look at their files, at no cost.
async fn may_exceed(server: &mut PgConnection, pair: &Pair, most: u64) -> Result<bool, RestoreError> {
    const BYTES: &str = "SELECT coalesce(sum(pg_relation_size(n::regclass) + \
        coalesce((SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(n::regclass) AS p), 0)), 0)::int8 \
        FROM unnest($1::text[]) AS n";
    let names: Vec<&str> = pair.sheets.all.iter().map(|sheet| sheet.qualified.as_str()).collect();
    let (bytes,): (i64,) =
        sqlx::query_as(BYTES).bind(names).fetch_one(server).await.map_err(failed("look how large the tables are"))?;
    Ok(u64::try_from(bytes / ROW_MIN).unwrap_or(u64::MAX) > most)
}

/// Says of each table whether its rows are found only over rows that are written after them, or over the tenant's own:
/// a part of them would be in nobody's sight, for another attempt and for an undo as well.
fn late(pair: &Pair, root: Option<usize>) -> Vec<bool> {
    let mut late = vec![false; pair.sheets.all.len()];
    let place = |table: usize| pair.sheets.all.iter().position(|sheet| sheet.place == table);
    for (at, sheet) in pair.sheets.all.iter().enumerate() {
        let walked = pair.closure.tables[sheet.place].ways.iter().flat_map(|way| way.path.iter().take(way.joins));
        late[at] =
            walked.map(|hop| place(hop.to)).any(|to| to.is_none_or(|to| Some(to) == root || to > at || late[to]));
    }
    late
}

/// How a large tenant is restored.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    /// URL of the backup.
    pub(crate) from: &'a str,
    /// Rows of a transaction, about.
    pub(crate) most: u64,
    pub(crate) pace: &'a Pace,
}

/// Restores a tenant in several transactions.
///
/// Triggers are quiet: foreign keys that are checked row by row would want the tenant's own row first.
///
/// # Cancel safety
/// As [`load::fast`]; what is committed is found by the next attempt.
pub(crate) async fn restore(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    ticket: Ticket<'_>,
    way: Way<'_>,
) -> Result<Came, RestoreError> {
    // While rows stream from the one, the other is asked for shared rows.
    let aside = Origin::open(way.from).await?;
    // Held from part to part, so that no other attempt, probe or undo comes in between.
    hold(&mut live.connection, ticket, "pg_advisory_lock").await?;
    let root = pair.sheets.all.iter().position(|sheet| sheet.place == pair.closure.root);
    let tables = pair.sheets.all.len();
    let mut work = Work {
        ties: Ties::new(&pair.sheets),
        tallies: vec![Tally::default(); tables],
        wrote: vec![Tally::default(); tables],
        chunks: Chunks::default(),
        differs: Vec::new(),
        later: BTreeSet::new(),
        before: None,
        live,
        pair,
        statements,
        ticket,
        way,
        aside,
        root,
        late: late(pair, root),
    };
    let mut came = work.run(origin).await;
    let transactions = work.chunks.transactions;
    if work.before.is_some()
        && let Err(broken) = load::rollback(&mut live.connection).await
    {
        return Err(partly(broken, transactions));
    }
    if let Err(RestoreError::Database { state: Some(state), .. }) = &came
        && (state == "23505" || state == "23P01")
    {
        came = Ok(Came::Occupied);
    }
    // Of a connection that is broken the server lets go by itself.
    let _ = hold(&mut live.connection, ticket, "pg_advisory_unlock").await;
    came.map_err(|error| partly(error, transactions))
}

/// Says with an error that a part is committed; asks the ledger.
pub(crate) async fn told(live: &mut Live, ticket: Ticket<'_>, error: RestoreError) -> RestoreError {
    match ledger::chunks(&mut live.connection, ticket.key).await {
        Ok(known) => partly(error, known.len() as u64),
        Err(_) => RestoreError::InDoubt(error.to_string()),
    }
}

fn partly(error: RestoreError, transactions: u64) -> RestoreError {
    if transactions == 0 { error } else { RestoreError::Partly { transactions, source: Box::new(error) } }
}

/// Takes the locks of a restore for the session, or gives them back.
async fn hold(live: &mut PgConnection, ticket: Ticket<'_>, what: &'static str) -> Result<(), RestoreError> {
    let select = format!("SELECT {what}(hashtextextended($1, 0)), {what}_shared(hashtextextended($2, 1))");
    let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(ticket.key).bind(ticket.unit);
    query.execute(live).await.map(drop).map_err(failed("wait for another attempt"))
}

struct Work<'a> {
    live: &'a mut Live,
    pair: &'a Pair,
    statements: &'a Statements,
    ticket: Ticket<'a>,
    way: Way<'a>,
    /// The backup a second time.
    aside: Origin,
    /// The tenants' own table, if it is one of the restore.
    root: Option<usize>,
    /// Tables whose rows are found only by rows that come after them: written in the last transaction.
    late: Vec<bool>,
    ties: Ties,
    /// What the backup holds, as far as it was read.
    tallies: Vec<Tally>,
    /// What the transaction at work has written.
    wrote: Vec<Tally>,
    /// What is committed.
    chunks: Chunks,
    differs: Vec<Differing>,
    /// References, by table, whose rows may still be among the tenant's own: they are looked at in the end.
    later: BTreeSet<(usize, usize)>,
    /// How it stood before the transaction at work; `None` if there is none.
    before: Option<Before>,
}

/// Rows of a table that earlier parts have committed.
enum There {
    None,
    All(Tally),
    Some(Part),
}

impl Work<'_> {
    async fn run(&mut self, origin: &mut Origin) -> Result<Came, RestoreError> {
        let present = match self.begin().await? {
            Opened::Before(restored) => return Ok(Came::Restored(restored)),
            Opened::New { present, .. } => present,
        };
        let known = ledger::chunks(&mut self.live.connection, self.ticket.key).await?;
        self.not_late(&known)?;
        let Some(mut there) = self.known(&known, &present).await? else { return Ok(Came::Occupied) };
        self.end().await?;
        // The tenant's own row is referred to by all others, and written after them.
        let mut own = Vec::new();
        let mut of_own = Vec::new();
        if let Some(root) = self.root {
            self.table(origin, root, &mut There::None, Some(&mut own)).await?;
            of_own = self.ties.asked();
        }
        for (table, there) in there.iter_mut().enumerate() {
            if Some(table) == self.root || self.late[table] {
                continue;
            }
            self.table(origin, table, there, None).await?;
            let whole = match there {
                There::None => true,
                There::All(tally) => tally.is_of_the_rows_of(&self.tallies[table]),
                There::Some(part) => part.is_used_up(),
            };
            if !whole {
                let label = &self.pair.sheets.all[table].label;
                return Err(self.mismatch(format!("{label}: the backup is not the one of which a part is here")));
            }
        }
        for table in 0..self.late.len() {
            if self.late[table] && Some(table) != self.root {
                self.table(origin, table, &mut There::None, None).await?;
            }
        }
        self.last(own, of_own).await.map(Came::Restored)
    }

    /// Refuses an attempt that a newer one has overtaken, or that was taken back.
    fn not_late(&self, known: &[Entry]) -> Result<(), RestoreError> {
        let token = self.ticket.token;
        match known.iter().find(|entry| entry.token > token || entry.undone_by.is_some()) {
            Some(Entry { undone_by: Some(by), .. }) => Err(RestoreError::Undone(by.clone())),
            Some(newer) => Err(RestoreError::Stale { token, seen: newer.token }),
            None => Ok(()),
        }
    }

    /// Finds what earlier parts have committed of each table; `None` if something else is there.
    ///
    /// Parts are written in the order of the tables, so that only the last one may be there in part.
    async fn known(&mut self, known: &[Entry], present: &[bool]) -> Result<Option<Vec<There>>, RestoreError> {
        let sheets = &self.pair.sheets.all;
        let mut sums = vec![Tally::default(); sheets.len()];
        for entry in known {
            self.chunks.add(entry.inserted, &entry.detail.shared);
            self.differs.push(entry.detail.shared_differs.clone());
            for (label, tally) in &entry.detail.tables {
                let Some(at) = sheets.iter().position(|sheet| sheet.label == *label) else { return Ok(None) };
                sums[at].join(&tally.into());
            }
        }
        let last = sums.iter().rposition(|sum| sum.rows > 0);
        let mut there = Vec::with_capacity(sums.len());
        for (at, sum) in sums.into_iter().enumerate() {
            // One that was passed is judged by what the backup has, and all of it in the end.
            let held_back = Some(at) == self.root || self.late[at];
            let later = last.is_none_or(|last| at > last) || held_back;
            if later && present.get(at).copied().unwrap_or(false) {
                return Ok(None);
            }
            there.push(match last {
                Some(last) if at == last => match self.part(at, sum).await? {
                    Some(part) => There::Some(part),
                    None => return Ok(None),
                },
                Some(last) if at < last && !held_back => There::All(sum),
                _ => There::None,
            });
        }
        Ok(Some(there))
    }

    /// Reads which rows of a table are there; `None` if they are not those that the ledger speaks of.
    async fn part(&mut self, table: usize, meant: Tally) -> Result<Option<Part>, RestoreError> {
        let live = &mut self.live.connection;
        run(live, back::BY_SIZE, "set up the session").await?;
        let sheet = &self.pair.sheets.all[table];
        let copy = source::copy_out(self.pair, sheet, &self.pair.wanted([self.ticket.tenant]));
        let (mut tally, mut hashes, mut cutter) = (Tally::default(), Vec::new(), Cutter::default());
        source::read(live, &copy, sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            let values = cutter.fields.span(row, 1, cutter.fields.len());
            tally.add(values);
            hashes.push(hashed(values));
            Ok(())
        })
        .await?;
        Ok(tally.is_of_the_rows_of(&meant).then(|| Part::new(hashes)))
    }

    /// Reads a table of the backup and writes what is not there; into memory only, if a place for it is given.
    async fn table(
        &mut self,
        origin: &mut Origin,
        table: usize,
        there: &mut There,
        mut held: Option<&mut Vec<u8>>,
    ) -> Result<(), RestoreError> {
        let (pair, sheet) = (self.pair, &self.pair.sheets.all[table]);
        let mut messages = origin.rows(pair, table, self.ticket.tenant).await?;
        let (mut splitter, mut cutter) = (Splitter::new(sheet.form), Cutter::default());
        let mut stream = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut waiting = Tally::default();
        while let Some(message) = futures::TryStreamExt::try_next(&mut messages).await? {
            splitter.feed(&message, |row| {
                cutter.fields.find(sheet.form, row)?;
                self.ties.see(&pair.sheets, table, row, &cutter.fields, 1);
                let values = cutter.fields.span(row, 1, cutter.fields.len());
                let is_there = match there {
                    There::None => false,
                    There::All(_) => true,
                    There::Some(part) => part.take(hashed(values)),
                };
                if is_there {
                    self.tallies[table].add(values);
                    Ok(())
                } else {
                    cutter.pass(sheet, row, &mut stream, &mut waiting)
                }
            })?;
            let full = held.is_none() && !self.late[table] && self.rows() + waiting.rows >= self.way.most;
            if held.is_none() && (stream.len() >= CHUNK || full) {
                self.write(table, std::mem::take(&mut stream), std::mem::take(&mut waiting)).await?;
            }
            if full {
                self.commit().await?;
            }
        }
        splitter.finish()?;
        match held.as_mut() {
            Some(held) => {
                self.tallies[table].join(&waiting);
                **held = stream;
                Ok(())
            }
            None => self.write(table, stream, waiting).await,
        }
    }

    fn mismatch(&self, difference: String) -> RestoreError {
        RestoreError::Mismatch { tenant: self.ticket.tenant.to_owned(), differences: vec![difference] }
    }
}
