//! SQL as text, and what the server answers to it.
//!
//! Every change is *one* message of the simple protocol, so that it takes one round trip and leaves nothing behind in the
//! session: no prepared statement, no setting. Therefore a pooler may give every message another server. What comes from
//! outside goes into the text only as digits of a number or of bytes, so there is nothing to escape.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Either, PgConnection, Row};

use crate::rows::{Columns, broken, integer};

/// How long the server may work on one statement, and wait for locks in it.
pub(super) const STATEMENT: Duration = Duration::from_secs(30);
/// How long the server lets a transaction of several messages stand still: a process that was stopped in the middle
/// must not keep others off the rows that it locked for as long as a lease. A message on its way counts as well, so none
/// inside of a transaction is long.
const STANDSTILL: Duration = Duration::from_secs(10);

/// Begins a message that reads; the server answers to it once.
pub(super) fn reading() -> String {
    format!("SET LOCAL statement_timeout = {};\n", STATEMENT.as_millis())
}

/// Begins a message that changes something; the server answers to it [`CHANGING`] times. What holds until the end of its
/// transaction is said each time, whatever the server, the role or whoever had the pooler's connection before has set:
/// conditions are checked again on rows that were waited for, and what is acknowledged is durable.
pub(super) fn changing() -> String {
    format!("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\nSET LOCAL synchronous_commit = on;\n{}", reading())
}

/// Answers to [`changing`].
pub(super) const CHANGING: usize = 3;

/// Begins a transaction of several messages.
pub(super) fn begin() -> String {
    format!("BEGIN;\n{}SET LOCAL idle_in_transaction_session_timeout = {};\n", changing(), STANDSTILL.as_millis())
}

/// What one statement answered.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<PgRow>,
    pub(super) changed: u64,
}

/// Sends one message and returns the answers to its statements, in order.
pub(super) async fn send(connection: &mut PgConnection, message: String) -> Result<Vec<Answer>, sqlx::Error> {
    let mut said = sqlx::raw_sql(AssertSqlSafe(message)).fetch_many(connection);
    let (mut answers, mut rows) = (Vec::new(), Vec::new());
    while let Some(next) = said.try_next().await? {
        match next {
            Either::Right(row) => rows.push(row),
            Either::Left(done) => {
                answers.push(Answer { rows: std::mem::take(&mut rows), changed: done.rows_affected() });
            }
        }
    }
    Ok(answers)
}

/// A number. PostgreSQL's are signed; what does not fit is larger than all that is stored.
pub(super) fn unsigned(number: u64) -> String {
    signed(integer(number))
}

/// A number, quoted: the smallest of all is none without quotes.
pub(super) fn signed(number: i64) -> String {
    format!("'{number}'::bigint")
}

/// Bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 16);
    text.push_str("decode('");
    push_hex(&mut text, bytes);
    text.push_str("','hex')");
    text
}

/// Text, as its bytes: it is kept to the letter, with zeros, and sorts by its bytes whatever the collation.
pub(super) fn text(text: &str) -> String {
    bytes(text.as_bytes())
}

/// An array of texts in hexadecimal digits; `decode(..., 'hex')` makes bytes of each again.
pub(super) fn hexes<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut array = "'{".to_owned();
    for (at, text) in texts.enumerate() {
        array.push_str(if at == 0 { "\"" } else { ",\"" });
        push_hex(&mut array, text.as_bytes());
        array.push('"');
    }
    array.push_str("}'::text[]");
    array
}

/// An array of numbers.
pub(super) fn numbers(numbers: impl Iterator<Item = i64>) -> String {
    let mut array = "'{".to_owned();
    for (at, number) in numbers.enumerate() {
        // Writing to a text cannot fail.
        let _ = write!(array, "{}{number}", if at == 0 { "" } else { "," });
    }
    array.push_str("}'::bigint[]");
    array
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| match pair {
        &[high, low] => u8::try_from(char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// Reads a column of texts in hexadecimal digits, as [`hexes`] writes it.
pub(super) fn texts(row: &PgRow, column: &str) -> Result<BTreeSet<String>, sqlx::Error> {
    let digits: Vec<String> = row.try_get(column)?;
    let text = |digits: &String| String::from_utf8(from_hex(digits)?).ok();
    digits.iter().map(text).collect::<Option<_>>().ok_or_else(|| broken(column))
}

/// Texts and bytes are asked for as `encode(..., 'hex')`, which no setting of the server writes otherwise.
impl Columns for PgRow {
    fn text(&self, column: &str) -> Result<String, sqlx::Error> {
        String::from_utf8(self.bytes(column)?).map_err(|_| broken(column))
    }

    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let Some(digits) = self.try_get::<Option<&str>, _>(column)? else { return Ok(None) };
        from_hex(digits).map(Some).ok_or_else(|| broken(column))
    }

    fn maybe_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        self.try_get(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_in_the_text_as_it_came() {
        assert_eq!(text("'; --\0"), "decode('273b202d2d00','hex')");
        assert_eq!(hexes(["", "a\"", "}"].into_iter()), "'{\"\",\"6122\",\"7d\"}'::text[]");
        assert_eq!(signed(i64::MIN), "'-9223372036854775808'::bigint");
        assert_eq!(unsigned(u64::MAX), "'9223372036854775807'::bigint");
        assert_eq!(
            (numbers([].into_iter()), numbers([1, 2].into_iter())),
            ("'{}'::bigint[]".into(), "'{1,2}'::bigint[]".into())
        );
    }
}
