//! What rows refer to outside of themselves: locked in the live database, made again by `shared` if it is shared and gone.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection};

use super::differing::{Asked, Differing, Shared};
use super::error::{RestoreError, SHOWN, failed};
use super::load::Ticket;
use super::origin::Origin;
use super::pair::Pair;
use super::shared::Makes;
use super::sheet::{Reference, Sheet};
use super::ties::Open;
use crate::postgres::closure::Class;
use crate::postgres::quote::{columns, name, qualified};

/// Values of a key, each as texts of its columns, as one text array for each column.
pub(super) type Columns = Vec<Vec<String>>;

/// What came of the rows that a tenant's rows refer to.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Rows of shared tables that were made again, by table.
    pub(crate) made: BTreeMap<String, u64>,
    /// Rows of shared tables that differ from the backup's.
    pub(crate) differs: Differing,
}

/// Sees to it that what a tenant's rows refer to is there until COMMIT.
///
/// Rows referred to are locked as a foreign key locks them (FOR KEY SHARE), so that they cannot go before the commit.
pub(crate) async fn settle(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    ticket: Ticket<'_>,
    left: Vec<(usize, usize, Open)>,
) -> Result<Settled, RestoreError> {
    let mut settled = Settled::default();
    let mut missing = Vec::new();
    let mut asked = Asked::default();
    let tenant = ticket.tenant;
    for (table, at, open) in left {
        let sheet = &pair.sheets.all[table];
        let reference = &sheet.references[at];
        let key = Key::of(pair, reference);
        let values = if open.all_rows {
            of_rows(live, pair, sheet, reference, tenant).await?
        } else {
            turned(open.values.into_iter().collect(), reference.columns.len())
        };
        // What is there is held before it is counted on: somebody may be about to delete it, and is waited for.
        key.lock(live, &values).await?;
        let mut gone = key.gone(live, &values).await?;
        if let Some(backup) = origin.server()
            && !is_empty(&gone)
            && let shared = key.nobodys(backup, pair, &gone).await?
            && !is_empty(&shared)
        {
            let mut makes = Makes::new(pair);
            makes.make(live, backup, &key, shared).await?;
            missing.append(&mut makes.missing);
            for (table, rows) in makes.made {
                *settled.made.entry(table).or_insert(0) += rows;
            }
            gone = key.gone(live, &values).await?;
        }
        if !reference.kept {
            gone = key.held(origin, gone).await?;
        }
        if is_empty(&gone) {
            asked.add(pair, reference, &values);
        } else {
            missing.extend(key.words(sheet, reference, gone));
        }
    }
    if !missing.is_empty() {
        return Err(RestoreError::References { tenant: tenant.to_owned(), missing });
    }
    if let Some(backup) = origin.server() {
        settled.differs = ticket.shared.differing(live, backup, pair, asked).await?;
    }
    Ok(settled)
}

/// Returns which of the rows that a tenant's rows refer to differ, once they were settled together with those of others:
/// nobody is asked again.
pub(crate) fn told(pair: &Pair, shared: &Shared, left: Vec<(usize, usize, Open)>) -> Differing {
    let mut asked = Asked::default();
    for (table, at, open) in left {
        let reference = &pair.sheets.all[table].references[at];
        asked.add(pair, reference, &turned(open.values.into_iter().collect(), reference.columns.len()));
    }
    shared.told(pair, &asked)
}

/// Returns what a tenant's rows refer to and would not find, and shared rows that differ; changes nothing.
///
/// `twin` names the temporary table in which the tenant's own rows of a table are staged; `run` are all tenants that come
/// back together.
pub(crate) async fn missing(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    (tenant, run, shared): (&str, &[String], &Shared),
    left: Vec<(usize, usize, Open)>,
    twin: impl Fn(usize) -> Option<String>,
) -> Result<(Vec<String>, Differing), RestoreError> {
    let mut missing = Vec::new();
    let mut asked = Asked::default();
    for (table, at, open) in left {
        let (sheet, reference) = (&pair.sheets.all[table], &pair.sheets.all[table].references[at]);
        let key = Key::of(pair, reference);
        let values = if open.all_rows {
            // Only a server can be asked; what files leave open is found when they are restored.
            let Some(backup) = origin.server() else { continue };
            of_rows(backup, pair, sheet, reference, tenant).await?
        } else {
            turned(open.values.into_iter().collect(), reference.columns.len())
        };
        asked.add(pair, reference, &values);
        let mut gone = key.gone(live, &values).await?;
        if let Some(twin) = twin(reference.parent) {
            // Its own rows would be there.
            gone = Key { qualified: twin, ..Key::of(pair, reference) }.gone(live, &gone).await?;
        }
        if let Some(backup) = origin.server()
            && !is_empty(&gone)
        {
            // Those would be made again.
            let shared = key.nobodys(backup, pair, &gone).await?;
            gone = without(gone, &shared);
        }
        if !reference.kept {
            gone = key.held(origin, gone).await?;
        }
        if let Some(backup) = origin.server()
            && !is_empty(&gone)
            && let others = pair.wanted(run.iter().filter(|other| *other != tenant).map(String::as_str))
            && let Some(rows) = pair.closure.rows(&pair.backup, reference.parent, &others)
        {
            // It comes back with another one.
            gone = Key { qualified: format!("({})", rows.select("t.*")), ..Key::of(pair, reference) }
                .gone(backup, &gone)
                .await?;
        }
        if !is_empty(&gone) {
            missing.extend(key.words(sheet, reference, gone));
        }
    }
    let differs = match origin.server() {
        Some(backup) => shared.differing(live, backup, pair, asked).await?,
        None => Differing::new(),
    };
    Ok((missing, differs))
}

/// Returns what live rows of a tenant refer to that is not there.
pub(crate) async fn dangling(
    live: &mut PgConnection,
    pair: &Pair,
    tenant: &str,
    left: Vec<(usize, usize, Open)>,
) -> Result<Vec<String>, RestoreError> {
    let mut missing = Vec::new();
    for (table, at, open) in left {
        let (sheet, reference) = (&pair.sheets.all[table], &pair.sheets.all[table].references[at]);
        if !reference.kept {
            // Nothing keeps it, so that it may have led nowhere since long before.
            continue;
        }
        let key = Key::of(pair, reference);
        let values = if open.all_rows {
            of_rows(live, pair, sheet, reference, tenant).await?
        } else {
            turned(open.values.into_iter().collect(), reference.columns.len())
        };
        let gone = key.gone(live, &values).await?;
        if !is_empty(&gone) {
            missing.extend(key.words(sheet, reference, gone));
        }
    }
    Ok(missing)
}

/// The key of a table that is referred to, and how to ask for it.
pub(crate) struct Key {
    pub(super) table: usize,
    pub(super) label: String,
    pub(crate) qualified: String,
    columns: Vec<String>,
    /// `v."c1"::type = t."a" AND ...`
    pub(crate) matches: String,
    /// `unnest($1::text[], ...) AS v(...)`
    pub(super) given: String,
}

impl Key {
    fn of(pair: &Pair, reference: &Reference) -> Self {
        Self::new(pair, reference.parent, &reference.parent_columns)
    }

    pub(crate) fn new(pair: &Pair, table: usize, columns: &[String]) -> Self {
        let it = &pair.backup.tables[table];
        let matches: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let data_type = it.column(column).map_or("text", |column| column.data_type.as_str());
                format!("t.{} = v.c{at}::{data_type}", name(column))
            })
            .collect();
        let arrays: Vec<String> = (1..=columns.len()).map(|at| format!("${at}::text[]")).collect();
        let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        Self {
            table,
            label: it.label(),
            qualified: qualified(&it.schema, &it.name),
            columns: columns.to_vec(),
            matches: matches.join(" AND "),
            given: format!("unnest({}) AS v({})", arrays.join(", "), names.join(", ")),
        }
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    fn words(&self, sheet: &Sheet, reference: &Reference, gone: Columns) -> Vec<String> {
        let rows = gone.first().map_or(0, Vec::len).min(SHOWN + 1);
        let value = |at: usize| gone.iter().map(|column| column[at].as_str()).collect::<Vec<_>>().join(", ");
        (0..rows).map(|at| format!("{} ({}) -> {} ({})", sheet.label, reference.name, self.label, value(at))).collect()
    }

    /// Returns those values that no row has.
    pub(super) async fn gone(&self, live: &mut PgConnection, values: &Columns) -> Result<Columns, RestoreError> {
        let given: Vec<String> = (0..self.columns.len()).map(|at| format!("v.c{at}")).collect();
        let select = format!(
            "SELECT ARRAY[{}] FROM {} WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})",
            given.join(", "),
            self.given,
            self.qualified,
            self.matches
        );
        let found = self.ask(live, select, values, "look for rows referred to").await?;
        Ok(turned(found, self.columns.len()))
    }

    /// Returns those values that a row of the backup has: where nothing keeps a reference, one that led nowhere there
    /// comes back as it was. Files cannot be asked.
    async fn held(&self, origin: &mut Origin, values: Columns) -> Result<Columns, RestoreError> {
        match origin.server() {
            Some(backup) if !is_empty(&values) => self.there(backup, &values, &self.qualified).await,
            _ => Ok(vec![Vec::new(); self.columns.len()]),
        }
    }

    /// Returns those values whose rows in the backup are shared: all of a shared table, and in a table of tenants' those
    /// that are nobody's.
    pub(super) async fn nobodys(
        &self,
        backup: &mut PgConnection,
        pair: &Pair,
        values: &Columns,
    ) -> Result<Columns, RestoreError> {
        match pair.closure.tables[self.table].class {
            Class::Shared => self.there(backup, values, &self.qualified).await,
            Class::Tenant if self.table != pair.closure.root => {
                let Some(rows) = pair.closure.rows(&pair.backup, self.table, "NULL") else { return Ok(Vec::new()) };
                let nobodys = format!("(SELECT t.* FROM {} WHERE {} IS NULL)", rows.from, rows.tenant);
                self.there(backup, values, &nobodys).await
            }
            _ => Ok(vec![Vec::new(); self.columns.len()]),
        }
    }

    /// Returns those values that a row of a table, or of a query in its place, has.
    async fn there(
        &self,
        connection: &mut PgConnection,
        values: &Columns,
        rows: &str,
    ) -> Result<Columns, RestoreError> {
        if is_empty(values) {
            return Ok(vec![Vec::new(); self.columns.len()]);
        }
        let given: Vec<String> = (0..self.columns.len()).map(|at| format!("v.c{at}")).collect();
        let select = format!(
            "SELECT ARRAY[{}] FROM {} WHERE EXISTS (SELECT FROM {rows} AS t WHERE {})",
            given.join(", "),
            self.given,
            self.matches
        );
        let found = self.ask(connection, select, values, "look for rows referred to").await?;
        Ok(turned(found, self.columns.len()))
    }

    async fn lock(&self, live: &mut PgConnection, values: &Columns) -> Result<(), RestoreError> {
        let select = format!(
            "SELECT ARRAY[]::text[] FROM {} AS t WHERE EXISTS (SELECT FROM {} WHERE {}) ORDER BY {} FOR KEY SHARE OF t",
            self.qualified,
            self.given,
            self.matches,
            columns("t", &self.columns)
        );
        self.ask(live, select, values, "lock rows referred to").await.map(drop)
    }

    pub(super) async fn ask(
        &self,
        connection: &mut PgConnection,
        select: String,
        values: &Columns,
        doing: &str,
    ) -> Result<Vec<Vec<String>>, RestoreError> {
        let mut query = sqlx::query_as::<_, (Vec<String>,)>(AssertSqlSafe(select));
        for column in values {
            query = query.bind(column.clone());
        }
        let found = query.fetch_all(connection).await.map_err(failed(format!("{doing} in {}", self.label)))?;
        Ok(found.into_iter().map(|(row,)| row).collect())
    }
}

/// Asks the tenant's rows themselves, in the live database, for the values of a reference.
async fn of_rows(
    live: &mut PgConnection,
    pair: &Pair,
    sheet: &Sheet,
    reference: &Reference,
    tenant: &str,
) -> Result<Columns, RestoreError> {
    let wanted = pair.wanted([tenant]);
    let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { return Ok(Vec::new()) };
    let texts: Vec<String> = reference.columns.iter().map(|column| format!("t.{}::text", name(column))).collect();
    let set: Vec<String> = (0..texts.len()).map(|at| format!("r.v[{}] IS NOT NULL", at + 1)).collect();
    let select = format!(
        "SELECT DISTINCT r.v FROM ({}) AS r WHERE {}",
        rows.select(&format!("ARRAY[{}] AS v", texts.join(", "))),
        set.join(" AND ")
    );
    let found: Vec<(Vec<String>,)> = sqlx::query_as(AssertSqlSafe(select))
        .fetch_all(live)
        .await
        .map_err(failed(format!("look what {} refer to", sheet.label)))?;
    Ok(turned(found.into_iter().map(|(value,)| value).collect(), reference.columns.len()))
}

/// Returns the values that are not among others.
pub(super) fn without(values: Columns, others: &Columns) -> Columns {
    let row = |of: &Columns, at: usize| of.iter().map(|column| column[at].clone()).collect::<Vec<_>>();
    let others: BTreeSet<Vec<String>> = (0..others.first().map_or(0, Vec::len)).map(|at| row(others, at)).collect();
    let rows = (0..values.first().map_or(0, Vec::len)).map(|at| row(&values, at));
    turned(rows.filter(|row| !others.contains(row)).collect(), values.len())
}

pub(super) fn is_empty(columns: &Columns) -> bool {
    columns.first().is_none_or(Vec::is_empty)
}

/// Turns rows into columns.
pub(super) fn turned(rows: Vec<Vec<String>>, width: usize) -> Columns {
    let mut turned = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        for (column, value) in turned.iter_mut().zip(row) {
            column.push(value);
        }
    }
    turned
}
