//! Reading runs, plans and groups, and finding out what is not as it was written.

use runtime::{JournalError, RunHead, RunSummary, StoredGroup};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::sql;
use super::trouble::{Failure, Trouble};
use crate::rows::{self, Columns};

impl PostgresStore {
    /// Asks for rows and makes something of them.
    pub(super) async fn asked<T>(
        &self,
        message: String,
        make: impl FnOnce(Vec<sql::Answer>) -> Result<T, Failure> + Send,
    ) -> Result<T, JournalError> {
        make(self.connections.read(message).await?).map_err(|failure| self.unreadable(failure))
    }

    /// Names what an answer says, or cannot say because it is not as it was written.
    pub(super) fn unreadable(&self, failure: Failure) -> JournalError {
        match failure {
            Failure::Refused(refusal) => refusal,
            other => Trouble::new(&self.connections.door.place, "reading", other).into_error(),
        }
    }

    pub(super) async fn read_plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        let s = self.connections.schema();
        let name = sql::text(run);
        // One statement, so that a run that is given up meanwhile is there whole or not at all.
        let message = format!(
            "SELECT {HEAD}, r.plan_size, encode(r.checksum, 'hex') AS checksum, encode(p.bytes, 'hex') AS bytes \
             FROM {s}.runs r LEFT JOIN {s}.plans p ON p.run = r.id WHERE r.name = {name} ORDER BY p.part"
        );
        self.asked(message, |answers| {
            let found = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            let row = found.first().ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
            let parts: Vec<Option<Vec<u8>>> =
                found.iter().map(|row| row.maybe_bytes("bytes")).collect::<Result<_, _>>()?;
            rows::plan(row, parts.into_iter().flatten().collect::<Vec<_>>().concat())
        })
        .await
    }

    pub(super) async fn read_groups(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        let s = self.connections.schema();
        // One statement, so that groups and their number are of the same moment.
        let message = format!(
            "SELECT p.next, g.seq, g.epoch, encode(g.checksum, 'hex') AS checksum, encode(g.bytes, 'hex') AS bytes \
             FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id LEFT JOIN \
             (SELECT * FROM {s}.groups WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) AND seq >= {from} \
              ORDER BY seq LIMIT {limit}) g ON g.run = r.id \
             WHERE r.name = {name} ORDER BY g.seq",
            name = sql::text(run),
            from = sql::unsigned(from),
        );
        self.asked(message, |answers| {
            let found = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            let first = found.first().ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
            let next = first.count("next")?;
            let found = if first.maybe_number("seq")?.is_none() { &[] } else { found };
            let groups = found.iter().zip(from..).map(|(row, seq)| rows::group(row, run, seq));
            let groups = groups.collect::<Result<_, Failure>>()?;
            rows::reaches(run, (from, found.len(), limit), next, "")?;
            Ok(groups)
        })
        .await
    }

    pub(super) async fn read_runs(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.read_summaries("ORDER BY r.created_at DESC, r.id DESC").await
    }

    /// Runs whose lease was not given back and is over.
    pub(super) async fn read_abandoned(&self) -> Result<Vec<RunSummary>, JournalError> {
        let (s, released) = (self.connections.schema(), sql::signed(rows::RELEASED));
        let left = format!("WHERE p.goes_on AND p.expires_at > {released} AND p.expires_at <= (SELECT {s}.now_ms())");
        self.read_summaries(&(left + " ORDER BY r.created_at, r.id")).await
    }

    async fn read_summaries(&self, rest: &str) -> Result<Vec<RunSummary>, JournalError> {
        let s = self.connections.schema();
        let message = format!(
            "SELECT {HEAD}, p.next, CASE WHEN p.expires_at > (SELECT {s}.now_ms()) THEN encode(p.holder, 'hex') END AS holder \
             FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id {rest}"
        );
        self.asked(message, |answers| {
            let found = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            found.iter().map(summary).collect()
        })
        .await
    }
}

/// Columns of a [`RunHead`].
const HEAD: &str = "encode(r.name, 'hex') AS name, encode(r.plan_hash, 'hex') AS plan_hash, r.created_at";

fn summary(row: &PgRow) -> Result<RunSummary, Failure> {
    let holder = row.maybe_bytes("holder")?.map(|_| row.text("holder")).transpose()?;
    Ok(RunSummary { head: rows::head(row)?, groups: row.count("next")?, held_by: holder })
}
