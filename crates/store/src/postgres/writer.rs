//! The writer: one task, one connection, and one message for all the groups that wait.
//!
//! While a commit is under way, groups gather; all of them go into the next message, which is one transaction. The database
//! compares number and epoch with the row of the run and sets it, so that nothing here need be believed.

use std::fmt::Write as _;
use std::sync::Arc;

use runtime::{Appended, JournalError, Lease};
use sqlx::{PgConnection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::connect::Door;
use super::connections::{close, send};
use super::sql;
use super::trouble::{Cause, Failure, Trouble};
use crate::checksum;

/// Groups that may wait.
pub(super) const QUEUE: usize = 1024;
/// Groups of one message, at most.
const BATCH: usize = 256;
/// Bytes after which a message takes no more.
const BATCH_BYTES: usize = 8 << 20;

/// A group on its way, and where its answer goes.
pub(super) struct Group {
    pub(super) lease: Lease,
    pub(super) expected: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<Appended, JournalError>>,
}

pub(super) struct Writer {
    door: Arc<Door>,
    connection: Option<PgConnection>,
}

impl Writer {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { door, connection: None }
    }

    /// Serves groups until nobody can send any more, then closes its connection.
    pub(super) async fn run(mut self, mut groups: mpsc::Receiver<Group>) {
        while let Some(first) = groups.recv().await {
            let mut weight = first.bytes.len();
            let mut batch = vec![first];
            while batch.len() < BATCH
                && weight < BATCH_BYTES
                && let Ok(next) = groups.try_recv()
            {
                weight += next.bytes.len();
                batch.push(next);
            }
            // Two processes then want the rows of runs in the same order. Groups of one run stay as they came.
            batch.sort_by(|one, next| one.lease.run.cmp(&next.lease.run));
            let answers = self.serve(&batch).await;
            for (group, answer) in batch.into_iter().zip(answers) {
                // Who no longer waits needs no answer.
                let _ = group.answer.send(answer);
            }
        }
        if let Some(connection) = self.connection.take() {
            close(connection).await;
        }
    }

    async fn serve(&mut self, batch: &[Group]) -> Vec<Result<Appended, JournalError>> {
        match self.append(batch).await {
            Ok(answers) => answers,
            Err(trouble) => {
                tracing::warn!(?trouble, groups = batch.len(), "groups could not be appended");
                batch.iter().map(|_| Err(trouble.clone().into_error())).collect()
            }
        }
    }

    /// Appends a batch. If the connection is lost nobody knows whether the transaction was: the same is said again, and
    /// a number that is taken is looked at, for only this process can have written that group under that epoch.
    async fn append(&mut self, batch: &[Group]) -> Result<Vec<Result<Appended, JournalError>>, Trouble> {
        let message = message(&self.door.schema, batch);
        let (mut in_doubt, mut attempts) = (false, Attempts::new(&self.door));
        loop {
            let failure = match self.try_append(batch, &message, in_doubt, attempts.until).await? {
                Ok(answers) => return Ok(answers),
                Err(failure) => failure,
            };
            // Also where only the question why a group was refused went unanswered: those beside it are appended.
            in_doubt = true;
            if !attempts.again(&failure, true).await {
                let failure = Arc::new(attempts.last(failure));
                let cause = if attempts.lost { Cause::Doubt(failure) } else { Cause::Failure(failure) };
                return Err(Trouble::of(&self.door.place, "writing to", cause));
            }
        }
    }

    async fn try_append(
        &mut self,
        batch: &[Group],
        message: &str,
        in_doubt: bool,
        until: Instant,
    ) -> Result<Result<Vec<Result<Appended, JournalError>>, Failure>, Trouble> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.door.enter(until).await?,
        };
        let done = match send(&mut connection, message.to_owned()).await {
            Ok(done) => done.into_iter().skip(sql::CHANGING),
            Err(failure) => return Ok(Err(failure)),
        };
        let mut answers = Vec::with_capacity(batch.len());
        for (group, done) in batch.iter().zip(done) {
            if done.changed == 1 {
                answers.push(Ok(Appended { next: group.expected + 1 }));
                continue;
            }
            match self.why(&mut connection, group, in_doubt).await {
                Ok(answer) => answers.push(answer),
                // What was appended beside it is appended; the next message of its run will say so.
                Err(failure) => return Ok(Err(failure)),
            }
        }
        self.connection = Some(connection);
        Ok(Ok(answers))
    }

    /// Says why a group was refused.
    async fn why(
        &self,
        connection: &mut PgConnection,
        group: &Group,
        in_doubt: bool,
    ) -> Result<Result<Appended, JournalError>, Failure> {
        let Group { lease, expected, bytes, .. } = group;
        let (s, checksum) = (&self.door.schema, checksum::group(&lease.run, *expected, lease.epoch, bytes));
        let message = format!(
            "{reading}SELECT p.epoch, g.checksum IS NOT NULL AS mine FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id \
             LEFT JOIN {s}.groups g ON g.run = r.id AND g.seq = {seq} AND g.epoch = {epoch} AND g.checksum = {checksum} \
             WHERE r.name = {run}",
            reading = sql::reading(),
            seq = number(*expected),
            epoch = sql::unsigned(lease.epoch),
            checksum = sql::bytes(&checksum),
            run = sql::text(&lease.run),
        );
        let answers = send(connection, message).await?;
        let Some(row) = answers.last().and_then(|answer| answer.rows.first()) else {
            return Ok(Err(JournalError::NoSuchRun(lease.run.clone())));
        };
        if in_doubt && row.try_get("mine")? {
            // A group is seen before a standby has it if the wait for that was broken off. A commit waits for all before it.
            let message = format!(
                "{}UPDATE {s}.positions SET next = next WHERE run = (SELECT id FROM {s}.runs WHERE name = {})",
                sql::changing(),
                sql::text(&lease.run)
            );
            send(connection, message).await?;
            return Ok(Ok(Appended { next: expected + 1 }));
        }
        let epoch: i64 = row.try_get("epoch")?;
        Ok(Err(if epoch > 0 && epoch.unsigned_abs() == lease.epoch {
            JournalError::Conflict { run: lease.run.clone(), expected: *expected }
        } else {
            JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch }
        }))
    }
}

/// The message that appends a batch: each statement counts on the row of its run, or does nothing.
fn message(s: &str, batch: &[Group]) -> String {
    let weight: usize = batch.iter().map(|group| group.bytes.len() * 2 + 512).sum();
    let mut message = String::with_capacity(weight);
    message.push_str(&sql::changing());
    for Group { lease, expected, bytes, .. } in batch {
        // Writing to a text cannot fail.
        let _ = writeln!(
            message,
            "WITH p AS (UPDATE {s}.positions SET next = next + 1 WHERE run = (SELECT id FROM {s}.runs WHERE name = {run}) \
             AND epoch = {epoch} AND epoch > 0 AND next = {seq} RETURNING run) \
             INSERT INTO {s}.groups (run, seq, epoch, checksum, bytes) \
             SELECT run, {seq}, {epoch}, {checksum}, {bytes} FROM p;",
            run = sql::text(&lease.run),
            epoch = sql::unsigned(lease.epoch),
            seq = number(*expected),
            checksum = sql::bytes(&checksum::group(&lease.run, *expected, lease.epoch, bytes)),
            bytes = sql::bytes(bytes),
        );
    }
    message
}

/// A number beyond the range is the next one of no run.
fn number(expected: u64) -> String {
    sql::signed(i64::try_from(expected).unwrap_or(-1))
}
