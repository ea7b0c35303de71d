//! `check/sql@1`: a query answers what is expected.

use std::sync::Arc;

use futures::TryStreamExt;
use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Connection, Row, TypeInfo, ValueRef};

use super::difference;
use crate::answer::{Trouble, revealed};
use crate::sqlite::{Place, database, read_only, sql};

/// Rows that are read.
const ROWS: usize = 1_000;

/// Inputs of `check/sql@1`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckSql {
    /// SQLite file, or `postgres://...`.
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
            Err(Trouble::retry("check.timeout", format!("no answer within {limit}")))
        }
        () = call.cancel.cancelled() => Err(Trouble::retry("check.cancelled", "cancelled")),
    }
}

async fn look(call: &Call, check: CheckSql) -> Result<Value, Trouble> {
    let (place, rows) = if is_server(&check.url) {
        (crate::postgres::without_password(&check.url), postgres(&check).await?)
    } else {
        let place = Place::new(&check.url);
        (place.to_string(), sqlite(&place, &check).await?)
    };
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

/// Whether a URL is that of a server, not of a file.
pub(crate) fn is_server(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

async fn sqlite(place: &Place, check: &CheckSql) -> Result<Vec<Value>, Trouble> {
    let failed = |error: sqlx::Error| database(place, &error);
    let mut connection = read_only(place).await?;
    let text: Arc<str> = check.query.as_str().into();
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
            return Err(too_many(place));
        }
        rows.push(Value::Object(json_row(&row).map_err(failed)?));
    }
    Ok(rows)
}

/// A query in a transaction that can only read; the server makes JSON of each row.
async fn postgres(check: &CheckSql) -> Result<Vec<Value>, Trouble> {
    let shown = crate::postgres::without_password(&check.url);
    let failed = |error: sqlx::Error| {
        let hint = "the query is run by PostgreSQL, in a transaction that can only read";
        Trouble::retry("postgres.failed", format!("{shown}: {}", crate::postgres::said(&error))).hint(hint)
    };
    let mut connection = crate::postgres::connect_patiently(&check.url)
        .await
        .map_err(|error| Trouble::retry(error.code(), error.to_string()).hint(error.hint()))?;
    let mut reading = connection.begin_with("BEGIN READ ONLY").await.map_err(failed)?;
    let query = filled(check.query.trim().trim_end_matches(';'), &check.args)?;
    let select = format!("SELECT row_to_json(q)::text FROM ({query}) AS q LIMIT {}", ROWS + 1);
    let found: Vec<(String,)> =
        sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_all(&mut *reading).await.map_err(failed)?;
    if found.len() > ROWS {
        return Err(too_many(&shown));
    }
    let read = |(text,): (String,)| serde_json::from_str(&text);
    found
        .into_iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|error| Trouble::retry("postgres.failed", format!("{shown}: {error}")))
}

/// Puts quoted values in the place of `?1`, `?2`, ... outside of texts: a literal takes the type that its place wants.
fn filled(query: &str, args: &[Value]) -> Result<String, Trouble> {
    let mut text = String::with_capacity(query.len());
    let mut quote = None;
    let mut rest = query.chars().peekable();
    while let Some(c) = rest.next() {
        if quote.is_none() && c == '?' && rest.peek().is_some_and(char::is_ascii_digit) {
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            let value = digits.parse::<usize>().ok().and_then(|number| args.get(number.checked_sub(1)?));
            let value = value.ok_or_else(|| {
                Trouble::never("inputs", format!("the query has ?{digits} and `args` has {} values", args.len()))
                    .hint("give one value for each")
            })?;
            text.push_str(&match value {
                Value::Null => "NULL".to_owned(),
                Value::String(value) => crate::postgres::literal(value),
                other => crate::postgres::literal(&other.to_string()),
            });
            continue;
        }
        match quote {
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ => {}
        }
        text.push(c);
    }
    Ok(text)
}

fn too_many(place: &dyn std::fmt::Display) -> Trouble {
    Trouble::never("check.too_many", format!("{place}: the query gives more than {ROWS} rows"))
        .hint("aggregate in the query")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_their_places_and_stay_values() {
        let fill = |query: &str, args: Value| filled(query, args.as_array().map(Vec::as_slice).unwrap_or_default());
        assert_eq!(
            fill("a = ?1 AND b = ?2", json!(["o'x", 7])).expect("it was made to be so"),
            "a = 'o''x' AND b = '7'"
        );
        assert_eq!(
            fill("'?1' || \"?1\" || ?1", json!([null])).expect("it was made to be so"),
            "'?1' || \"?1\" || NULL"
        );
        assert_eq!(
            fill("j ? 'key' AND x = ?1", json!(["a\\"])).expect("it was made to be so"),
            "j ? 'key' AND x = E'a\\\\'"
        );
        assert!(fill("a = ?2", json!(["x"])).is_err());
    }
}
