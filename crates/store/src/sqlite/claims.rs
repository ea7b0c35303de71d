//! Who is at work on what: one row a subject. What becomes of a row is the port's rule; here it is read and written.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Claims, JournalError, ToClaim, WorkClaim};
use sqlx::SqliteConnection;
use sqlx::types::Json;

use super::SqliteJournal;
use super::format::CLAIMS_SINCE;
use super::lease;
use super::trouble::Failure;
use super::work::Work;
use crate::rows;

/// A change of a claim.
pub(super) struct Change {
    pub(super) run: String,
    pub(super) subject: String,
    pub(super) expected: Option<String>,
    pub(super) to: Option<ToClaim>,
}

/// Sets a claim; 1 if it was as expected.
pub(super) async fn set(connection: &mut SqliteConnection, change: &Change, now: Millis) -> Result<u64, Failure> {
    let run = lease::run_id(connection, &change.run).await?;
    let row = sqlx::query("SELECT subject, who, since, until, notes FROM claims WHERE run = $1 AND subject = $2")
        .bind(run)
        .bind(&change.subject)
        .fetch_optional(&mut *connection)
        .await?;
    let before = row.as_ref().map(rows::claim).transpose()?;
    match WorkClaim::set(before, &change.subject, change.expected.as_deref(), change.to.as_ref(), now) {
        None => return Ok(0),
        Some(None) => {
            let forget = sqlx::query("DELETE FROM claims WHERE run = $1 AND subject = $2");
            forget.bind(run).bind(&change.subject).execute(connection).await?;
        }
        Some(Some(claim)) => {
            sqlx::query(
                "INSERT INTO claims (run, subject, who, since, until, notes) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (run, subject) DO UPDATE \
                 SET who = excluded.who, since = excluded.since, until = excluded.until, notes = excluded.notes",
            )
            .bind(run)
            .bind(&claim.subject)
            .bind(&claim.who)
            .bind(claim.since)
            .bind(claim.until)
            .bind(Json(&claim.notes))
            .execute(connection)
            .await?;
        }
    }
    Ok(1)
}

async fn of_run(connection: &mut SqliteConnection, run: &str) -> Result<Vec<WorkClaim>, Failure> {
    let run = lease::run_id(connection, run).await?;
    let found = sqlx::query("SELECT subject, who, since, until, notes FROM claims WHERE run = $1 ORDER BY subject")
        .bind(run)
        .fetch_all(connection)
        .await?;
    Ok(found.iter().map(rows::claim).collect::<Result<_, _>>()?)
}

#[async_trait]
impl Claims for SqliteJournal {
    async fn set_claim(
        &self,
        run: &str,
        subject: &str,
        expected: Option<&str>,
        to: Option<&ToClaim>,
    ) -> Result<bool, JournalError> {
        let (run, subject, expected) = (run.to_owned(), subject.to_owned(), expected.map(str::to_owned));
        let work = Work::SetClaim(Change { run, subject, expected, to: to.cloned() });
        self.change(work).await.map(|done| done.number == 1)
    }

    async fn claims(&self, run: &str) -> Result<Vec<WorkClaim>, JournalError> {
        let mut reader = self.reader.lock().await;
        let answer = match reader.get_since(CLAIMS_SINCE, &self.path, self.lock_wait).await? {
            Some(connection) => of_run(connection, run).await,
            None => {
                let connection = reader.get(&self.path, self.lock_wait).await?;
                lease::run_id(connection, run).await.map(|_| Vec::new())
            }
        };
        self.judge(&mut reader, answer)
    }
}
