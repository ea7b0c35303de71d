//! Reading runs, plans and groups, and finding out what is not as it was written.

use runtime::{JournalError, RunHead, RunSummary, StoredGroup};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::sql::{self, untext};
use super::trouble::{Failure, Trouble};
use crate::checksum;

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
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            let row = rows.first().ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
            let head = head(row)?;
            let parts: Vec<Option<Vec<u8>>> =
                rows.iter().map(|row| sql::maybe_unhex(row, "bytes")).collect::<Result<_, _>>()?;
            let plan = parts.into_iter().flatten().collect::<Vec<_>>().concat();
            let size: i64 = row.try_get("plan_size")?;
            let checksum = sql::unhex(row, "checksum")?;
            if sql::integer(plan.len() as u64) != size || checksum::plan(&head, &plan)[..] != checksum {
                return Err(JournalError::Corrupt(format!("the plan of run {run} is not what was stored")).into());
            }
            Ok((head, plan))
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
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            let first = rows.first().ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
            let next: i64 = first.try_get("next")?;
            let rows = if first.try_get::<Option<i64>, _>("seq")?.is_none() { &[] } else { rows };
            let groups: Vec<StoredGroup> =
                rows.iter().zip(from..).map(|(row, seq)| group(row, run, seq)).collect::<Result<_, _>>()?;
            let end = from.saturating_add(rows.len() as u64);
            if rows.len() < limit as usize && end < next.unsigned_abs() {
                let what = format!("run {run} ends after {end} groups, and had {next}");
                return Err(JournalError::Corrupt(what).into());
            }
            Ok(groups)
        })
        .await
    }

    pub(super) async fn read_runs(&self) -> Result<Vec<RunSummary>, JournalError> {
        let s = self.connections.schema();
        let message = format!(
            "SELECT {HEAD}, p.next, CASE WHEN p.expires_at > (SELECT {s}.now_ms()) THEN encode(p.holder, 'hex') END AS holder \
             FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id ORDER BY r.created_at DESC, r.id DESC"
        );
        self.asked(message, |answers| {
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            rows.iter().map(summary).collect()
        })
        .await
    }
}

/// Columns of a [`RunHead`].
const HEAD: &str = "encode(r.name, 'hex') AS name, encode(r.plan_hash, 'hex') AS plan_hash, r.created_at";

fn head(row: &PgRow) -> Result<RunHead, sqlx::Error> {
    let (run, plan_hash) = (untext(row, "name")?, untext(row, "plan_hash")?);
    Ok(RunHead { run, plan_hash, created_at: row.try_get("created_at")? })
}

fn summary(row: &PgRow) -> Result<RunSummary, Failure> {
    let next: i64 = row.try_get("next")?;
    let held_by = match row.try_get::<Option<&str>, _>("holder")? {
        Some(_) => Some(untext(row, "holder")?),
        None => None,
    };
    Ok(RunSummary { head: head(row)?, groups: next.unsigned_abs(), held_by })
}

fn group(row: &PgRow, run: &str, seq: u64) -> Result<StoredGroup, Failure> {
    let found: i64 = row.try_get("seq")?;
    if found != sql::integer(seq) {
        return Err(JournalError::Corrupt(format!("group {seq} of run {run} is missing before group {found}")).into());
    }
    let epoch: i64 = row.try_get("epoch")?;
    let bytes = sql::unhex(row, "bytes")?;
    if checksum::group(run, seq, epoch.unsigned_abs(), &bytes)[..] != sql::unhex(row, "checksum")? {
        return Err(JournalError::Corrupt(format!("group {seq} of run {run} fails its checksum")).into());
    }
    Ok(StoredGroup { seq, bytes })
}
