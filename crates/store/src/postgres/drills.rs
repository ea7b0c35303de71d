//! The history of drills: one row a slot.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{DrillClaim, DrillEntry, DrillResult, Drills, JournalError};

use super::PostgresStore;
use super::sql;
use crate::rows::{self, Columns};

const COLUMNS: &str = "SELECT encode(drill, 'hex') AS drill, slot, encode(run, 'hex') AS run, claimed_at, \
     encode(runbook_hash, 'hex') AS runbook_hash, ended_at, good, proves, sites, encode(result, 'hex') AS result";

/// By two indexes that hold what proves alone: as many reads as there are good drills, and no judgement.
fn proofs(s: &str, by: Millis) -> String {
    let by = sql::signed(by);
    format!(
        "SELECT encode(run, 'hex') AS run FROM {s}.drills d WHERE proves AND (ended_at > {by} \
         OR slot = (SELECT slot FROM {s}.drills WHERE proves AND drill = d.drill AND ended_at <= {by} \
                    ORDER BY ended_at DESC, slot DESC LIMIT 1) \
         OR (drill, slot) = (SELECT drill, slot FROM {s}.drills WHERE proves AND runbook_hash = d.runbook_hash \
                             AND ended_at <= {by} ORDER BY ended_at DESC, slot DESC, drill DESC LIMIT 1)) \
         ORDER BY slot, d.drill"
    )
}

/// A condition that an index of its own answers, if a drill is named.
fn of(drill: Option<&str>) -> String {
    drill.map(|drill| format!("AND drill = {}", sql::text(drill))).unwrap_or_default()
}

impl PostgresStore {
    async fn entries(&self, which: &str) -> Result<Vec<DrillEntry>, JournalError> {
        let message = format!("{COLUMNS} FROM {}.drills WHERE {which}", self.connections.schema());
        self.asked(message, |answers| {
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            Ok(rows.iter().map(rows::drill).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn proven(&self, which: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        let by = sql::signed(by);
        let which =
            format!("proves AND {which} AND ended_at <= {by} ORDER BY ended_at DESC, slot DESC, drill DESC LIMIT 1");
        Ok(self.entries(&which).await?.pop())
    }
}

#[async_trait]
impl Drills for PostgresStore {
    async fn claim_drill(&self, claim: &DrillClaim) -> Result<bool, JournalError> {
        let message = format!(
            "INSERT INTO {s}.drills (drill, slot, run, claimed_at, runbook_hash) \
             VALUES ({drill}, {slot}, {run}, {at}, {hash}) ON CONFLICT (drill, slot) DO NOTHING",
            s = self.connections.schema(),
            drill = sql::text(&claim.drill),
            slot = sql::signed(claim.slot),
            run = sql::text(&claim.run),
            at = sql::signed(claim.at),
            hash = sql::text(&claim.runbook_hash),
        );
        let answers = self.connections.change(message, false).await?;
        Ok(answers.first().is_some_and(|answer| answer.changed == 1))
    }

    async fn finish_drill(&self, drill: &str, slot: Millis, result: &DrillResult) -> Result<bool, JournalError> {
        let message = format!(
            "UPDATE {s}.drills SET ended_at = {ended_at}, good = {good}, proves = {proves}, sites = {sites}, \
             result = {bytes} WHERE drill = {drill} AND slot = {slot} AND result IS NULL",
            s = self.connections.schema(),
            ended_at = sql::signed(result.ended_at),
            good = result.good,
            proves = result.proves,
            sites = result.sites,
            bytes = sql::bytes(&result.bytes),
            drill = sql::text(drill),
            slot = sql::signed(slot),
        );
        let answers = self.connections.change(message, false).await?;
        Ok(answers.first().is_some_and(|answer| answer.changed == 1))
    }

    async fn drills(&self, drill: Option<&str>, limit: u32) -> Result<Vec<DrillEntry>, JournalError> {
        self.entries(&format!("true {} ORDER BY slot DESC, drill DESC LIMIT {limit}", of(drill))).await
    }

    async fn first_drill(&self, drill: &str) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.entries(&format!("true {} ORDER BY slot LIMIT 1", of(Some(drill)))).await?.pop())
    }

    async fn unfinished_drills(&self, drill: Option<&str>) -> Result<Vec<DrillEntry>, JournalError> {
        self.entries(&format!("result IS NULL {} ORDER BY slot, drill", of(drill))).await
    }

    async fn last_good_drill(&self, drill: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        self.proven(&format!("drill = {}", sql::text(drill)), by).await
    }

    async fn certificate(&self, runbook_hash: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        self.proven(&format!("runbook_hash = {}", sql::text(runbook_hash)), by).await
    }

    async fn proofs(&self, by: Millis) -> Result<Vec<String>, JournalError> {
        self.asked(proofs(self.connections.schema(), by), |answers| {
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            Ok(rows.iter().map(|row| row.text("run")).collect::<Result<_, _>>()?)
        })
        .await
    }
}
