//! What rows refer to outside of themselves: locked in the live database, made again if it is shared and gone.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::differing::{Asked, Differing, Shared};
use super::error::{RestoreError, SHOWN, failed};
use super::load::Ticket;
use super::origin::Origin;
use super::pair::Pair;
use super::sheet::{Reference, Sheet};
use super::ties::Open;
use crate::postgres::catalog::ForeignKey;
use crate::postgres::closure::Class;
use crate::postgres::quote::{columns, name, qualified};

/// Values of a key, each as texts of its columns, as one text array for each column.
type Columns = Vec<Vec<String>>;

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
        let mut gone = key.gone(live, &values).await?;
        if let Some(backup) = origin.server()
            && !is_empty(&gone)
            && pair.closure.tables[reference.parent].class == Class::Shared
        {
            make(live, backup, pair, &key, gone, &mut settled.made).await?;
            gone = key.gone(live, &values).await?;
        }
        if is_empty(&gone) {
            key.lock(live, &values).await?;
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

/// Returns what a tenant's rows refer to and would not find, and shared rows that differ; changes nothing.
///
/// `twin` names the temporary table in which the tenant's own rows of a table are staged.
pub(crate) async fn missing(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    (tenant, shared): (&str, &Shared),
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
        } else if let Some(backup) = origin.server()
            && pair.closure.tables[reference.parent].class == Class::Shared
        {
            // It would be made again.
            gone = key.gone(backup, &gone).await?;
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
    table: usize,
    label: String,
    pub(crate) qualified: String,
    columns: Vec<String>,
    /// `v."c1"::type = t."a" AND ...`
    pub(crate) matches: String,
    /// `unnest($1::text[], ...) AS v(...)`
    given: String,
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

    fn words(&self, sheet: &Sheet, reference: &Reference, gone: Columns) -> Vec<String> {
        let rows = gone.first().map_or(0, Vec::len).min(SHOWN + 1);
        let value = |at: usize| gone.iter().map(|column| column[at].as_str()).collect::<Vec<_>>().join(", ");
        (0..rows).map(|at| format!("{} ({}) -> {} ({})", sheet.label, reference.name, self.label, value(at))).collect()
    }

    /// Returns those values that no row has.
    async fn gone(&self, live: &mut PgConnection, values: &Columns) -> Result<Columns, RestoreError> {
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

    async fn ask(
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

/// Makes rows of a shared table again that are gone, after those that they refer to themselves.
fn make<'a>(
    live: &'a mut PgConnection,
    backup: &'a mut PgConnection,
    pair: &'a Pair,
    key: &'a Key,
    gone: Columns,
    made: &'a mut BTreeMap<String, u64>,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), RestoreError>> + Send + 'a>> {
    Box::pin(async move {
        let own: Vec<&ForeignKey> = pair.backup.foreign_keys.iter().filter(|fk| fk.child == key.table).collect();
        for fk in own.into_iter().filter(|fk| fk.parent != key.table) {
            let texts: Vec<String> = fk.columns.iter().map(|column| format!("t.{}::text", name(column))).collect();
            let set: Vec<String> = fk.columns.iter().map(|column| format!("t.{} IS NOT NULL", name(column))).collect();
            let select = format!(
                "SELECT DISTINCT ARRAY[{}] FROM {} AS t WHERE EXISTS (SELECT FROM {} WHERE {}) AND {}",
                texts.join(", "),
                key.qualified,
                key.given,
                key.matches,
                set.join(" AND ")
            );
            let values = key.ask(backup, select, &gone, "read shared rows").await?;
            let above = Key::new(pair, fk.parent, &fk.parent_columns);
            let values = turned(values, fk.columns.len());
            let gone = above.gone(live, &values).await?;
            // Only shared rows are made here; a tenant's row that is gone has its own restore.
            if !is_empty(&gone) && pair.closure.tables[fk.parent].class == Class::Shared {
                make(live, backup, pair, &above, gone, made).await?;
            }
        }
        let table = &pair.backup.tables[key.table];
        let stored: Vec<String> = table
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .map(|column| column.name.clone())
            .collect();
        let rows = key
            .ask(
                backup,
                format!(
                    "SELECT ARRAY[row_to_json(t)::text] FROM (SELECT {} FROM {} AS t WHERE EXISTS (SELECT FROM {} WHERE {})) AS t",
                    columns("t", &stored),
                    key.qualified,
                    key.given,
                    key.matches
                ),
                &gone,
                "read shared rows",
            )
            .await?;
        let rows: Vec<String> = rows.into_iter().flatten().collect();
        let list: Vec<String> = stored.iter().map(|column| name(column)).collect();
        let insert = format!(
            "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {2} FROM unnest($1::text[]) AS r, \
             json_populate_record(NULL::{0}, r::json) AS t",
            key.qualified,
            list.join(", "),
            columns("t", &stored)
        );
        let done = sqlx::query(AssertSqlSafe(insert))
            .bind(rows)
            .execute(live)
            .await
            .map_err(failed(format!("make shared rows of {} again", key.label)))?;
        *made.entry(key.label.clone()).or_insert(0) += done.rows_affected();
        Ok(())
    })
}

fn is_empty(columns: &Columns) -> bool {
    columns.first().is_none_or(Vec::is_empty)
}

/// Turns rows into columns.
fn turned(rows: Vec<Vec<String>>, width: usize) -> Columns {
    let mut turned = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        for (column, value) in turned.iter_mut().zip(row) {
            column.push(value);
        }
    }
    turned
}
