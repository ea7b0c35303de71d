//! Reading tenants out of the backup: many small ones in one stream for each table, a large one by itself.

use std::collections::HashMap;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Fields, Form, Splitter};
use super::error::{RestoreError, failed};
use super::pair::Pair;
use super::session::run;
use super::sheet::Sheet;
use super::tally::Tally;
use super::ties::Ties;

/// Share of all tenants below which those asked for are few.
const FEW: f32 = 0.2;
const BY_INDEX: &str =
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
const AS_IT_LIKES: &str =
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

/// A tenant's rows of all tables, held in memory.
#[derive(Debug)]
pub(crate) struct Extract {
    pub(crate) tables: Vec<Rows>,
    pub(crate) ties: Ties,
}

impl Extract {
    /// Rows, and bytes of their streams.
    pub(crate) fn size(&self) -> (u64, usize) {
        let size = |rows: &Rows| (rows.tally.rows, rows.stream.len());
        self.tables.iter().map(size).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// What was seen of each table.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.tables.iter().map(|rows| rows.tally).collect()
    }
}

/// Rows of one table, ready to be sent.
#[derive(Debug)]
pub(crate) struct Rows {
    /// A whole COPY stream; empty if there are no rows.
    pub(crate) stream: Vec<u8>,
    pub(crate) tally: Tally,
}

/// Writes the COPY statement that gives a table's rows of tenants, the tenant's ID before each.
pub(crate) fn copy_out(pair: &Pair, sheet: &Sheet, wanted: &str) -> String {
    let rows = pair.closure.rows(&pair.backup, sheet.place, wanted);
    let select = rows.map(|rows| rows.select(&format!("{{tenant}}::text, {}", sheet.list("t")))).unwrap_or_default();
    format!("COPY ({select}) TO STDOUT (FORMAT {})", sheet.form.option())
}

/// Returns tenants of the backup among those asked for, as the root's key is written, with their rows.
pub(crate) async fn sizes(
    connection: &mut PgConnection,
    pair: &Pair,
    asked: &[String],
) -> Result<HashMap<String, u64>, RestoreError> {
    let mut found = HashMap::new();
    // Of few tenants among many the rows are found by index, however large the server takes them to be.
    let few = (asked.len() as f32) < pair.backup.tables[pair.closure.root].estimated_rows * FEW;
    run(connection, if few { BY_INDEX } else { AS_IT_LIKES }, "set up the session").await?;
    let wanted = pair.wanted(asked.iter().map(String::as_str));
    for sheet in &pair.sheets.all {
        let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { continue };
        let count = format!(
            "SELECT r.tenant::text, count(*) FROM ({}) AS r GROUP BY r.tenant",
            rows.select("{tenant} AS tenant")
        );
        let counted: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(count))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed(format!("count rows of {}", sheet.label)))?;
        for (tenant, rows) in counted {
            *found.entry(tenant).or_insert(0) += u64::try_from(rows).unwrap_or(0);
        }
    }
    run(connection, AS_IT_LIKES, "set up the session").await?;
    Ok(found)
}

/// Reads all rows of tenants that fit into memory together; each table is read once for all of them.
pub(crate) async fn group(
    connection: &mut PgConnection,
    pair: &Pair,
    tenants: &[String],
) -> Result<Vec<Extract>, RestoreError> {
    // A group is small by its count of rows, which the server cannot know: by its own guess, so many tenants of common
    // size, it would rather read whole tables.
    run(connection, BY_INDEX, "set up the session").await?;
    let wanted = pair.wanted(tenants.iter().map(String::as_str));
    let places: HashMap<&[u8], usize> = tenants.iter().enumerate().map(|(at, id)| (id.as_bytes(), at)).collect();
    let mut extracts: Vec<Extract> = tenants
        .iter()
        .map(|_| Extract { tables: Vec::with_capacity(pair.sheets.all.len()), ties: Ties::new(&pair.sheets) })
        .collect();
    let mut cutter = Cutter::default();
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        for extract in &mut extracts {
            extract.tables.push(Rows { stream: Vec::new(), tally: Tally::default() });
        }
        let mut last = 0;
        read(connection, &copy_out(pair, sheet, &wanted), sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            let owner = cutter.fields.value(row, 0).ok_or(RestoreError::Stream("a row is nobody's"))?;
            if tenants.get(last).is_none_or(|id| id.as_bytes() != owner) {
                last = *places.get(owner).ok_or(RestoreError::Stream("a row is of a tenant that was not asked for"))?;
            }
            let Extract { tables, ties } = &mut extracts[last];
            let rows = &mut tables[table];
            if rows.stream.is_empty() && sheet.form == Form::Binary {
                rows.stream.extend_from_slice(BINARY_HEAD);
            }
            cutter.pass(sheet, row, &mut rows.stream, &mut rows.tally)?;
            ties.see(&pair.sheets, table, row, &cutter.fields, 1);
            Ok(())
        })
        .await?;
        for extract in &mut extracts {
            let stream = &mut extract.tables[table].stream;
            if !stream.is_empty() && sheet.form == Form::Binary {
                stream.extend_from_slice(BINARY_TAIL);
            }
        }
    }
    run(connection, AS_IT_LIKES, "set up the session").await?;
    Ok(extracts)
}

/// Runs a COPY ... TO STDOUT and hands on each row.
///
/// # Cancel safety
/// A connection whose stream was not read to its end is of no more use.
pub(crate) async fn read(
    connection: &mut PgConnection,
    copy: &str,
    sheet: &Sheet,
    mut row: impl FnMut(&[u8]) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    let doing = || failed(format!("read rows of {}", sheet.label));
    let mut stream = connection.copy_out_raw(copy).await.map_err(doing())?;
    let mut splitter = Splitter::new(sheet.form);
    while let Some(message) = stream.try_next().await.map_err(doing())? {
        splitter.feed(&message, &mut row)?;
    }
    splitter.finish()
}

/// Turns a row with its tenant into one as it is written.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    pub(crate) fields: Fields,
}

impl Cutter {
    /// Counts a row whose fields were found, and appends its stored values to a stream.
    pub(crate) fn pass(
        &self,
        sheet: &Sheet,
        row: &[u8],
        stream: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), RestoreError> {
        self.write(sheet, row, sheet.stored.len(), stream)?;
        tally.add(self.fields.span(row, 1, self.fields.len()));
        Ok(())
    }

    /// Appends all values of a row to a stream, computed ones too.
    pub(crate) fn pass_all(&self, sheet: &Sheet, row: &[u8], stream: &mut Vec<u8>) -> Result<(), RestoreError> {
        self.write(sheet, row, sheet.stored.len() + sheet.computed.len(), stream)
    }

    fn write(&self, sheet: &Sheet, row: &[u8], written: usize, stream: &mut Vec<u8>) -> Result<(), RestoreError> {
        let all = sheet.stored.len() + sheet.computed.len();
        if self.fields.len() != all + 1 {
            return Err(RestoreError::Stream("a row has another number of values than its table has columns"));
        }
        match sheet.form {
            Form::Binary => {
                let count = i16::try_from(written).map_err(|_| RestoreError::Stream("a table has too many columns"))?;
                stream.extend_from_slice(&count.to_be_bytes());
                stream.extend_from_slice(self.fields.span(row, 1, written + 1));
            }
            Form::Text => {
                stream.extend_from_slice(self.fields.span(row, 1, written + 1));
                stream.push(b'\n');
            }
        }
        Ok(())
    }
}
