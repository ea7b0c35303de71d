//! Requests to the driver of a run. Looking for new ones is a read; only what is there is marked.

use async_trait::async_trait;
use runtime::{Fate, JournalError, KEPT_MS, Lease, Mailbox, Posted};
use sqlx::Row;

use super::PostgresStore;
use super::lease::{self, Standing, expiry};
use super::sql::{self, Answer};
use super::trouble::Failure;
use crate::rows::{self, WITHDRAWN};

/// The SQL that reads what became of a request.
fn fate_of(s: &str, id: u64) -> String {
    format!(
        "SELECT q.expires_at, q.taken_by IS NOT NULL AS taken, encode(q.answer, 'hex') AS answer, \
         coalesce(q.taken_by = p.epoch AND p.expires_at > {s}.now_ms(), false) AS live \
         FROM {s}.requests q LEFT JOIN {s}.positions p ON p.run = q.run WHERE q.id = {}",
        sql::unsigned(id)
    )
}

/// Reads the answer to [`fate_of`].
fn fate(answer: Option<&Answer>) -> Result<Fate, Failure> {
    Ok(rows::fate(answer.and_then(|answer| answer.rows.first()))?)
}

fn posted(answer: Option<&Answer>) -> Result<Vec<Posted>, Failure> {
    let found = answer.map(|answer| &answer.rows[..]).unwrap_or_default();
    Ok(found.iter().map(rows::posted).collect::<Result<_, _>>()?)
}

#[async_trait]
impl Mailbox for PostgresStore {
    async fn post(&self, run: &str, bytes: &[u8], ttl_ms: u64) -> Result<u64, JournalError> {
        let s = self.connections.schema();
        // Whoever draws a number keeps others from drawing one until it is visible: a taker that has seen one has seen all
        // below.
        let message = format!(
            "DELETE FROM {s}.requests q USING {s}.positions p \
             WHERE q.run = (SELECT id FROM {s}.runs WHERE name = {run}) AND p.run = q.run \
             AND q.expires_at <= {s}.now_ms() - {kept} \
             AND (q.taken_by IS NULL OR q.answer IS NOT NULL OR q.taken_by <> p.epoch);\n\
             {lock};\n\
             UPDATE {s}.store SET posted = posted + 1 WHERE EXISTS (SELECT 1 FROM {s}.runs WHERE name = {run});\n\
             INSERT INTO {s}.requests (id, run, expires_at, bytes) \
             SELECT posted, r.id, {expiry}, {bytes} FROM {s}.runs r, {s}.store WHERE r.name = {run} RETURNING id",
            lock = lease::lock_run(s, run),
            run = sql::text(run),
            kept = sql::unsigned(KEPT_MS),
            expiry = expiry(s, ttl_ms),
            bytes = sql::bytes(bytes),
        );
        let answers = self.connections.change(message, false).await?;
        let row = answers.last().and_then(|answer| answer.rows.first());
        let row = row.ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
        let id: i64 = row.try_get("id").map_err(|error| self.damage(error))?;
        Ok(id.unsigned_abs())
    }

    async fn take(&self, lease: &Lease, after: u64) -> Result<Vec<Posted>, JournalError> {
        let s = self.connections.schema();
        let (epoch, after) = (sql::unsigned(lease.epoch), sql::unsigned(after));
        let of_run = format!(
            "run = (SELECT id FROM {s}.runs WHERE name = {}) AND id > {after} AND answer IS NULL",
            sql::text(&lease.run)
        );
        let look = format!(
            "{standing};\n\
             SELECT count(CASE WHEN taken_by IS NULL AND expires_at > (SELECT {s}.now_ms()) THEN 1 END) AS waiting, \
             count(CASE WHEN taken_by = {epoch} THEN 1 END) AS taken FROM {s}.requests WHERE {of_run}",
            standing = lease::standing(s, &lease.run),
        );
        let (waiting, taken): (i64, i64) = self
            .asked(look, |answers| {
                let [standing, counts] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
                lease::is_newest(Standing::of(standing)?, lease)?;
                let row = counts.rows.first().ok_or(sqlx::Error::RowNotFound)?;
                Ok((row.try_get("waiting")?, row.try_get("taken")?))
            })
            .await?;
        if waiting == 0 && taken == 0 {
            return Ok(Vec::new());
        }
        // Who is no longer the newest marks nothing. What it marked before is its own, acted on or not.
        let take = format!(
            "UPDATE {s}.requests SET taken_by = {epoch} WHERE {of_run} AND taken_by IS NULL AND expires_at > {s}.now_ms() \
             AND EXISTS (SELECT 1 FROM {s}.positions p WHERE p.run = requests.run AND p.epoch = {epoch});\n\
             SELECT id, encode(bytes, 'hex') AS bytes FROM {s}.requests WHERE {of_run} AND taken_by = {epoch} ORDER BY id",
        );
        let answers = self.connections.change(take, true).await?;
        posted(answers.get(1)).map_err(|failure| self.unreadable(failure))
    }

    async fn answer(&self, lease: &Lease, id: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let s = self.connections.schema();
        // The first answer stays.
        let message = format!(
            "UPDATE {s}.requests q SET answer = coalesce(q.answer, {bytes}) FROM {s}.positions p \
             WHERE q.id = {id} AND q.run = (SELECT id FROM {s}.runs WHERE name = {run}) AND q.taken_by = {epoch} \
             AND p.run = q.run AND p.epoch = {epoch}",
            bytes = sql::bytes(bytes),
            id = sql::unsigned(id),
            run = sql::text(&lease.run),
            epoch = sql::unsigned(lease.epoch),
        );
        let answers = self.connections.change(message, true).await?;
        if answers.first().is_some_and(|answer| answer.changed == 1) {
            return Ok(());
        }
        self.refusal(lease).await?;
        Err(JournalError::NotTaken { run: lease.run.clone(), epoch: lease.epoch, id })
    }

    async fn fate(&self, id: u64) -> Result<Fate, JournalError> {
        self.asked(fate_of(self.connections.schema(), id), |answers| fate(answers.first())).await
    }

    async fn withdraw(&self, id: u64) -> Result<Fate, JournalError> {
        let s = self.connections.schema();
        let message = format!(
            "UPDATE {s}.requests SET expires_at = {never} WHERE id = {id} AND taken_by IS NULL;\n{fate}",
            never = sql::signed(WITHDRAWN),
            id = sql::unsigned(id),
            fate = fate_of(s, id),
        );
        let answers = self.connections.change(message, true).await?;
        fate(answers.get(1)).map_err(|failure| self.unreadable(failure))
    }
}
