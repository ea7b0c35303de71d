//! The store in one SQLite file: one writer task, one row per group, WAL with `synchronous=FULL`. The logs of attempts lie
//! in another one beside it.
//!
//! Never open the file by other means than SQLite in a process that has the journal open: POSIX drops all locks of a
//! process on a file when it closes any descriptor of that file.

mod claims;
mod columns;
mod connect;
mod dispatch;
mod drills;
mod format;
mod identity;
mod lease;
mod lockers;
mod logs;
mod mailbox;
mod pools;
mod process;
mod read;
mod retention;
mod sites;
mod trouble;
mod work;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{Appended, Holder, Journal, JournalError, Lease, RunHead, RunSummary, StoredGroup};
use tokio::sync::{Mutex, mpsc, oneshot};

pub(crate) use connect::writer_options;
pub use format::FORMAT;
pub(crate) use trouble::Trouble;

use crate::rows;
use connect::Reader;
use format::Found;
use logs::LogFile;
use trouble::Failure;
use work::{Done, Work};
use writer::{Request, Writer};

/// How a SQLite journal is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    lock_wait: Duration,
}

impl SqliteOptions {
    /// Default options; `now` tells the time in milliseconds since the epoch, leases expire by it. All processes that
    /// use one file run on one host (WAL demands it), so the host's clock is shared by them.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), lock_wait: Duration::from_secs(5) }
    }

    /// Sets how long to wait for another process that writes to the file; 5 seconds if not set.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }
}

/// Keeps journals of runs, and what runs share, in one SQLite file.
///
/// Everything that changes goes through one task that owns the only writing connection; what waits there when a commit
/// ends goes into the next transaction together. Dropping the journal ends the task once it has done what it was given;
/// [`SqliteJournal::close`] waits for that.
pub struct SqliteJournal {
    path: PathBuf,
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    lock_wait: Duration,
    requests: mpsc::Sender<Request>,
    writer: tokio::task::JoinHandle<()>,
    reader: Mutex<Reader>,
    logs: LogFile,
}

impl SqliteJournal {
    /// Opens the journal at `path`; makes the file if it is missing, but not its folder.
    ///
    /// A file that cannot be written opens for reading if it holds a journal; changes then fail with
    /// [`JournalError::ReadOnly`]. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// [`JournalError::NewerFormat`] (nothing is touched), [`JournalError::Corrupt`] for a damaged file or one of
    /// another program, [`JournalError::ReadOnly`] if the file is missing and cannot be made, [`JournalError::Full`],
    /// [`JournalError::Unavailable`] for a missing folder or a file locked by another process.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self, JournalError> {
        let path = std::path::absolute(path).map_err(|error| JournalError::Unavailable {
            context: format!("resolving {}", path.display()),
            source: Some(Box::new(error)),
        })?;
        let mut writer = Writer::new(&path, &options);
        let mut reader = Reader::new();
        if !path.exists() || reader.look(&path, options.lock_wait).await.map_err(Trouble::into_error)? == Found::Empty {
            writer.connect(true).await.map_err(Trouble::into_error)?;
        }
        reader.get(&path, options.lock_wait).await?;
        let (requests, receiver) = mpsc::channel(writer::QUEUE);
        let writer = tokio::spawn(writer.run(receiver));
        let SqliteOptions { now, lock_wait } = options;
        let logs = LogFile::beside(&path, lock_wait);
        Ok(Self { path, now, lock_wait, requests, writer, reader: Mutex::new(reader), logs })
    }

    /// Closes the journal after everything given to it is done; the `-wal` file is folded in and removed if no other
    /// process has the journal open.
    pub async fn close(self) {
        let Self { requests, writer, reader, logs, .. } = self;
        reader.into_inner().close().await;
        logs.close().await;
        drop(requests);
        // The task ends by itself; that it was aborted with its runtime is no news to anybody.
        let _ = writer.await;
    }

    /// Hands work to the writer and waits until its transaction is durable.
    async fn change(&self, work: Work) -> Result<Done, JournalError> {
        let (answer, answered) = oneshot::channel();
        let gone = || JournalError::Unavailable {
            context: format!("the writer of {} has ended with its runtime", self.path.display()),
            source: None,
        };
        self.requests.send(Request { work, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Names the trouble of a read and gives up a connection that had some.
    fn judge<T>(&self, reader: &mut Reader, answer: Result<T, Failure>) -> Result<T, JournalError> {
        answer.map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Sql(error) => {
                reader.forget();
                Trouble::new(&self.path, "reading", error).into_error()
            }
        })
    }
}

impl SqliteJournal {
    async fn take_lease(&self, run: &str, holder: &Holder, ttl_ms: u64, drives: bool) -> Result<Lease, JournalError> {
        let work = Work::Acquire { run: run.to_owned(), holder: holder.clone(), ttl_ms, drives };
        let Done { number: epoch, was_left, .. } = self.change(work).await?;
        Ok(Lease { run: run.to_owned(), epoch, was_left: was_left && !drives })
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError> {
        self.change(Work::Create { head: head.clone(), plan: plan.to_vec(), hold: None }).await.map(drop)
    }

    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, true).await
    }

    async fn borrow(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, false).await
    }

    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        self.change(Work::Renew { lease: lease.clone(), ttl_ms }).await.map(drop)
    }

    async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.change(Work::Release { lease: lease.clone(), at: rows::RELEASED }).await.map(drop)
    }

    async fn hand_on(&self, lease: &Lease) -> Result<(), JournalError> {
        self.change(Work::Release { lease: lease.clone(), at: rows::HANDED_ON }).await.map(drop)
    }

    async fn abandoned(&self) -> Result<Vec<RunSummary>, JournalError> {
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(format::ABANDONED_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let answer = read::abandoned(connection, (self.now)()).await;
        self.judge(&mut reader, answer)
    }

    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError> {
        let work = Work::Append { lease: lease.clone(), expected, bytes: group.to_vec() };
        self.change(work).await.map(|done| Appended { next: done.number })
    }

    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        let mut reader = self.reader.lock().await;
        let answer = read::plan(reader.get(&self.path, self.lock_wait).await?, run).await;
        self.judge(&mut reader, answer)
    }

    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        let mut reader = self.reader.lock().await;
        let (connection, format) = reader.get_with_format(&self.path, self.lock_wait).await?;
        let answer = read::load(connection, run, from, limit, format >= format::LEFT_SINCE).await;
        self.judge(&mut reader, answer)
    }

    async fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        let now = (self.now)();
        let mut reader = self.reader.lock().await;
        let answer = read::list(reader.get(&self.path, self.lock_wait).await?, now).await;
        self.judge(&mut reader, answer)
    }
}
