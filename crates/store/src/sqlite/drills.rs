//! The history of drills: one row a slot.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{DrillClaim, DrillEntry, DrillResult, Drills, JournalError};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::SqliteJournal;
use super::format::DRILLS_SINCE;
use super::trouble::Failure;
use super::work::Work;
use crate::rows;

const COLUMNS: &str =
    "SELECT drill, slot, run, claimed_at, runbook_hash, ended_at, good, proves, sites, result FROM drills";

/// Claims a slot; 1 if nobody had.
pub(super) async fn claim(connection: &mut SqliteConnection, claim: &DrillClaim) -> Result<u64, Failure> {
    let done = sqlx::query(
        "INSERT INTO drills (drill, slot, run, claimed_at, runbook_hash) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (drill, slot) DO NOTHING",
    )
    .bind(&claim.drill)
    .bind(claim.slot)
    .bind(&claim.run)
    .bind(claim.at)
    .bind(&claim.runbook_hash)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Says what came of a slot; 1 if nobody had.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    drill: &str,
    slot: Millis,
    result: &DrillResult,
) -> Result<u64, Failure> {
    let done = sqlx::query(
        "UPDATE drills SET ended_at = $3, good = $4, proves = $5, sites = $6, result = $7 \
         WHERE drill = $1 AND slot = $2 AND result IS NULL",
    )
    .bind(drill)
    .bind(slot)
    .bind(result.ended_at)
    .bind(result.good)
    .bind(result.proves)
    .bind(result.sites)
    .bind(&result.bytes)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Which entries of a read; each has an index that gives them in their order.
pub(super) const NEWEST: &str = "ORDER BY slot DESC, drill DESC LIMIT $1";
pub(super) const NEWEST_OF: &str = "WHERE drill = $2 ORDER BY slot DESC LIMIT $1";
pub(super) const FIRST_OF: &str = "WHERE drill = $2 ORDER BY slot LIMIT $1";
pub(super) const OPEN: &str = "WHERE result IS NULL ORDER BY slot, drill LIMIT $1";
pub(super) const OPEN_OF: &str = "WHERE result IS NULL AND drill = $2 ORDER BY slot LIMIT $1";
pub(super) const LAST_GOOD: &str =
    "WHERE proves AND drill = $2 AND ended_at <= $3 ORDER BY ended_at DESC, slot DESC LIMIT $1";
pub(super) const CERTIFICATE: &str =
    "WHERE proves AND runbook_hash = $2 AND ended_at <= $3 ORDER BY ended_at DESC, slot DESC, drill DESC LIMIT $1";

/// By two indexes that hold what proves alone: as many reads as there are good drills, and no judgement.
const PROOFS: &str = "SELECT run FROM drills d WHERE proves AND (ended_at > $1 \
     OR slot = (SELECT slot FROM drills WHERE proves AND drill = d.drill AND ended_at <= $1 \
                ORDER BY ended_at DESC, slot DESC LIMIT 1) \
     OR (drill, slot) = (SELECT drill, slot FROM drills WHERE proves AND runbook_hash = d.runbook_hash \
                         AND ended_at <= $1 ORDER BY ended_at DESC, slot DESC, drill DESC LIMIT 1)) ORDER BY slot, drill";

impl SqliteJournal {
    /// Reads entries; there are none in a file of a format that did not know drills.
    async fn entries(
        &self,
        which: &'static str,
        limit: u32,
        (of, by): (Option<&str>, Option<Millis>),
    ) -> Result<Vec<DrillEntry>, JournalError> {
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(DRILLS_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let mut query = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {which}"))).bind(limit);
        query = of.into_iter().fold(query, |query, of| query.bind(of));
        query = by.into_iter().fold(query, |query, by| query.bind(by));
        let answer = match query.fetch_all(connection).await {
            Ok(found) => found.iter().map(|row| Ok(rows::drill(row)?)).collect(),
            Err(error) => Err(Failure::Sql(error)),
        };
        self.judge(&mut reader, answer)
    }
}

#[async_trait]
impl Drills for SqliteJournal {
    async fn claim_drill(&self, claim: &DrillClaim) -> Result<bool, JournalError> {
        self.change(Work::ClaimDrill(claim.clone())).await.map(|done| done.number == 1)
    }

    async fn finish_drill(&self, drill: &str, slot: Millis, result: &DrillResult) -> Result<bool, JournalError> {
        let work = Work::FinishDrill { drill: drill.to_owned(), slot, result: result.clone() };
        self.change(work).await.map(|done| done.number == 1)
    }

    async fn drills(&self, drill: Option<&str>, limit: u32) -> Result<Vec<DrillEntry>, JournalError> {
        self.entries(if drill.is_some() { NEWEST_OF } else { NEWEST }, limit, (drill, None)).await
    }

    async fn first_drill(&self, drill: &str) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.entries(FIRST_OF, 1, (Some(drill), None)).await?.pop())
    }

    async fn unfinished_drills(&self, drill: Option<&str>) -> Result<Vec<DrillEntry>, JournalError> {
        self.entries(if drill.is_some() { OPEN_OF } else { OPEN }, u32::MAX, (drill, None)).await
    }

    async fn last_good_drill(&self, drill: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.entries(LAST_GOOD, 1, (Some(drill), Some(by))).await?.pop())
    }

    async fn certificate(&self, runbook_hash: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.entries(CERTIFICATE, 1, (Some(runbook_hash), Some(by))).await?.pop())
    }

    async fn proofs(&self, by: Millis) -> Result<Vec<String>, JournalError> {
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(DRILLS_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let answer = sqlx::query_scalar(PROOFS).bind(by).fetch_all(connection).await.map_err(Failure::Sql);
        self.judge(&mut reader, answer)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Row as _};

    use super::*;
    use crate::sqlite::format;

    /// A history of years is read for its end, at every look of every daemon.
    #[tokio::test]
    async fn every_read_goes_by_an_index_and_sorts_nothing() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("it opens");
        format::make(&mut connection).await.expect("an empty file");
        for which in [NEWEST, NEWEST_OF, FIRST_OF, OPEN, OPEN_OF, LAST_GOOD, CERTIFICATE] {
            let text = format!("EXPLAIN QUERY PLAN {COLUMNS} {which}");
            let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut connection).await.expect("it is explained");
            let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").expect("a text")).collect();
            let by_index = steps.iter().all(|step| step.contains("USING") && !step.contains("TEMP B-TREE"));
            assert!(by_index && !steps.is_empty(), "{which}: {steps:?}");
        }
    }
}
