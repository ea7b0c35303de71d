//! Who is at work on what: one row a subject. What becomes of a row is the port's rule; here it is read and written.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Claims, JournalError, ToClaim, WorkClaim};
use sqlx::Row;

use super::PostgresStore;
use super::lease;
use super::sql;
use super::trouble::Failure;
use super::work::{Transaction, Work};
use crate::rows;

/// A change of a claim.
pub(super) struct Change<'a> {
    pub(super) run: &'a str,
    pub(super) subject: &'a str,
    pub(super) expected: Option<&'a str>,
    pub(super) to: Option<&'a ToClaim>,
}

const COLUMNS: &str =
    "encode(subject, 'hex') AS subject, encode(who, 'hex') AS who, since, until, encode(notes, 'hex') AS notes";

/// Sets a claim and says whether it was as expected. The row of the run is locked before the claim is read.
pub(super) async fn set(transaction: &mut Transaction<'_>, change: &Change<'_>) -> Result<bool, Failure> {
    let s = transaction.schema;
    let (name, subject) = (sql::text(change.run), sql::text(change.subject));
    let message = format!(
        "{begin}{lock};\n\
         SELECT {s}.now_ms() AS now;\n\
         SELECT {COLUMNS} FROM {s}.claims WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) AND subject = {subject}",
        begin = sql::begin(),
        lock = lease::lock_run(s, change.run),
    );
    let answers = transaction.send(message).await?;
    let [.., runs, clock, claims] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
    let run = runs.rows.first().ok_or_else(|| JournalError::NoSuchRun(change.run.to_owned()))?;
    let run: i64 = run.try_get("id")?;
    let now: Millis = clock.rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("now")?;
    let before = claims.rows.first().map(rows::claim).transpose()?;
    let statement = match WorkClaim::set(before, change.subject, change.expected, change.to, now) {
        None => return Ok(false),
        Some(None) => format!("DELETE FROM {s}.claims WHERE run = {run} AND subject = {subject}"),
        Some(Some(claim)) => format!(
            "INSERT INTO {s}.claims (run, subject, who, since, until, notes) \
             VALUES ({run}, {subject}, {who}, {since}, {until}, {notes}) ON CONFLICT (run, subject) DO UPDATE \
             SET who = excluded.who, since = excluded.since, until = excluded.until, notes = excluded.notes",
            who = sql::text(&claim.who),
            since = sql::signed(claim.since),
            until = sql::signed(claim.until),
            notes =
                sql::bytes(&serde_json::to_vec(&claim.notes).map_err(|error| sqlx::Error::Encode(Box::new(error)))?),
        ),
    };
    transaction.send(statement).await?;
    Ok(true)
}

#[async_trait]
impl Claims for PostgresStore {
    async fn set_claim(
        &self,
        run: &str,
        subject: &str,
        expected: Option<&str>,
        to: Option<&ToClaim>,
    ) -> Result<bool, JournalError> {
        self.transact(Work::SetClaim(Change { run, subject, expected, to })).await.map(|done| done.changed)
    }

    async fn claims(&self, run: &str) -> Result<Vec<WorkClaim>, JournalError> {
        let (s, name) = (self.connections.schema(), sql::text(run));
        let message = format!(
            "SELECT id FROM {s}.runs WHERE name = {name};\n\
             SELECT {COLUMNS} FROM {s}.claims WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) ORDER BY claims.subject"
        );
        self.asked(message, |answers| {
            let [runs, claims] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            if runs.rows.is_empty() {
                return Err(JournalError::NoSuchRun(run.to_owned()).into());
            }
            Ok(claims.rows.iter().map(rows::claim).collect::<Result<_, _>>()?)
        })
        .await
    }
}
