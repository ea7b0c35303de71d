//! `sqlite/remove@1`: takes back one restore: the rows that it put in, in one transaction with their ledger row.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use runtime::Call;
use serde_json::{Map, Value};
use sqlx::{Row, SqliteConnection};

use super::conflict::listed;
use super::file::{Place, code, database};
use super::input::{IfChanged, Remove, Removed, Triggers};
use super::ledger::{self, Detail, Entry, NewEntry};
use super::pool::{Guard, Pool};
use super::quote::sql;
use super::removal::Removal;
use super::restore::refuse_triggers;
use super::tally::{self, text_hash};
use super::transaction::{Came, ROUNDS, begin, commit, disarm, ledger_row, rearm, rollback};
use crate::answer::{Trouble, revealed};

/// Removes the rows.
pub(super) async fn apply(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Remove = revealed(&call.with, &call.secrets)?;
    let Some(undoes) = &call.undoes else {
        return Err(Trouble::never("sqlite.no_restore", "sqlite/remove@1 takes back one restore, and none is given")
            .hint("use it as the `undo` of a step that uses sqlite/restore@1"));
    };
    let live = Place::new(&input.to);
    let mut used = pool.take(&live, None, Guard::Caller).await?;
    for round in 0..ROUNDS {
        let plan = pool.removal(&mut used, &input.root, &input.tables, round > 0).await?;
        let attempt = Attempt { call, undoes, input: &input, live: &live, plan: &plan };
        let lane = pool.lane(&used);
        let turn = lane.lock().await;
        begin(&mut used.connection, &live).await?;
        let came = attempt.write(&mut used.connection).await;
        let ended = match &came {
            Ok(Came::Commit(_)) => commit(&mut used.connection, &live).await,
            _ => rollback(&mut used.connection, &live).await,
        };
        drop(turn);
        match (came, ended) {
            (Ok(Came::Commit(removed) | Came::Nothing(removed)), Ok(())) => {
                pool.keep(used);
                return serde_json::to_value(removed)
                    .map_err(|error| Trouble::unknown("sqlite.failed", error.to_string()));
            }
            (Ok(Came::SchemaMoved), Ok(())) => {}
            (Ok(_), Err(trouble)) => return Err(trouble),
            (Err(trouble), ended) => {
                if ended.is_ok() {
                    pool.keep(used);
                }
                return Err(trouble);
            }
        }
    }
    Err(Trouble::retry("sqlite.busy", format!("{live}: its schema keeps changing")))
}

/// Looks for the unit's own ledger row, after any transaction that is still on its way.
pub(super) async fn probe(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Remove = revealed(&call.with, &call.secrets)?;
    let live = Place::new(&input.to);
    match ledger_row(pool, &live, &call.key).await? {
        Some(entry) => {
            serde_json::to_value(entry.removed()).map_err(|error| Trouble::unknown("sqlite.failed", error.to_string()))
        }
        None => Err(Trouble::retry("sqlite.not_done", format!("{live}: the ledger has no row for this unit"))),
    }
}

/// One transaction.
struct Attempt<'a> {
    call: &'a Call,
    undoes: &'a str,
    input: &'a Remove,
    live: &'a Place,
    plan: &'a Removal,
}

/// What is there of the tenant before the first write.
struct Found {
    tally: tally::Tally,
    /// Texts of the rows that were there before the restore, by number of the table, hexadecimal.
    kept: Map<String, Value>,
    changes: u64,
}

impl Attempt<'_> {
    async fn write(&self, connection: &mut SqliteConnection) -> Result<Came<Removed>, Trouble> {
        let failed = |error: sqlx::Error| database(self.live, &error);
        let opening = match ledger::look(connection, &self.call.key, self.plan.ledger).await {
            Ok(opening) => opening,
            // SQLITE_ERROR: the ledger's table went away.
            Err(error) if code(&error) == Some(1) => return Ok(Came::SchemaMoved),
            Err(error) => return Err(failed(error)),
        };
        if opening.version != self.plan.version {
            return Ok(Came::SchemaMoved);
        }
        let token = self.token();
        if let Some(entry) = opening.entry {
            if entry.token > token {
                let message = format!("{}: attempt {token} is stale: the ledger has seen {}", self.live, entry.token);
                return Err(
                    Trouble::never("sqlite.stale_token", message).hint("a newer attempt has done it; nothing to do")
                );
            }
            if entry.token == token {
                return Ok(Came::Nothing(entry.removed()));
            }
            ledger::raise(connection, &self.call.key, token).await.map_err(failed)?;
            return Ok(Came::Commit(entry.removed()));
        }
        let restore = ledger::look(connection, self.undoes, self.plan.ledger).await.map_err(failed)?.entry;
        let detail = Detail { removes: Some(self.undoes.to_owned()), ..Detail::default() };
        match restore {
            // It never was. An attempt of it that is still on its way must find that it is too late.
            None => {
                self.record(connection, &detail, 0, 0, self.plan.ledger).await?;
                let mark = Detail { undone_by: Some(self.call.key.clone()), ..Detail::default() };
                let tenant = self.input.tenant.to_string();
                let (key, hash) = (self.undoes, "");
                let entry = NewEntry { key, token: 0, tenant, rows: 0, inserted: 0, writes: 0, hash, detail: &mark };
                ledger::write(connection, &entry, true).await.map_err(failed)?;
                Ok(Came::Commit(Removed { rows: 0, tables: BTreeMap::new() }))
            }
            Some(entry) if entry.detail.undone_by.is_some() => {
                self.record(connection, &detail, 0, 0, true).await?;
                Ok(Came::Commit(Removed { rows: 0, tables: BTreeMap::new() }))
            }
            Some(entry) => self.take_back(connection, entry, detail).await,
        }
    }

    /// Deletes what a restore put in, marks its ledger row and writes its own.
    async fn take_back(
        &self,
        connection: &mut SqliteConnection,
        entry: Entry,
        mut detail: Detail,
    ) -> Result<Came<Removed>, Trouble> {
        let failed = |error: sqlx::Error| database(self.live, &error);
        self.fits(&entry)?;
        let (mut writes, mut rows) = (0, 0);
        if entry.inserted > 0 {
            let found = self.found(connection, &entry.detail.kept).await?;
            self.unchanged(&entry, &found)?;
            refuse_triggers(self.live, &self.plan.triggers, self.input.triggers)?;
            let left = self.delete(connection, &found).await?;
            rows = found.tally.rows() - left.tally.rows();
            writes = left.changes.unwrap_or(u64::MAX).saturating_sub(found.changes);
            if writes != rows && self.input.triggers != Triggers::Fire {
                let what = format!("{rows} rows were to go, but SQLite counted {writes} changes");
                return Err(Trouble::never("sqlite.mismatch", format!("{}: {}: {what}", self.live, self.input.tenant))
                    .hint("rolled back; look at what the live file does when rows are deleted"));
            }
            let names = self.plan.names();
            let (before, after) = (found.tally.by_table(&names), left.tally.by_table(&names));
            let after = |table: &String| after.get(table).copied().unwrap_or_default();
            detail.removed = before.iter().map(|(name, n)| (name.clone(), n - after(name))).collect();
            detail.removed.retain(|_, removed| *removed > 0);
            detail.tables = before.keys().map(|name| (name.clone(), after(name))).collect();
        }
        self.record(connection, &detail, rows, writes, true).await?;
        let mark = Detail { undone_by: Some(self.call.key.clone()), ..entry.detail };
        ledger::amend(connection, self.undoes, &mark).await.map_err(failed)?;
        Ok(Came::Commit(Removed { rows, tables: detail.removed }))
    }

    /// The inputs must be those of the restore.
    fn fits(&self, entry: &Entry) -> Result<(), Trouble> {
        let other = |what: String| {
            Trouble::never("sqlite.undo_mismatch", format!("{}: {}: {what}", self.live, self.undoes))
                .hint("give the undo the same `to`, `root`, `tenant` and `tables` as its step")
        };
        if entry.tenant != self.input.tenant.to_string() {
            return Err(other(format!("restored {}, not {}", entry.tenant, self.input.tenant)));
        }
        match entry.detail.tables.keys().find(|table| !self.plan.tables.contains(table)) {
            Some(table) => Err(other(format!("also restored rows of {table}"))),
            None => Ok(()),
        }
    }

    /// Reads the tenant's rows, and which of them were there before the restore.
    async fn found(
        &self,
        connection: &mut SqliteConnection,
        kept: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Found, Trouble> {
        let failed = |error: sqlx::Error| database(self.live, &error);
        let read = tally::read(connection, &self.plan.rows, &self.input.tenant, false).await.map_err(failed)?;
        let changes =
            read.changes.ok_or_else(|| Trouble::retry("sqlite.failed", "the connection did not count its changes"))?;
        let mut texts = BTreeMap::<usize, Vec<String>>::new();
        if !kept.is_empty() {
            let mut rows = self.input.tenant.bind(sqlx::query(sql(&self.plan.rows))).fetch(connection);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                let at = usize::try_from(row.try_get::<i64, _>(0).map_err(failed)?).unwrap_or(usize::MAX);
                let Some(hashes) = self.plan.tables.get(at).and_then(|table| kept.get(table)) else { continue };
                let text: &[u8] = row.try_get_unchecked(1).map_err(failed)?;
                if hashes.contains(&format!("{:016x}", text_hash(text))) {
                    texts.entry(at).or_default().push(text.iter().map(|byte| format!("{byte:02X}")).collect());
                }
            }
        }
        let kept = texts.into_iter().map(|(at, texts)| (format!("t{at}"), texts.into())).collect();
        Ok(Found { tally: read.tally, kept, changes })
    }

    /// The tenant's rows must be those that the restore left.
    fn unchanged(&self, entry: &Entry, found: &Found) -> Result<(), Trouble> {
        let same = found.tally.rows() == entry.rows && found.tally.hash() == entry.hash;
        if same || self.input.if_changed == IfChanged::Remove {
            return Ok(());
        }
        let names = self.plan.names();
        let (counts, hashes) = (found.tally.by_table(&names), found.tally.hashes(&names));
        let mut told = Vec::new();
        for name in names {
            let then = entry.detail.tables.get(name).copied().unwrap_or_default();
            let now = counts.get(name).copied().unwrap_or_default();
            if then != now {
                told.push(format!("{name}: {then} rows restored, {now} found"));
            } else if hashes.get(name) != entry.detail.hashes.get(name) {
                told.push(format!("{name}: content of {now} rows differs"));
            }
        }
        Err(Trouble::never("sqlite.changed_since", format!("{}: {}: {}", self.live, self.input.tenant, listed(&told)))
            .hint("nothing was removed; look at what changed, `if_changed: remove` removes it all the same"))
    }

    /// Deletes, if nothing that stays refers to what goes.
    async fn delete(&self, connection: &mut SqliteConnection, found: &Found) -> Result<tally::Read, Trouble> {
        let failed = |error: sqlx::Error| database(self.live, &error);
        let texts = if found.kept.is_empty() { &self.plan.all } else { &self.plan.some };
        let kept = Value::from(found.kept.clone()).to_string();
        let bound = |text| {
            let query = self.input.tenant.bind(sqlx::query(sql(text)));
            if found.kept.is_empty() { query } else { query.bind(kept.clone()) }
        };
        if let Some(holders) = &texts.holders {
            let rows = bound(holders).fetch_all(&mut *connection).await.map_err(failed)?;
            let named: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            let mut named = named.map_err(failed)?;
            named.dedup();
            if !named.is_empty() {
                let named: Vec<String> =
                    named.iter().map(|told| told.replace(" has no row in ", " refers to a row of ")).collect();
                return Err(Trouble::never(
                    "sqlite.foreign_key",
                    format!("{}: {}: {}", self.live, self.input.tenant, listed(&named)),
                )
                .hint("nothing was removed; take back first what refers to these rows"));
            }
        }
        let suppress = self.input.triggers == Triggers::Suppress;
        if suppress {
            disarm(connection, &self.plan.triggers).await.map_err(failed)?;
        }
        bound(&texts.delete).execute(&mut *connection).await.map_err(failed)?;
        let left = tally::read(connection, &self.plan.rows, &self.input.tenant, false).await.map_err(failed)?;
        if suppress {
            rearm(connection, &self.plan.triggers).await.map_err(failed)?;
        }
        Ok(left)
    }

    async fn record(
        &self,
        connection: &mut SqliteConnection,
        detail: &Detail,
        rows: u64,
        writes: u64,
        there: bool,
    ) -> Result<(), Trouble> {
        let entry = NewEntry {
            key: &self.call.key,
            token: self.token(),
            tenant: self.input.tenant.to_string(),
            rows: detail.tables.values().sum(),
            inserted: i64::try_from(rows).map_or(i64::MIN, |rows| -rows),
            writes,
            hash: "",
            detail,
        };
        ledger::write(connection, &entry, there).await.map_err(|error| database(self.live, &error))
    }

    fn token(&self) -> i64 {
        i64::try_from(self.call.token).unwrap_or(i64::MAX)
    }
}
