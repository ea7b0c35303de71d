//! What stands in the way of a restore, found before the first write.

use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::{Row, SqliteConnection};

use super::file::{Place, database};
use super::input::Tenant;
use super::plan::Plan;
use super::quote::sql;
use super::statements::{CHANGES, ORPHAN, OWNED, SAME_KEY, TAKEN};
use super::tally::{Read, counter, row_hash};
use crate::answer::Trouble;

/// Conflicts that are named; the rest is counted.
const NAMED: usize = 8;

/// A way that is free.
pub(super) struct Clear {
    /// Rows that are there and equal: table and hash of each.
    pub(super) kept: Vec<(usize, u64)>,
    /// The connection's counter of changes before the first write.
    pub(super) changes: u64,
}

/// Looks at everything in the live file that the rows would meet.
///
/// # Errors
/// `sqlite.conflict` or `sqlite.foreign_key` with the rows named; the database's trouble.
pub(super) async fn look(
    connection: &mut SqliteConnection,
    live: &Place,
    plan: &Plan,
    tenant: &Tenant,
    source: &Read,
) -> Result<Clear, Trouble> {
    let failed = |error: sqlx::Error| database(live, &error);
    let (mut owned, mut same, mut taken, mut orphans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut changes = None;
    {
        let mut rows = tenant.bind(sqlx::query(sql(&plan.before))).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let table: i64 = row.try_get(0).map_err(failed)?;
            if table == CHANGES {
                changes = counter(&row, 2).map_err(failed)?;
                continue;
            }
            let at = usize::try_from(table).unwrap_or_default();
            match row.try_get::<i64, _>(1).map_err(failed)? {
                OWNED => owned.push((at, row_hash(&row, 2).map_err(failed)?)),
                SAME_KEY => same.push((at, row_hash(&row, 2).map_err(failed)?)),
                TAKEN => taken.push(row.try_get::<String, _>(2).map_err(failed)?),
                ORPHAN => orphans.push(row.try_get::<String, _>(2).map_err(failed)?),
                _ => {}
            }
        }
    }
    let changes = changes.ok_or_else(|| Trouble::retry("sqlite.failed", "the connection did not count its changes"))?;
    let expected = if owned.is_empty() && same.is_empty() { Default::default() } else { source.counted() };
    let mut left = expected.clone();
    let extra: Vec<usize> = owned
        .iter()
        .filter(|row| match left.get_mut(row) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .map(|(at, _)| *at)
        .collect();
    let differing: Vec<usize> = same.iter().filter(|row| !expected.contains_key(row)).map(|(at, _)| *at).collect();
    let mut conflicts = taken;
    conflicts.extend(name(connection, live, plan, tenant, &differing, true).await?);
    conflicts.extend(name(connection, live, plan, tenant, &extra, false).await?);
    if !conflicts.is_empty() {
        return Err(Trouble::never("sqlite.conflict", format!("{live}: {tenant}: {}", listed(&conflicts)))
            .hint("nothing was written; look at these rows, move or remove them, then try again"));
    }
    if !orphans.is_empty() {
        return Err(Trouble::never("sqlite.foreign_key", format!("{live}: {tenant}: {}", listed(&orphans)))
            .hint("nothing was written; restore the parent rows first"));
    }
    // A table without a key has its rows counted as owned, every other by key.
    let keyless = |at: usize| plan.tables.get(at).is_some_and(|table| table.differing.is_none());
    let mut kept = same;
    kept.extend(owned.into_iter().filter(|(at, _)| keyless(*at)));
    Ok(Clear { kept, changes })
}

/// Names the rows of some tables that differ from, or are not in, the recovered file.
async fn name(
    connection: &mut SqliteConnection,
    live: &Place,
    plan: &Plan,
    tenant: &Tenant,
    at: &[usize],
    differing: bool,
) -> Result<Vec<String>, Trouble> {
    let mut tables = at.to_vec();
    tables.sort_unstable();
    tables.dedup();
    let mut named = Vec::new();
    for table in tables.iter().filter_map(|at| plan.tables.get(*at)) {
        let text = if differing { &table.differing } else { &table.extra };
        match text {
            Some(text) => {
                let rows = tenant.bind(sqlx::query(sql(text)).persistent(false)).fetch_all(&mut *connection).await;
                for row in rows.map_err(|error| database(live, &error))? {
                    named.push(row.try_get::<String, _>(0).map_err(|error| database(live, &error))?);
                }
            }
            None => named.push(format!("rows of {} are not in the recovered file", table.name)),
        }
    }
    Ok(named)
}

/// Reads texts that name rows.
pub(super) async fn texts(
    connection: &mut SqliteConnection,
    live: &Place,
    text: &Arc<str>,
    tenant: &Tenant,
) -> Result<Vec<String>, Trouble> {
    let rows =
        tenant.bind(sqlx::query(sql(text))).fetch_all(connection).await.map_err(|error| database(live, &error))?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| database(live, &error))).collect()
}

/// Names the first few.
pub(super) fn listed(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let mut text = texts[..texts.len().min(NAMED)].join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}
