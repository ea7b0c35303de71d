//! `sqlite/restore@1`: the rows of one tenant back into the live file, in one transaction with their ledger row.

use std::collections::BTreeMap;

use runtime::Call;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::conflict;
use super::file::{Place, code, database};
use super::input::{Restore, Restored, Triggers};
use super::ledger::{self, Detail, NewEntry};
use super::plan::Plan;
use super::pool::{Guard, Pool};
use super::quote::sql;
use super::schema::Trigger;
use super::tally::{self, Read};
use super::transaction::{Came, ROUNDS, begin, commit, disarm, ledger_row, rearm, rollback};
use crate::answer::{Trouble, revealed};

/// Restores the rows.
pub(super) async fn apply(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Restore = revealed(&call.with, &call.secrets)?;
    let (live, from) = (Place::new(&input.to), Place::new(&input.from));
    let mut used = pool.take(&live, Some(&from), Guard::Keys).await?;
    for round in 0..ROUNDS {
        let plan = pool.plan(&mut used, &input.root, &input.tables, round > 0).await?;
        // The recovered file stands still: it can be read before the live file is locked.
        let source = tally::read(&mut used.connection, &plan.source, &input.tenant, true).await;
        let source = source.map_err(|error| database(&from, &error))?;
        if source.tally.rows() == 0 && !input.allow_empty {
            there(&mut used.connection, &plan, &input, &from).await?;
        }
        let restore = Attempt { call, input: &input, live: &live, plan: &plan, source: &source };
        let lane = pool.lane(&used);
        let turn = lane.lock().await;
        begin(&mut used.connection, &live).await?;
        let came = restore.write(&mut used.connection).await;
        let ended = match &came {
            Ok(Came::Commit(_)) => commit(&mut used.connection, &live).await,
            _ => rollback(&mut used.connection, &live).await,
        };
        drop(turn);
        match (came, ended) {
            (Ok(Came::Commit(restored) | Came::Nothing(restored)), Ok(())) => {
                pool.keep(used);
                return serde_json::to_value(restored)
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

/// Looks into the ledger, after any transaction that is still on its way.
pub(super) async fn probe(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Restore = revealed(&call.with, &call.secrets)?;
    let live = Place::new(&input.to);
    match ledger_row(pool, &live, &call.key).await? {
        Some(entry) => {
            if let Some(by) = &entry.detail.undone_by {
                return Err(undone(&live, by));
            }
            serde_json::to_value(entry.restored()).map_err(|error| Trouble::unknown("sqlite.failed", error.to_string()))
        }
        None => Err(Trouble::retry("sqlite.not_done", format!("{live}: the ledger has no row for this unit"))),
    }
}

/// No rows: fine if the tenant is there at all and only has nothing in these tables.
async fn there(connection: &mut SqliteConnection, plan: &Plan, input: &Restore, from: &Place) -> Result<(), Trouble> {
    if let Some(exists) = &plan.exists {
        let row = input.tenant.bind(sqlx::query(sql(exists))).fetch_one(connection).await;
        if row.and_then(|row| sqlx::Row::try_get::<bool, _>(&row, 0)).map_err(|error| database(from, &error))? {
            return Ok(());
        }
    }
    Err(Trouble::never("sqlite.no_tenant", format!("{from} holds no row of {}", input.tenant))
        .hint("is the ID right, and was the tenant there at the restore point?"))
}

/// One transaction.
struct Attempt<'a> {
    call: &'a Call,
    input: &'a Restore,
    live: &'a Place,
    plan: &'a Plan,
    source: &'a Read,
}

impl Attempt<'_> {
    async fn write(&self, connection: &mut SqliteConnection) -> Result<Came<Restored>, Trouble> {
        let failed = |error: sqlx::Error| database(self.live, &error);
        let token = i64::try_from(self.call.token).unwrap_or(i64::MAX);
        let opening = match ledger::look(connection, &self.call.key, self.plan.ledger).await {
            Ok(opening) => opening,
            // SQLITE_ERROR: the ledger's table went away.
            Err(error) if code(&error) == Some(1) => return Ok(Came::SchemaMoved),
            Err(error) => return Err(failed(error)),
        };
        if opening.version != self.plan.version {
            return Ok(Came::SchemaMoved);
        }
        if let Some(entry) = opening.entry {
            if let Some(by) = &entry.detail.undone_by {
                return Err(undone(self.live, by));
            }
            if entry.token > token {
                let message = format!("{}: attempt {token} is stale: the ledger has seen {}", self.live, entry.token);
                return Err(
                    Trouble::never("sqlite.stale_token", message).hint("a newer attempt has done it; nothing to do")
                );
            }
            if entry.token == token {
                return Ok(Came::Nothing(entry.restored()));
            }
            ledger::raise(connection, &self.call.key, token).await.map_err(failed)?;
            return Ok(Came::Commit(entry.restored()));
        }
        refuse_triggers(self.live, &self.plan.triggers, self.input.triggers)?;
        let clear = conflict::look(connection, self.live, self.plan, &self.input.tenant, self.source).await?;
        let suppress = self.input.triggers == Triggers::Suppress;
        if suppress {
            disarm(connection, &self.plan.triggers).await.map_err(failed)?;
        }
        let insert = if clear.kept.is_empty() { &self.plan.insert_all } else { &self.plan.insert_missing };
        self.input.tenant.bind(sqlx::query(sql(insert))).execute(&mut *connection).await.map_err(failed)?;
        let (restored, writes, hashes) = self.verify(connection, clear.kept.len() as u64, clear.changes).await?;
        if suppress {
            rearm(connection, &self.plan.triggers).await.map_err(failed)?;
        }
        let tenant = self.input.tenant.to_string();
        let detail = Detail {
            tables: restored.tables.clone(),
            hashes,
            // If nothing was inserted, nothing can be taken back either.
            kept: if restored.inserted == 0 {
                Default::default()
            } else {
                tally::named(&clear.kept, &self.plan.names())
            },
            ..Detail::default()
        };
        let entry = NewEntry {
            key: &self.call.key,
            token,
            tenant,
            rows: restored.rows,
            inserted: i64::try_from(restored.inserted).unwrap_or(i64::MAX),
            writes,
            hash: &restored.hash,
            detail: &detail,
        };
        ledger::write(connection, &entry, self.plan.ledger).await.map_err(failed)?;
        Ok(Came::Commit(restored))
    }

    /// Compares both sides inside of the transaction, and what was written with what was meant to be.
    async fn verify(
        &self,
        connection: &mut SqliteConnection,
        already: u64,
        before: u64,
    ) -> Result<(Restored, u64, BTreeMap<String, String>), Trouble> {
        let target = tally::read(connection, &self.plan.target, &self.input.tenant, false).await;
        let target = target.map_err(|error| database(self.live, &error))?;
        let differences = self.source.tally.differences(&target.tally, &self.plan.names());
        let wrong = |what: String| {
            Trouble::never("sqlite.mismatch", format!("{}: {}: {what}", self.live, self.input.tenant))
                .hint("rolled back; the live file does not keep these rows as they were")
        };
        if !differences.is_empty() {
            return Err(wrong(conflict::listed(&differences)));
        }
        let rows = target.tally.rows();
        let inserted = rows.saturating_sub(already);
        let writes = target.changes.unwrap_or(u64::MAX).saturating_sub(before);
        if writes != inserted && self.input.triggers != Triggers::Fire {
            return Err(wrong(format!("{inserted} rows were to be inserted, but SQLite counted {writes} changes")));
        }
        let names = self.plan.names();
        let (tables, hashes) = (target.tally.by_table(&names), target.tally.hashes(&names));
        Ok((Restored { rows, inserted, already, tables, hash: target.tally.hash() }, writes, hashes))
    }
}

/// Triggers write rows that nobody asked for.
pub(super) fn refuse_triggers(live: &Place, triggers: &[Trigger], wanted: Triggers) -> Result<(), Trouble> {
    if triggers.is_empty() || wanted != Triggers::Refuse {
        return Ok(());
    }
    let names: Vec<String> = triggers.iter().map(|trigger| format!("{} on {}", trigger.name, trigger.table)).collect();
    Err(Trouble::never("sqlite.triggers", format!("{live}: would fire: {}", conflict::listed(&names)))
        .hint("say `triggers: suppress` or `triggers: fire`"))
}

fn undone(live: &Place, by: &str) -> Trouble {
    Trouble::never("sqlite.undone", format!("{live}: this restore was taken back by {by}"))
        .hint("a restore after its undo needs a key of its own")
}
