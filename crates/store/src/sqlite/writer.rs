//! The writer: one task, one connection, and one transaction for everything that waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runtime::JournalError;
use runtime::engine::Millis;
use sqlx::{AssertSqlSafe, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::identity::Identity;
use super::trouble::{Cause, Failure, Trouble};
use super::work::{Done, Work};
use super::{SqliteOptions, connect};

/// Requests that may wait.
pub(super) const QUEUE: usize = 1024;
/// Requests of one transaction, at most.
const BATCH: usize = 1024;
/// Bytes after which a transaction takes no more.
const BATCH_BYTES: usize = 8 << 20;

/// Work for the writer and where its answer goes.
pub(super) struct Request {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Done, JournalError>>,
}

/// Owns the only writing connection of this process.
pub(super) struct Writer {
    path: PathBuf,
    lock_wait: Duration,
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    open: Option<Open>,
}

/// An open connection and the file that it opened.
pub(super) struct Open {
    connection: SqliteConnection,
    file: Option<Identity>,
}

impl Writer {
    pub(super) fn new(path: &Path, options: &SqliteOptions) -> Self {
        Self { path: path.to_owned(), lock_wait: options.lock_wait, now: Arc::clone(&options.now), open: None }
    }

    /// Opens the connection, if it is not open; makes the file only if `create`.
    pub(super) async fn connect(&mut self, create: bool) -> Result<&mut Open, Trouble> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let connection = connect::writer(&self.path, self.lock_wait, create).await?;
                Open { connection, file: Identity::of(&self.path) }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Serves requests until nobody can send any more, then closes the file.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.recv().await {
            let mut weight = first.work.weight();
            let mut batch = vec![first];
            while batch.len() < BATCH
                && weight < BATCH_BYTES
                && let Ok(next) = requests.try_recv()
            {
                weight += next.work.weight();
                batch.push(next);
            }
            self.serve(batch).await;
        }
        if let Some(open) = self.open.take() {
            connect::close(open.connection).await;
        }
    }

    async fn serve(&mut self, batch: Vec<Request>) {
        match self.commit(&batch).await {
            Ok(answers) => {
                if batch.iter().any(|request| matches!(request.work, Work::Release { .. })) {
                    self.fold_wal().await;
                }
                for (request, answer) in batch.into_iter().zip(answers) {
                    // Who no longer waits needs no answer.
                    let _ = request.answer.send(answer);
                }
            }
            Err(trouble) => {
                tracing::warn!(?trouble, requests = batch.len(), "a transaction of the journal failed");
                // Back to a known state: closing rolls back whatever was open, the next batch opens anew.
                if let Some(open) = self.open.take() {
                    connect::close(open.connection).await;
                }
                for request in batch {
                    let _ = request.answer.send(Err(trouble.clone().into_error()));
                }
            }
        }
    }

    /// Does a batch in one transaction. What is refused leaves the rest alone; no answer leaves before the commit.
    async fn commit(&mut self, batch: &[Request]) -> Result<Vec<Result<Done, JournalError>>, Trouble> {
        let path = self.path.clone();
        let now = Arc::clone(&self.now);
        let sql = |error| Trouble::new(&path, "writing to", error);
        let Open { connection, file } = self.connect(false).await?;
        // A file that is no longer at its path would take the commit and lose it.
        if *file != Identity::of(&path) {
            return Err(Trouble::of(&path, "writing to", Cause::Moved));
        }
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(sql)?;
        let mut answers = Vec::with_capacity(batch.len());
        for request in batch {
            match request.work.execute(connection, now()).await {
                Ok(answer) => answers.push(Ok(answer)),
                Err(Failure::Refused(refusal)) => answers.push(Err(refusal)),
                Err(Failure::Sql(error)) => return Err(sql(error)),
            }
        }
        sqlx::query("COMMIT").execute(&mut *connection).await.map_err(sql)?;
        Ok(answers)
    }

    /// Folds the `-wal` file into the database and empties it: a run has ended, and the file may be copied or kept.
    /// Only housekeeping: nothing is lost if readers prevent it, and they are not waited for.
    async fn fold_wal(&mut self) {
        let Some(Open { connection, .. }) = &mut self.open else { return };
        let wait = format!("PRAGMA busy_timeout = {}", self.lock_wait.as_millis());
        for statement in ["PRAGMA busy_timeout = 0", "PRAGMA wal_checkpoint(TRUNCATE)", &wait] {
            if let Err(error) = sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await {
                tracing::debug!(%error, "folding the journal's -wal file");
            }
        }
    }
}
