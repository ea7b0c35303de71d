//! Giving runs up: a row of `discarded` takes the place of the run's, then its rows go in pieces. What is freed the
//! server uses again by itself, once its autovacuum has passed.

use async_trait::async_trait;
use runtime::{JournalError, Lease, Retention};
use sqlx::Row;

use super::PostgresStore;
use super::lease::{self, Standing};
use super::sql;
use super::trouble::Failure;
use super::work::{Transaction, Work};
use crate::rows::Columns;

/// Bytes of groups that go in one transaction, and how many groups at most.
const PIECE: u32 = 2 << 20;
const GROUPS: u32 = 512;
/// Parts of a plan that go in one transaction, and attempts whose lines do: each keeps little.
const PARTS: u32 = 2;
const LOGS: u32 = 8;

/// Takes a run from the list. Its row is locked before its sites are looked at, as it is by who holds sites.
pub(super) async fn discard(transaction: &mut Transaction<'_>, held: &Lease) -> Result<(), Failure> {
    let (s, name) = (transaction.schema, sql::text(&held.run));
    let message = format!(
        "{begin}{lock};\n\
         {standing} FOR UPDATE OF p;\n\
         SELECT encode(site, 'hex') AS site, count(*) OVER () AS sites FROM {s}.held_sites \
         WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) ORDER BY held_sites.site LIMIT 1",
        begin = sql::begin(),
        lock = lease::lock_run(s, &held.run),
        standing = lease::standing(s, &held.run),
    );
    let answers = transaction.send(message).await?;
    let [.., standing, sites] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
    let run = lease::is_newest(Standing::of(standing)?, held)?.id;
    if let Some(row) = sites.rows.first() {
        let (site, all): (_, i64) = (row.text("site")?, row.try_get("sites")?);
        return Err(JournalError::SiteHeld { site, run: held.run.clone(), more: all.unsigned_abs() - 1 }.into());
    }
    let mut message = format!(
        "INSERT INTO {s}.discarded (run) VALUES ({run}); INSERT INTO {s}.spent (name) VALUES ({name}); \
         DELETE FROM {s}.runs WHERE id = {run}"
    );
    // Who sends orders in this moment has the row of `sent_orders`: its orders are there once that was waited for.
    for table in ["positions", "requests", "claims", "shares", "sent_orders", "orders"] {
        message.push_str(&format!("; DELETE FROM {s}.{table} WHERE run = {run}"));
    }
    transaction.send(message).await?;
    Ok(())
}

/// The message that deletes some rows of a discarded run, and the mark itself once nothing is left.
fn piece(s: &str, run: i64) -> String {
    let bytes = "SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM gone";
    format!(
        "WITH gone AS (DELETE FROM {s}.groups WHERE run = {run} AND seq IN (SELECT seq FROM \
         (SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM (SELECT seq, octet_length(bytes) AS size \
         FROM {s}.groups WHERE run = {run} ORDER BY seq LIMIT {GROUPS}) AS next) AS sized WHERE before < {PIECE}) \
         RETURNING octet_length(bytes) AS bytes) {bytes};\n\
         WITH gone AS (DELETE FROM {s}.plans WHERE run = {run} AND part IN \
         (SELECT part FROM {s}.plans WHERE run = {run} ORDER BY part LIMIT {PARTS}) RETURNING octet_length(bytes) AS bytes) {bytes};\n\
         WITH gone AS (DELETE FROM {s}.lines WHERE log IN (SELECT id FROM {s}.logs WHERE run = {run} ORDER BY unit, attempt LIMIT {LOGS}) \
         RETURNING octet_length(text) AS bytes) {bytes};\n\
         DELETE FROM {s}.logs WHERE id IN (SELECT id FROM {s}.logs WHERE run = {run} ORDER BY unit, attempt LIMIT {LOGS});\n\
         DELETE FROM {s}.log_weights WHERE run = {run};\n\
         DELETE FROM {s}.discarded WHERE run = {run} AND NOT EXISTS (SELECT 1 FROM {s}.groups WHERE run = {run}) \
         AND NOT EXISTS (SELECT 1 FROM {s}.plans WHERE run = {run}) AND NOT EXISTS (SELECT 1 FROM {s}.logs WHERE run = {run})"
    )
}

#[async_trait]
impl Retention for PostgresStore {
    async fn discard(&self, lease: &Lease) -> Result<(), JournalError> {
        self.transact(Work::Discard { lease }).await.map(drop)
    }

    async fn free(&self) -> Result<Option<u64>, JournalError> {
        let s = self.connections.schema();
        let first = |answers: &[sql::Answer], at: usize, column: &str| {
            let row = answers.get(at).and_then(|answer| answer.rows.first()).ok_or(sqlx::Error::RowNotFound)?;
            row.try_get::<Option<i64>, _>(column)
        };
        let oldest = self
            .asked(format!("SELECT min(run) AS run FROM {s}.discarded"), |answers| Ok(first(&answers, 0, "run")?))
            .await?;
        let Some(run) = oldest else { return Ok(None) };
        let answers = self.connections.change(piece(s, run), true).await?;
        let freed: Result<i64, sqlx::Error> =
            (0..3).map(|at| Ok(first(&answers, at, "bytes")?.unwrap_or_default())).sum();
        Ok(Some(freed.map_err(|error| self.damage(error))?.unsigned_abs()))
    }

    async fn spare(&self) -> Result<u64, JournalError> {
        Ok(0)
    }
}
