//! Values on their way to and from PostgreSQL, which knows the type of everything.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, Column, Row as _, TypeInfo};

use crate::schema::Kind;
use crate::value::{Row, Value, hex};

/// Whole numbers, reals, texts and blobs as what they are; a missing value is a missing text.
pub(super) fn plain(values: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut args = PgArguments::default();
    for value in values {
        add(&mut args, value, Kind::Text)?;
    }
    Ok(args)
}

/// The values of these columns: a missing one has the type of its column, so that a statement stays prepared.
pub(super) fn arguments(kinds: &[Kind], values: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut args = PgArguments::default();
    for (kind, value) in kinds.iter().zip(values) {
        add(&mut args, value, *kind)?;
    }
    Ok(args)
}

fn add(args: &mut PgArguments, value: &Value, kind: Kind) -> Result<(), sqlx::Error> {
    match (value, kind) {
        (Value::Null, Kind::Int) => args.add(None::<i64>),
        (Value::Null, Kind::Real) => args.add(None::<f64>),
        (Value::Null, Kind::Blob) => args.add(None::<Vec<u8>>),
        (Value::Null, Kind::Text | Kind::Time | Kind::Json) => args.add(None::<String>),
        (Value::Int(n), _) => args.add(*n),
        (Value::Real(bits), _) => args.add(f64::from_bits(*bits)),
        (Value::Text(text), _) => args.add(text.clone()),
        (Value::Blob(bytes), _) => args.add(bytes.clone()),
    }
    .map_err(sqlx::Error::Encode)
}

/// Reads a row as the lab holds it: instants and documents as text.
pub(super) fn decode(row: &PgRow) -> Result<Row, sqlx::Error> {
    let mut out = Vec::with_capacity(row.len());
    for (i, column) in row.columns().iter().enumerate() {
        let value = match column.type_info().name() {
            "INT8" => row.try_get::<Option<i64>, _>(i)?.into(),
            "INT4" => row.try_get::<Option<i32>, _>(i)?.map(i64::from).into(),
            "BOOL" => row.try_get::<Option<bool>, _>(i)?.map(i64::from).into(),
            "FLOAT8" => row.try_get::<Option<f64>, _>(i)?.map_or(Value::Null, Value::real),
            "BYTEA" => row.try_get::<Option<Vec<u8>>, _>(i)?.map_or(Value::Null, Value::Blob),
            "TIMESTAMPTZ" => row.try_get::<Option<DateTime<Utc>>, _>(i)?.map(|at| instant(&at)).into(),
            "JSONB" => row.try_get::<Option<serde_json::Value>, _>(i)?.map(|json| json.to_string()).into(),
            _ => row.try_get::<Option<String>, _>(i)?.into(),
        };
        out.push(value);
    }
    Ok(out)
}

/// The lab's instants have milliseconds; whatever is finer came from elsewhere and must be seen.
fn instant(at: &DateTime<Utc>) -> String {
    let fine = at.timestamp_subsec_micros().is_multiple_of(1_000);
    at.to_rfc3339_opts(if fine { SecondsFormat::Millis } else { SecondsFormat::Micros }, true)
}

/// The lines of `COPY ... FROM STDIN` in its text format.
pub(super) fn copy_text(rows: &[Row]) -> String {
    let mut out = String::with_capacity(rows.len() * 120);
    for row in rows {
        for (i, value) in row.iter().enumerate() {
            if i > 0 {
                out.push('\t');
            }
            // Writing to a String cannot fail.
            let _ = match value {
                Value::Null => out.write_str("\\N"),
                Value::Int(n) => write!(out, "{n}"),
                Value::Real(bits) => write!(out, "{:?}", f64::from_bits(*bits)),
                Value::Text(text) => {
                    escape(&mut out, text);
                    Ok(())
                }
                Value::Blob(bytes) => write!(out, "\\\\x{}", hex(bytes)),
            };
        }
        out.push('\n');
    }
    out
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_text_hides_what_would_end_a_column_or_a_row() {
        let row = vec![Value::Int(1), Value::Null, Value::from("a\tb\\c\nd"), Value::Blob(vec![0, 255])];
        assert_eq!(copy_text(&[row]), "1\t\\N\ta\\tb\\\\c\\nd\t\\\\x00ff\n");
        assert_eq!(copy_text(&[vec![Value::real(2.5)]]), "2.5\n");
    }
}
