//! Taking a restore back: its rows go again, in one transaction with the ledger, and nothing that came since.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::back;
use super::error::{RestoreError, failed};
use super::ledger::{self, Detail, Entry};
use super::load::{begin, commit, rollback};
use super::pair::Pair;
use super::remap;
use super::session::{Live, run};
use super::sheet::Sheet;
use super::source::{self, Cutter};
use super::statements::writes;
use super::tally::{TableTally, Tally};
use crate::postgres::quote::{columns, name};

/// An undo of a restore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal<'a> {
    /// Key of this unit.
    pub(crate) key: &'a str,
    /// Key of the unit whose effect is taken back.
    pub(crate) undoes: &'a str,
    /// Number of the attempt.
    pub(crate) token: i64,
    pub(crate) run: &'a str,
    /// The tenant, as the root's key is written.
    pub(crate) tenant: &'a str,
    /// Whether rows that were changed or added since go as well.
    pub(crate) whatever: bool,
}

/// Takes one tenant's restore back; returns how many rows went.
///
/// # Errors
/// If the rows are not as the restore left them, or rows that stay refer to them. Nothing was changed then.
///
/// # Cancel safety
/// The connection is of no more use; the server rolls back unless COMMIT was on its way.
pub(crate) async fn remove(live: &mut Live, pair: &Pair, removal: Removal<'_>) -> Result<u64, RestoreError> {
    ledger::make(&mut live.connection).await?;
    begin(&mut live.connection).await?;
    match attempt(live, pair, removal).await {
        Ok(rows) => commit(&mut live.connection).await.map(|()| rows),
        Err(error) => {
            rollback(&mut live.connection).await?;
            Err(error)
        }
    }
}

async fn attempt(live: &mut Live, pair: &Pair, removal: Removal<'_>) -> Result<u64, RestoreError> {
    let connection = &mut live.connection;
    // After every attempt of the restore that is still on its way, and of this undo.
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 1)), pg_advisory_xact_lock(hashtextextended($2, 1))",
    )
    .bind(removal.undoes)
    .bind(removal.key)
    .execute(&mut *connection)
    .await
    .map_err(failed("wait for the restore"))?;
    let own = format!("{}/{}", removal.key, removal.tenant);
    let its = format!("{}/{}", removal.undoes, removal.tenant);
    if let Some(entry) = ledger::row(connection, &own).await? {
        if entry.token > removal.token {
            return Err(RestoreError::Stale { token: removal.token, seen: entry.token });
        }
        return Ok(entry.inserted);
    }
    let found = match ledger::row(connection, &its).await? {
        Some(entry) => Some(entry),
        None => ledger::renamed(connection, removal.undoes, removal.tenant).await?,
    };
    // Under new IDs the rows are another tenant's than the one that the restore was asked for.
    let (its, tenant) = match &found {
        Some(entry) => (entry.key.clone(), entry.tenant.clone()),
        None => (its, removal.tenant.to_owned()),
    };
    let parts = ledger::chunks(connection, &its).await?;
    // Whoever restores under this new ID at the same time goes on from the map, or finds that it is gone.
    let is_remapped = found.as_ref().is_some_and(|entry| entry.undone_by.is_none() && entry.detail.remapped.is_some());
    if is_remapped {
        remap::claim(connection, &pair.label(pair.closure.root), &tenant).await?;
    }
    let (rows, mark) = match found {
        Some(entry) if entry.undone_by.is_none() => {
            (take(live, pair, &removal, &tenant, &Left::of(&parts, Some(entry))).await?, true)
        }
        // It never was; an attempt of it that arrives late must find that it is too late.
        None if parts.is_empty() => (0, true),
        // Only a part of it came.
        None => (take(live, pair, &removal, &tenant, &Left::of(&parts, None)).await?, true),
        Some(_) => (0, false),
    };
    let connection = &mut live.connection;
    if is_remapped {
        remap::forget(connection, &its).await?;
    }
    let detail = Detail { removes: Some(its.clone()), noisy: pair.noisy || !live.quiet, ..Detail::default() };
    let detail =
        serde_json::to_string(&detail).map_err(|_| RestoreError::Stream("the ledger's row cannot be written"))?;
    const OWN: &str = "INSERT INTO reinstate.ledger (key, token, run, root, tenant, rows, inserted, updated, begun_lsn, detail) \
        VALUES ($1, $2, $3, $4, $5, 0, $6, 0, pg_current_wal_insert_lsn(), $7::text::jsonb)";
    let root = pair.label(pair.closure.root);
    let error = || failed("write the ledger");
    sqlx::query(OWN)
        .bind(&own)
        .bind(removal.token)
        .bind(removal.run)
        .bind(&root)
        .bind(&tenant)
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .bind(&detail)
        .execute(&mut *connection)
        .await
        .map_err(error())?;
    if mark {
        // Its parts too, if it has any.
        const PARTS: &str = "UPDATE reinstate.ledger SET undone_by = $1 WHERE key = ANY($2)";
        let parts = ledger::chunks(connection, &its).await?;
        if !parts.is_empty() {
            let keys: Vec<String> = parts.into_iter().map(|part| part.key).collect();
            sqlx::query(PARTS).bind(removal.key).bind(keys).execute(&mut *connection).await.map_err(error())?;
        }
        const MARK: &str = "INSERT INTO reinstate.ledger AS l (key, token, run, root, tenant, rows, inserted, updated, begun_lsn, detail, undone_by) \
            VALUES ($1, 0, $2, $3, $4, 0, 0, 0, pg_current_wal_insert_lsn(), '{\"tables\": {}}', $5) \
            ON CONFLICT (key) DO UPDATE SET undone_by = excluded.undone_by";
        sqlx::query(MARK)
            .bind(&its)
            .bind(removal.run)
            .bind(&root)
            .bind(&tenant)
            .bind(removal.key)
            .execute(connection)
            .await
            .map_err(error())?;
    }
    Ok(rows)
}

/// What a restore left, be it in several transactions or only a part of it.
struct Left {
    rows: u64,
    inserted: u64,
    tables: BTreeMap<String, TableTally>,
}

impl Left {
    fn of(parts: &[Entry], whole: Option<Entry>) -> Self {
        let inserted: u64 = parts.iter().map(|part| part.inserted).sum();
        if let Some(whole) = whole {
            return Self { rows: whole.rows, inserted: inserted + whole.inserted, tables: whole.detail.tables };
        }
        let mut sums = BTreeMap::<&String, Tally>::new();
        for (table, tally) in parts.iter().flat_map(|part| &part.detail.tables) {
            sums.entry(table).or_default().join(&tally.into());
        }
        let tables = sums.into_iter().map(|(table, sum)| (table.clone(), (&sum).into())).collect();
        Self { rows: inserted, inserted, tables }
    }
}

/// Deletes a tenant's rows, if they are what the restore left.
async fn take(
    live: &mut Live,
    pair: &Pair,
    removal: &Removal<'_>,
    tenant: &str,
    left: &Left,
) -> Result<u64, RestoreError> {
    let changed = |differences: Vec<String>| RestoreError::ChangedSince { tenant: tenant.to_owned(), differences };
    // More than there are is fine: somebody deleted a part's rows, and they came again.
    if left.inserted < left.rows {
        // Which of the rows were there before was not kept.
        let some = left.rows - left.inserted;
        return Err(changed(vec![format!("{some} of {} rows were there before the restore", left.rows)]));
    }
    let before = writes(&mut live.connection).await?;
    let connection = &mut live.connection;
    let wanted = pair.wanted([tenant]);
    let mut tallies = vec![Tally::default(); pair.sheets.all.len()];
    let mut cutter = Cutter::default();
    for (at, (sheet, tally)) in pair.sheets.all.iter().zip(&mut tallies).enumerate() {
        let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { continue };
        // Locked, so that what is compared is what goes.
        let list = format!("t.tableoid AS reinstate_relation, t.ctid AS reinstate_place, {}", sheet.list("t"));
        let hold = format!("CREATE TEMP TABLE reinstate_gone_{at} ON COMMIT DROP AS {}", rows.select(&list));
        run(connection, &hold, "look for the rows").await?;
        let copy = format!(
            "COPY (SELECT ''::text, {} FROM pg_temp.reinstate_gone_{at} AS t) TO STDOUT (FORMAT {})",
            sheet.list("t"),
            sheet.form.option()
        );
        source::read(connection, &copy, sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            tally.add(cutter.fields.span(row, 1, cutter.fields.len()));
            Ok(())
        })
        .await?;
    }
    let now = back::named(pair, &tallies);
    if now != left.tables && !removal.whatever {
        let none = TableTally::default();
        let tables = now.keys().chain(left.tables.keys()).collect::<std::collections::BTreeSet<_>>();
        let differences = tables
            .into_iter()
            .map(|table| (table, left.tables.get(table).unwrap_or(&none), now.get(table).unwrap_or(&none)))
            .filter(|(_, was, is)| was != is)
            .map(|(table, was, is)| format!("{table}: {} rows were restored, {} are there", was.rows, is.rows));
        return Err(changed(differences.collect()));
    }
    let mut rows = 0;
    for (at, sheet) in pair.sheets.all.iter().enumerate().rev() {
        let delete = format!(
            "DELETE FROM {} AS t USING pg_temp.reinstate_gone_{at} AS g WHERE t.tableoid = g.reinstate_relation AND t.ctid = g.reinstate_place",
            sheet.qualified
        );
        let doing = failed(format!("delete rows of {}", sheet.label));
        rows += sqlx::query(AssertSqlSafe(delete)).execute(&mut *connection).await.map_err(doing)?.rows_affected();
    }
    let held: u64 = tallies.iter().map(|tally| tally.rows).sum();
    let wrote = writes(connection).await? - before;
    if rows != held || (live.counts && !pair.noisy && (wrote.inserted, wrote.updated) != (0, 0)) {
        // A row was changed by somebody between the look and the deletion.
        return Err(changed(vec![format!("{held} rows were found, {rows} deleted, and the server counted {wrote:?}")]));
    }
    for (at, sheet) in pair.sheets.all.iter().enumerate() {
        left_behind(connection, pair, at, sheet, tenant).await?;
    }
    Ok(rows)
}

/// Refuses if a row that stays refers to one that went: foreign keys may be quiet.
async fn left_behind(
    connection: &mut PgConnection,
    pair: &Pair,
    at: usize,
    sheet: &Sheet,
    tenant: &str,
) -> Result<(), RestoreError> {
    for key in pair.backup.foreign_keys.iter().filter(|key| key.parent == sheet.place) {
        let child = &pair.backup.tables[key.child];
        let pairs: Vec<String> = key
            .columns
            .iter()
            .zip(&key.parent_columns)
            .map(|(own, parent)| format!("t.{} = g.{}", name(own), name(parent)))
            .collect();
        let select = format!(
            "SELECT concat_ws(', ', {}) FROM {} AS t JOIN pg_temp.reinstate_gone_{at} AS g ON {} LIMIT 9",
            columns("t", &key.columns),
            crate::postgres::quote::qualified(&child.schema, &child.name),
            pairs.join(" AND ")
        );
        let found: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(select))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed(format!("look what refers to {}", sheet.label)))?;
        if !found.is_empty() {
            let words = found
                .into_iter()
                .map(|(value,)| format!("{} ({}) -> {} ({value})", child.label(), key.name, sheet.label));
            return Err(RestoreError::References { tenant: tenant.to_owned(), missing: words.collect() });
        }
    }
    Ok(())
}
