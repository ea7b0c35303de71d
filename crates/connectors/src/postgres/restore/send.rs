//! Tenants' rows on their way to the live database: from memory, or from server to server.

use std::borrow::Cow;

use futures::TryStreamExt;
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;

use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Form, Splitter};
use super::error::{RestoreError, failed};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::sheet::Sheet;
use super::source::{Cutter, Extract};
use super::statements::Statements;
use super::tally::Tally;
use super::ties::{Open, Ties};

/// Bytes that are handed to a server at once.
pub(crate) const CHUNK: usize = 512 * 1024;

/// What a transaction is about to commit.
pub(crate) struct Loaded {
    pub(crate) tallies: Vec<Tally>,
    pub(crate) left: Vec<(usize, usize, Open)>,
}

/// Sends what is held in memory: the rows of one tenant, or of several small ones together.
pub(super) async fn held(
    live: &mut PgConnection,
    pair: &Pair,
    statements: &Statements,
    extracts: &[&Extract],
    pace: &Pace,
) -> Result<(), RestoreError> {
    if let Some(at_once) = statements.at_once.as_ref().filter(|at_once| at_once.suits(extracts)) {
        pace.wait(extracts.iter().map(|extract| extract.size().1).sum()).await;
        return at_once.write(live, pair, extracts).await;
    }
    for (at, sheet) in pair.sheets.all.iter().enumerate() {
        let tables = || extracts.iter().map(|extract| &extract.tables[at]);
        let rows = tables().map(|rows| rows.tally.rows).sum();
        if rows == 0 {
            continue;
        }
        let mut copy = Copy::begin(live, sheet).await?;
        // One tenant's stream goes as it is, several are joined.
        let stream = match extracts {
            [one] => Cow::from(&one.tables[at].stream),
            _ => Cow::from(sheet.form.joined(tables().map(|rows| rows.stream.as_slice()))),
        };
        for chunk in stream.chunks(CHUNK) {
            pace.wait(chunk.len()).await;
            copy.send(chunk).await?;
        }
        copy.finish(rows).await?;
    }
    Ok(())
}

/// Reads from the one server and writes to the other at the same time.
pub(super) async fn streamed(
    live: &mut PgConnection,
    origin: &mut Origin,
    pair: &Pair,
    tenant: &str,
    pace: &Pace,
) -> Result<Loaded, RestoreError> {
    let mut ties = Ties::new(&pair.sheets);
    let mut tallies = vec![Tally::default(); pair.sheets.all.len()];
    let mut cutter = Cutter::default();
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        let mut messages = origin.rows(pair, table, tenant).await?;
        let mut splitter = Splitter::new(sheet.form);
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut sent = 0;
        loop {
            let message = messages.try_next().await?;
            if let Some(message) = &message {
                splitter.feed(message, |row| {
                    cutter.fields.find(sheet.form, row)?;
                    cutter.pass(sheet, row, &mut chunk, &mut tallies[table])?;
                    ties.see(&pair.sheets, table, row, &cutter.fields, 1);
                    Ok(())
                })?;
            }
            if chunk.len() >= CHUNK || (message.is_none() && !chunk.is_empty()) {
                pace.wait(chunk.len()).await;
                // A COPY for each chunk: an error of the server shows at the end of one, and no lock is waited for longer.
                let mut copy = Copy::begin(live, sheet).await?;
                if sheet.form == Form::Binary {
                    copy.send(BINARY_HEAD).await?;
                    chunk.extend_from_slice(BINARY_TAIL);
                }
                copy.send(&chunk).await?;
                copy.finish(tallies[table].rows - sent).await?;
                sent = tallies[table].rows;
                chunk.clear();
            }
            if message.is_none() {
                break;
            }
        }
        splitter.finish()?;
    }
    Ok(Loaded { tallies, left: ties.left(&pair.sheets) })
}

/// A COPY into a table.
pub(crate) struct Copy<'a> {
    copy: PgCopyIn<&'a mut PgConnection>,
    sheet: &'a Sheet,
}

impl<'a> Copy<'a> {
    pub(crate) async fn begin(live: &'a mut PgConnection, sheet: &'a Sheet) -> Result<Self, RestoreError> {
        let copy = live.copy_in_raw(&sheet.copy_in).await.map_err(failed(format!("write rows of {}", sheet.label)))?;
        Ok(Self { copy, sheet })
    }

    pub(crate) async fn send(&mut self, chunk: &[u8]) -> Result<(), RestoreError> {
        self.copy.send(chunk).await.map(drop).map_err(failed(format!("write rows of {}", self.sheet.label)))
    }

    pub(crate) async fn finish(self, expected: u64) -> Result<(), RestoreError> {
        let rows = self.copy.finish().await.map_err(failed(format!("write rows of {}", self.sheet.label)))?;
        if rows == expected {
            Ok(())
        } else {
            Err(RestoreError::Database {
                doing: format!("write rows of {}", self.sheet.label),
                state: None,
                why: format!("{expected} rows were sent, and the server took {rows}"),
            })
        }
    }
}
