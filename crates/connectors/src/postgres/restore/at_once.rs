//! Small tenants' rows of all tables in one statement: a COPY for each table costs more than few rows.
//!
//! Each table's rows travel as an array of its row type, whose values have the form of a binary COPY. All tables are
//! filled by one statement that is planned once in a session.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{AssertSqlSafe, Encode, PgConnection, Postgres, Row, Type};

use super::copy_stream::{Fields, Form, Splitter};
use super::error::{RestoreError, failed};
use super::pair::Pair;
use super::source::Extract;
use crate::postgres::quote::{columns, name};

/// Rows up to which they go in at once: more of them go in faster by COPY.
const ROWS: u64 = 600;
/// Bytes up to which it does.
const BYTES: usize = 256 * 1024;
/// Tables up to which there is such a statement.
const TABLES: usize = 64;
/// Tenants below which to plan it does not pay.
pub(crate) const TENANTS: usize = 16;

/// The statement, and what its arguments are made of.
#[derive(Debug)]
pub(crate) struct AtOnce {
    text: String,
    tables: Vec<RowType>,
}

/// A table's row type in the live database.
#[derive(Debug)]
struct RowType {
    /// Number of the type of its arrays.
    array: u32,
    row: u32,
    /// Type of each column, and its place among the stored ones.
    columns: Vec<(u32, Option<usize>)>,
}

impl AtOnce {
    /// Makes the statement; `None` where rows do not travel in binary form, or where an INSERT is not what a COPY is.
    pub(crate) async fn of(live: &mut PgConnection, pair: &Pair) -> Result<Option<Self>, RestoreError> {
        let sheets = &pair.sheets.all;
        if sheets.len() > TABLES || sheets.iter().any(|sheet| sheet.form != Form::Binary) {
            return Ok(None);
        }
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.qualified.as_str()).collect();
        let error = || failed("read the tables' row types");
        // A rule rewrites an INSERT and not a COPY.
        let found = sqlx::query(
            "SELECT t.typarray, t.oid, array_agg(a.atttypid ORDER BY a.attnum), array_agg(a.attname::text ORDER BY a.attnum), \
               array_agg((SELECT d.typtype = 'd' FROM pg_type AS d WHERE d.oid = a.atttypid) ORDER BY a.attnum) \
             FROM unnest($1::text[]) WITH ORDINALITY AS w(name, at) JOIN pg_class AS c ON c.oid = w.name::regclass \
             JOIN pg_type AS t ON t.oid = c.reltype \
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE NOT c.relhasrules GROUP BY w.at, t.typarray, t.oid ORDER BY w.at",
        )
        .bind(names)
        .fetch_all(live)
        .await
        .map_err(error())?;
        if found.len() != sheets.len() {
            return Ok(None);
        }
        let mut tables = Vec::with_capacity(sheets.len());
        for (row, sheet) in found.iter().zip(sheets) {
            let types: Vec<Oid> = row.try_get(2).map_err(error())?;
            let names: Vec<String> = row.try_get(3).map_err(error())?;
            let place = |name: &String| sheet.stored.iter().position(|stored| stored == name);
            let domains: Vec<bool> = row.try_get(4).map_err(error())?;
            // What is not inserted travels as NULL, which a domain may refuse.
            if names.iter().zip(domains).any(|(name, is_domain)| is_domain && place(name).is_none()) {
                return Ok(None);
            }
            let number = |at: usize| row.try_get::<Oid, _>(at).map(|oid| oid.0).map_err(error());
            tables.push(RowType {
                array: number(0)?,
                row: number(1)?,
                columns: types.iter().zip(&names).map(|(oid, name)| (oid.0, place(name))).collect(),
            });
        }
        let insert = |(at, sheet): (usize, &super::sheet::Sheet)| {
            let stored = sheet.stored.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
            format!(
                "i{at} AS (INSERT INTO {} ({stored}) OVERRIDING SYSTEM VALUE SELECT {} FROM unnest(${}) AS u RETURNING 1)",
                sheet.qualified,
                columns("u", &sheet.stored),
                at + 1
            )
        };
        let inserts: Vec<String> = sheets.iter().enumerate().map(insert).collect();
        let counts: Vec<String> = (0..sheets.len()).map(|at| format!("(SELECT count(*) FROM i{at})")).collect();
        let text = format!("WITH {} SELECT ARRAY[{}]", inserts.join(", "), counts.join(", "));
        Ok(Some(Self { text, tables }))
    }

    /// Whether rows are few, and in so many of the tables that those without any cost less than COPYs would.
    pub(crate) fn suits(&self, extracts: &[&Extract]) -> bool {
        let (rows, bytes) = extracts.iter().map(|extract| extract.size()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let filled = |at: &usize| extracts.iter().any(|extract| extract.tables[*at].tally.rows > 0);
        let tables = self.tables.len();
        rows <= ROWS && bytes <= BYTES && (0..tables).filter(filled).count() * 2 >= tables
    }

    /// Writes all rows.
    ///
    /// # Errors
    /// As a COPY of them.
    pub(crate) async fn write(
        &self,
        live: &mut PgConnection,
        pair: &Pair,
        extracts: &[&Extract],
    ) -> Result<(), RestoreError> {
        let mut query = sqlx::query_as::<_, (Vec<i64>,)>(AssertSqlSafe(self.text.clone()));
        for (at, table) in self.tables.iter().enumerate() {
            query = query.bind(table.array(extracts.iter().map(|extract| extract.tables[at].stream.as_slice()))?);
        }
        let (counts,) = query.fetch_one(live).await.map_err(failed("write rows of small tenants"))?;
        for (at, (count, sheet)) in counts.iter().zip(&pair.sheets.all).enumerate() {
            let sent: u64 = extracts.iter().map(|extract| extract.tables[at].tally.rows).sum();
            if u64::try_from(*count) != Ok(sent) {
                return Err(RestoreError::Database {
                    doing: format!("write rows of {}", sheet.label),
                    state: None,
                    why: format!("{sent} rows were sent, and the server took {count}"),
                });
            }
        }
        Ok(())
    }
}

impl RowType {
    /// Makes an array of the rows of binary COPY streams; an empty one has no rows.
    fn array<'s>(&self, streams: impl Iterator<Item = &'s [u8]>) -> Result<Rows, RestoreError> {
        let mut bytes = Vec::new();
        let mut count: i32 = 0;
        let mut fields = Fields::default();
        for stream in streams.filter(|stream| !stream.is_empty()) {
            if bytes.is_empty() {
                // One dimension, no NULL among the rows; how many there are is written when they are counted.
                put(&mut bytes, [1, 0, self.row.cast_signed(), 0, 1]);
            }
            let mut splitter = Splitter::new(Form::Binary);
            splitter.feed(stream, |row| {
                fields.find(Form::Binary, row)?;
                count += 1;
                let begin = bytes.len();
                put(&mut bytes, [0, i32::try_from(self.columns.len()).unwrap_or(i32::MAX)]);
                for (oid, place) in &self.columns {
                    put(&mut bytes, [oid.cast_signed()]);
                    match place {
                        Some(place) => bytes.extend_from_slice(fields.span(row, *place, place + 1)),
                        // Computed, or with a default of its own: not among what is inserted.
                        None => put(&mut bytes, [-1]),
                    }
                }
                let length =
                    i32::try_from(bytes.len() - begin - 4).map_err(|_| RestoreError::Stream("a row is too long"))?;
                bytes[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
                Ok(())
            })?;
            splitter.finish()?;
        }
        if bytes.is_empty() {
            put(&mut bytes, [0, 0, self.row.cast_signed()]);
        } else {
            bytes[12..16].copy_from_slice(&count.to_be_bytes());
        }
        Ok(Rows { array: Oid(self.array), bytes })
    }
}

fn put<const N: usize>(bytes: &mut Vec<u8>, numbers: [i32; N]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
}

/// An array of rows, as the server reads it.
struct Rows {
    array: Oid,
    bytes: Vec<u8>,
}

impl Type<Postgres> for Rows {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("record[]")
    }
}

impl Encode<'_, Postgres> for Rows {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(self.array))
    }
}
