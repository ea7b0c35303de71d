//! The history of drills: one row a slot.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{DrillClaim, DrillEntry, DrillResult, Drills, JournalError};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::SqliteJournal;
use super::format::DRILLS_SINCE;
use super::trouble::Failure;
use super::work::Work;

const COLUMNS: &str = "SELECT drill, slot, run, claimed_at, runbook_hash, ended_at, good, sites, result FROM drills";

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
        "UPDATE drills SET ended_at = $3, good = $4, sites = $5, result = $6 \
         WHERE drill = $1 AND slot = $2 AND result IS NULL",
    )
    .bind(drill)
    .bind(slot)
    .bind(result.ended_at)
    .bind(result.good)
    .bind(result.sites)
    .bind(&result.bytes)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

fn entry(row: &SqliteRow) -> Result<DrillEntry, Failure> {
    let claim = DrillClaim {
        drill: row.try_get("drill")?,
        slot: row.try_get("slot")?,
        run: row.try_get("run")?,
        at: row.try_get("claimed_at")?,
        runbook_hash: row.try_get("runbook_hash")?,
    };
    let bytes: Option<Vec<u8>> = row.try_get("result")?;
    let result = match bytes {
        Some(bytes) => Some(DrillResult {
            ended_at: row.try_get("ended_at")?,
            good: row.try_get("good")?,
            sites: row.try_get("sites")?,
            bytes,
        }),
        None => None,
    };
    Ok(DrillEntry { claim, result })
}

impl SqliteJournal {
    /// Reads entries; there are none in a file of a format that did not know drills.
    async fn entries(
        &self,
        rest: &'static str,
        name: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DrillEntry>, JournalError> {
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(DRILLS_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let query = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {rest}"))).bind(name).bind(limit);
        let answer = match query.fetch_all(connection).await {
            Ok(rows) => rows.iter().map(entry).collect(),
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
        self.entries("WHERE $1 IS NULL OR drill = $1 ORDER BY slot DESC, drill DESC LIMIT $2", drill, limit).await
    }

    async fn unfinished_drills(&self, drill: Option<&str>) -> Result<Vec<DrillEntry>, JournalError> {
        let rest = "WHERE result IS NULL AND ($1 IS NULL OR drill = $1) ORDER BY slot, drill LIMIT $2";
        self.entries(rest, drill, u32::MAX).await
    }

    async fn last_good_drill(&self, drill: &str) -> Result<Option<DrillEntry>, JournalError> {
        let rest = "WHERE good AND drill = $1 ORDER BY ended_at DESC, slot DESC LIMIT $2";
        Ok(self.entries(rest, Some(drill), 1).await?.pop())
    }

    async fn certificate(&self, runbook_hash: &str) -> Result<Option<DrillEntry>, JournalError> {
        let rest = "WHERE good AND runbook_hash = $1 ORDER BY ended_at DESC, slot DESC LIMIT $2";
        Ok(self.entries(rest, Some(runbook_hash), 1).await?.pop())
    }
}
