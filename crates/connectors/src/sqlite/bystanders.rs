//! `sqlite/bystanders@1`: nobody else's row was written by us.
//!
//! Proves from the ledger: each transaction of ours changed exactly as many rows as it inserted for its tenant, or took
//! out of it. Both numbers were recorded in the commit of the rows: the tenant's rows before and after, and SQLite's own counter of all
//! changes, triggers and foreign-key actions included. It says nothing about others' writes or an edited ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runtime::Call;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use super::closure::Closure;
use super::conflict::listed;
use super::file::{Place, database, read_only};
use super::input::{Bystanders, Root, Stood};
use super::quote::{name, sql};
use super::{ledger, schema};
use crate::answer::{Trouble, revealed};

// In the order of time; an undo's key is its unit's and more, so it comes later within the same millisecond, too.
const ENTRIES: &str = "SELECT key, tenant, rows, inserted, writes, detail FROM main.reinstate_ledger WHERE ?1 IS NULL OR run = ?1 ORDER BY at, key";

/// Adds up the ledger.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let input: Bystanders = revealed(&call.with, &call.secrets)?;
    let live = Place::new(&input.live);
    let failed = |error: sqlx::Error| database(&live, &error);
    let mut connection = read_only(&live).await?;
    let mut stood = Stood {
        restored_sites: 0,
        transactions: 0,
        rows: 0,
        removed: None,
        foreign: 0,
        changed_since: input.root.as_ref().map(|_| 0),
    };
    let mut foreign = Vec::new();
    let mut tenants: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut restored = BTreeSet::new();
    if ledger::exists(&mut connection).await.map_err(failed)? {
        let entries = sqlx::query(ENTRIES).bind(&input.run).fetch_all(&mut connection).await.map_err(failed)?;
        for row in &entries {
            let number = |column: usize| row.try_get::<i64, _>(column).map_err(failed);
            let (inserted, writes) = (number(3)?, u64::try_from(number(4)?).unwrap_or_default());
            let text = |column: usize| row.try_get::<String, _>(column).map_err(failed);
            let (key, tenant, detail) = (text(0)?, text(1)?, ledger::detail(&text(5)?));
            if inserted == 0 && detail.undone_by.is_some() && detail.tables.is_empty() {
                // The mark of an undo that nothing is to be restored under this key: no transaction of its own.
                continue;
            }
            // What the latest entry says of a table holds.
            tenants.entry(tenant.clone()).or_default().extend(detail.tables);
            stood.transactions += 1;
            if detail.removes.is_some() {
                *stood.removed.get_or_insert(0) += inserted.unsigned_abs();
            } else {
                stood.rows += inserted.unsigned_abs();
                if detail.undone_by.is_none() {
                    restored.insert(tenant);
                }
            }
            if writes != inserted.unsigned_abs() {
                stood.foreign += writes.abs_diff(inserted.unsigned_abs());
                let done = if inserted < 0 { "taken out" } else { "inserted" };
                foreign.push(format!("{key}: {} rows {done}, {writes} changes counted", inserted.unsigned_abs()));
            }
        }
    }
    stood.restored_sites = restored.len() as u64;
    if !foreign.is_empty() {
        return Err(Trouble::never("sqlite.bystanders", format!("{live}: {}", listed(&foreign)))
            .hint("these transactions fired triggers; look at what the triggers write"));
    }
    if let Some(root) = &input.root {
        stood.changed_since = Some(changed(&mut connection, &live, root, &tenants).await?);
    }
    serde_json::to_value(stood).map_err(|error| Trouble::retry("sqlite.failed", error.to_string()))
}

/// Counts the tenants whose rows are more or fewer than our last transaction left them.
async fn changed(
    connection: &mut SqliteConnection,
    live: &Place,
    root: &Root,
    tenants: &BTreeMap<String, BTreeMap<String, u64>>,
) -> Result<u64, Trouble> {
    let failed = |error: sqlx::Error| database(live, &error);
    let tables = schema::tables(connection, "main").await.map_err(failed)?;
    let closure = Closure::new(&tables, root)?;
    let mut changed = BTreeSet::new();
    let written: BTreeSet<&String> = tenants.values().flat_map(BTreeMap::keys).collect();
    for table in written {
        let condition = closure.condition("main", table, "t");
        let text: Arc<str> = format!("SELECT count(*) FROM main.{} AS t WHERE {condition}", name(table)).into();
        for (tenant, counts) in tenants {
            let row = sqlx::query(sql(&text)).bind(tenant).fetch_one(&mut *connection).await.map_err(failed)?;
            let count: i64 = row.try_get(0).map_err(failed)?;
            if u64::try_from(count).ok() != Some(counts.get(table).copied().unwrap_or_default()) {
                changed.insert(tenant);
            }
        }
    }
    Ok(changed.len() as u64)
}
