//! `check/sql@1`: a query answers what is expected.

use std::sync::Arc;

use futures::TryStreamExt;
use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row, TypeInfo, ValueRef};

use super::difference;
use crate::answer::{Trouble, revealed};
use crate::sqlite::{Place, database, read_only, sql};

/// Rows that are read.
const ROWS: usize = 1_000;

/// Inputs of `check/sql@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckSql {
    /// SQLite file.
    url: String,
    /// One statement that reads.
    query: String,
    /// Values of `?1`, `?2`, ...
    #[serde(default)]
    args: Vec<Value>,
    /// A plain value: the first column of the only row. A map: held by the only row. A list: held by all rows in order.
    expect: Value,
}

/// Outputs of `check/sql@1`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Rows {
    /// The rows, column by column.
    rows: Vec<Map<String, Value>>,
}

/// Queries and compares.
pub(crate) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let check: CheckSql = revealed(&call.with, &call.secrets)?;
    tokio::select! {
        answer = look(call, check) => answer,
        () = tokio::time::sleep(call.timeout) => {
            let limit = humantime::format_duration(call.timeout);
            Err(Trouble::retry("sqlite.timeout", format!("no answer within {limit}")))
        }
        () = call.cancel.cancelled() => Err(Trouble::retry("sqlite.cancelled", "cancelled")),
    }
}

async fn look(call: &Call, check: CheckSql) -> Result<Value, Trouble> {
    let place = Place::new(&check.url);
    let failed = |error: sqlx::Error| database(&place, &error);
    let mut connection = read_only(&place).await?;
    let text: Arc<str> = check.query.into();
    let mut query = sqlx::query(sql(&text)).persistent(false);
    for value in &check.args {
        query = match value {
            Value::Null => query.bind(None::<i64>),
            Value::Bool(value) => query.bind(*value),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => query.bind(integer),
                None => query.bind(number.as_f64()),
            },
            Value::String(text) => query.bind(text.clone()),
            other => query.bind(other.to_string()),
        };
    }
    let mut rows = Vec::new();
    let mut found = query.fetch(&mut connection);
    while let Some(row) = found.try_next().await.map_err(failed)? {
        if rows.len() == ROWS {
            return Err(Trouble::never("check.too_many", format!("{place}: the query gives more than {ROWS} rows"))
                .hint("aggregate in the query"));
        }
        rows.push(Value::Object(json_row(&row).map_err(failed)?));
    }
    drop(found);
    let difference = match &check.expect {
        Value::Array(_) => difference(&check.expect, &Value::Array(rows.clone()), &call.secrets),
        Value::Object(_) => only(&rows, call).or_else(|| difference(&check.expect, &rows[0], &call.secrets)),
        plain => only(&rows, call).or_else(|| {
            let first = rows[0].as_object().and_then(|row| row.values().next()).unwrap_or(&Value::Null);
            difference(plain, first, &call.secrets)
        }),
    };
    match difference {
        None => Ok(json!({ "rows": rows })),
        Some(difference) => Err(Trouble::retry("check.mismatch", format!("{place}: {difference}"))),
    }
}

fn only(rows: &[Value], call: &Call) -> Option<String> {
    let expected = json!({ "rows": 1 });
    difference(&expected, &json!({ "rows": rows.len() }), &call.secrets)
}

fn json_row(row: &SqliteRow) -> Result<Map<String, Value>, sqlx::Error> {
    let mut members = Map::new();
    for column in row.columns() {
        let raw = row.try_get_raw(column.ordinal())?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().name() {
                "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(column.ordinal())?.into(),
                "REAL" => row.try_get_unchecked::<f64, _>(column.ordinal())?.into(),
                "BLOB" => {
                    let bytes: Vec<u8> = row.try_get_unchecked(column.ordinal())?;
                    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    json!({ "$blob": hex })
                }
                _ => row.try_get_unchecked::<String, _>(column.ordinal())?.into(),
            }
        };
        members.insert(column.name().to_owned(), value);
    }
    Ok(members)
}
