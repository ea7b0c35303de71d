//! Values and rows as every store of the lab holds them, and their form in JSON.

use serde_json::{Map, Value as Json};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, Row as _, Sqlite, TypeInfo, ValueRef};

/// One SQLite value with its storage class; reals compare by their bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Real(u64),
    Text(String),
    Blob(Vec<u8>),
}

/// The values of one row, in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

impl Value {
    pub(crate) fn real(number: f64) -> Self {
        Self::Real(number.to_bits())
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        if let Self::Int(n) = self { Some(*n) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Appends the JSON form: blobs become `{"$blob":"hex"}`.
    pub(crate) fn write_json(&self, out: &mut String) {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Null => out.write_str("null"),
            Self::Int(n) => write!(out, "{n}"),
            Self::Real(bits) => write!(out, "{:?}", f64::from_bits(*bits)),
            Self::Text(text) => {
                out.push_str(&Json::from(text.as_str()).to_string());
                Ok(())
            }
            Self::Blob(bytes) => write!(out, "{{\"$blob\":\"{}\"}}", hex(bytes)),
        };
    }

    /// The value of a JSON form; `None` if it is none that [`Value::write_json`] writes.
    pub(crate) fn from_json(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Null => Self::Null,
            Json::Number(n) => match n.as_i64() {
                Some(int) => Self::Int(int),
                None => Self::real(n.as_f64()?),
            },
            Json::String(text) => Self::Text(text.clone()),
            Json::Object(map) => Self::Blob(unhex(map.get("$blob")?.as_str()?)?),
            Json::Bool(_) | Json::Array(_) => return None,
        })
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of `names`, taken out of a JSON object; `None` if one is missing or no value.
pub(crate) fn row_from_json(names: &[&str], object: &Map<String, Json>) -> Option<Row> {
    names.iter().map(|name| Value::from_json(object.get(*name)?)).collect()
}

/// The values as SQLite takes them.
pub(crate) fn arguments<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<SqliteArguments, sqlx::Error> {
    let mut args = SqliteArguments::default();
    for value in values {
        match value {
            Value::Null => args.add(None::<i64>),
            Value::Int(n) => args.add(*n),
            Value::Real(bits) => args.add(f64::from_bits(*bits)),
            Value::Text(text) => args.add(text.clone()),
            Value::Blob(bytes) => args.add(bytes.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(args)
}

/// Reads a row with the storage class that each value really has in the file.
pub(crate) fn decode(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let mut out = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let raw = row.try_get_raw(i)?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            let class = raw.type_info().name().as_bytes().first().copied();
            match class {
                Some(b'I') => Value::Int(get(raw)?),
                Some(b'R') => Value::real(get(raw)?),
                Some(b'B') => Value::Blob(get(raw)?),
                _ => Value::Text(get(raw)?),
            }
        };
        out.push(value);
    }
    Ok(out)
}

fn get<'r, T: Decode<'r, Sqlite>>(raw: sqlx::sqlite::SqliteValueRef<'r>) -> Result<T, sqlx::Error> {
    T::decode(raw).map_err(sqlx::Error::Decode)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits?;
    if digits.len() % 2 == 1 {
        return None;
    }
    Some(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_value_survives_json() {
        for value in [
            Value::Null,
            Value::Int(i64::MIN),
            Value::real(2.5),
            Value::real(3.0),
            Value::from("tab\t\"q\" 東京"),
            Value::Blob(vec![0, 255, 16]),
        ] {
            let mut text = String::new();
            value.write_json(&mut text);
            assert_eq!(Value::from_json(&serde_json::from_str(&text).unwrap()), Some(value), "{text}");
        }
        assert_eq!(unhex("0g"), None);
        assert_eq!(unhex("012"), None);
    }
}
