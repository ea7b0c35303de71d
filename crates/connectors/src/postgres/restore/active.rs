//! Whether a tenant was in use at the restore point: flags and states that a deletion sets first may be set too early.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::pair::Pair;
use crate::postgres::quote::{literal, name, qualified};

/// Columns of a tenant's own row, and the values as text that they must have in the backup; `None` is NULL.
pub(crate) type Active = BTreeMap<String, Option<String>>;

/// Finds tenants whose own rows say otherwise, each with what they say.
///
/// # Errors
/// `postgres.no_column` if the tenants' table has not such a column.
pub(crate) async fn inactive(
    backup: &mut PgConnection,
    pair: &Pair,
    active: &Active,
    tenants: &[String],
) -> Result<Vec<(String, String)>, RestoreError> {
    let root = &pair.backup.tables[pair.closure.root];
    if let Some(column) = active.keys().find(|column| root.column(column).is_none()) {
        return Err(RestoreError::NoColumn { table: root.label(), column: column.clone() });
    }
    if active.is_empty() || tenants.is_empty() {
        return Ok(Vec::new());
    }
    let (mut other, mut told) = (Vec::new(), Vec::new());
    for (column, value) in active {
        let is = format!("t.{}::text", name(column));
        let differs = match value {
            Some(value) => format!("{is} IS DISTINCT FROM {}", literal(value)),
            None => format!("{is} IS NOT NULL"),
        };
        told.push(format!(
            "CASE WHEN {differs} THEN {} || coalesce({is}, 'NULL') END",
            literal(&format!("{column} is "))
        ));
        other.push(differs);
    }
    let select = format!(
        "SELECT t.{key}::text, concat_ws(', ', {}) FROM {} AS t WHERE t.{key} = ANY({}) AND ({}) ORDER BY 1",
        told.join(", "),
        qualified(&root.schema, &root.name),
        pair.wanted(tenants.iter().map(String::as_str)),
        other.join(" OR "),
        key = name(&pair.closure.key),
    );
    sqlx::query_as(AssertSqlSafe(select))
        .fetch_all(backup)
        .await
        .map_err(failed("look whether the tenants were in use"))
}
