//! What the deletion of tenants has left behind in rows of others: named with old values, and never written.
//!
//! A key that sets NULL, sets its default or cascades changes rows that refer to a deleted one, whosever they are.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::pair::Pair;
use crate::postgres::catalog::{Action, ForeignKey, TableKind};
use crate::postgres::quote::{literal, name, qualified};

/// Rows of one key that are listed at most.
const LISTED: usize = 1_000;

/// A row of somebody else that the deletion has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Residue {
    /// The table.
    pub table: String,
    /// The row's primary key, as text.
    pub key: String,
    /// Columns of the foreign key.
    pub columns: String,
    /// What they held.
    pub was: String,
    /// What they hold now; none if the row is gone.
    pub is: Option<String>,
}

/// Finds rows of others that referred to these tenants' rows and do so no more.
pub(crate) async fn find(
    backup: &mut PgConnection,
    live: &mut PgConnection,
    pair: &Pair,
    tenants: &[String],
) -> Result<Vec<Residue>, RestoreError> {
    let mut found = Vec::new();
    let wanted = pair.wanted(tenants.iter().map(String::as_str));
    for key in pair.backup.foreign_keys.iter().filter(|key| key.on_delete != Action::Refuse) {
        let child = &pair.backup.tables[key.child];
        let restored = pair.sheets.all.iter().any(|sheet| sheet.place == key.parent);
        // Without a key of its own a row cannot be named.
        if !restored || child.primary_key().is_empty() || child.kind == TableKind::Foreign {
            continue;
        }
        let was = referring(backup, pair, key, &wanted).await?;
        if was.is_empty() {
            continue;
        }
        let is = standing(live, pair, key, &was.keys().cloned().collect::<Vec<_>>()).await?;
        for (row, value) in was {
            let now = is.get(&row);
            if now != Some(&value) {
                found.push(Residue {
                    table: child.label(),
                    key: format!("({})=({row})", child.primary_key().join(", ")),
                    columns: key.columns.join(", "),
                    was: value,
                    is: now.cloned(),
                });
            }
        }
    }
    Ok(found)
}

/// Rows of others in the backup that refer to the tenants' rows: their keys, and what the columns hold.
async fn referring(
    backup: &mut PgConnection,
    pair: &Pair,
    key: &ForeignKey,
    wanted: &str,
) -> Result<BTreeMap<String, String>, RestoreError> {
    let child = &pair.backup.tables[key.child];
    let Some(parents) = pair.closure.rows(&pair.backup, key.parent, wanted) else { return Ok(BTreeMap::new()) };
    let named: Vec<String> =
        key.parent_columns.iter().enumerate().map(|(at, column)| format!("t.{} AS c{at}", name(column))).collect();
    let equal: Vec<String> =
        key.columns.iter().enumerate().map(|(at, column)| format!("p.c{at} = t.{}", name(column))).collect();
    let (from, others) = match pair.closure.rows(&pair.backup, key.child, wanted) {
        Some(rows) => (rows.from, format!("NOT coalesce({} = ANY({wanted}), false)", rows.tenant)),
        None => (format!("{} AS t", qualified(&child.schema, &child.name)), "true".to_owned()),
    };
    let select = format!(
        "SELECT {}, {} FROM {from} WHERE {others} AND EXISTS (SELECT FROM ({}) AS p WHERE {}) ORDER BY 1 LIMIT {LISTED}",
        text(child.primary_key()),
        text(&key.columns),
        parents.select(&named.join(", ")),
        equal.join(" AND ")
    );
    pairs(backup, select, child.label()).await
}

/// What the columns of these rows hold now.
async fn standing(
    live: &mut PgConnection,
    pair: &Pair,
    key: &ForeignKey,
    rows: &[String],
) -> Result<BTreeMap<String, String>, RestoreError> {
    let child = &pair.backup.tables[key.child];
    let listed: Vec<String> = rows.iter().map(|row| literal(row)).collect();
    let select = format!(
        "SELECT {0}, {1} FROM {2} AS t WHERE {0} IN ({3})",
        text(child.primary_key()),
        text(&key.columns),
        qualified(&child.schema, &child.name),
        listed.join(", ")
    );
    pairs(live, select, child.label()).await
}

async fn pairs(
    connection: &mut PgConnection,
    select: String,
    label: String,
) -> Result<BTreeMap<String, String>, RestoreError> {
    let doing = failed(format!("look what the deletion left in {label}"));
    let found: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(select)).fetch_all(connection).await.map_err(doing)?;
    Ok(found.into_iter().collect())
}

/// Columns of `t` as one text, NULL as `NULL`.
fn text(columns: &[String]) -> String {
    let each: Vec<String> =
        columns.iter().map(|column| format!("coalesce(t.{}::text, 'NULL')", name(column))).collect();
    format!("concat_ws(', ', {})", each.join(", "))
}
