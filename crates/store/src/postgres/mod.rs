//! The store in one schema of a PostgreSQL database, for drivers on several hosts: the database is what they agree by.
//!
//! Nothing is kept in a session, and all that must be one step is one message (`sql`), so that a pooler may stand between.
//! Appends go through one task (`writer`), the rest over a few connections (`connections`).

mod attempts;
mod claims;
mod connect;
mod connections;
mod dispatch;
mod drills;
mod format;
mod gauge;
mod lease;
mod logs;
mod mailbox;
mod pools;
mod read;
mod retention;
mod sites;
mod sql;
mod trouble;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runtime::{Appended, Holder, Journal, JournalError, Lease, RunHead, RunSummary, StoredGroup};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub use format::POSTGRES_FORMAT;

use crate::address::PostgresAddress;
use crate::rows;
use connect::Door;
use connections::Connections;
use trouble::{Failure, Trouble};
use work::Work;
use writer::{Group, Writer};

/// How long to wait for a server that is away when the store is opened.
const OPENING: Duration = Duration::from_secs(5);

/// Keeps journals of runs, and what runs share, in a schema of a PostgreSQL database.
///
/// Leases expire by the clock of the database. Dropping the store ends its writer once it has done what it was given;
/// [`PostgresStore::close`] waits for that.
pub struct PostgresStore {
    connections: Connections,
    groups: mpsc::Sender<Group>,
    writer: tokio::task::JoinHandle<()>,
}

impl PostgresStore {
    /// Opens the store at an address; makes the schema and its tables if they are missing and this role may.
    ///
    /// A standby, or a role that may only read, opens what is there for reading; changes then fail with
    /// [`JournalError::ReadOnly`]. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// [`JournalError::NewerFormat`] (nothing is touched), [`JournalError::Corrupt`] for a schema of another program,
    /// [`JournalError::ReadOnly`] if there is no store and it cannot be made here, [`JournalError::Unavailable`] if no
    /// server answers within some seconds. That a server never syncs is warned of in the log.
    ///
    /// # Cancel safety
    /// Dropping it leaves the store made or not, never half.
    pub async fn open(address: &PostgresAddress) -> Result<Self, JournalError> {
        let door = Arc::new(Door::new(address.options(), address.schema()));
        door.open(Instant::now() + OPENING).await.map_err(Trouble::into_error)?;
        let (groups, waiting) = mpsc::channel(writer::QUEUE);
        let writer = tokio::spawn(Writer::new(Arc::clone(&door)).run(waiting));
        Ok(Self { connections: Connections::new(door), groups, writer })
    }

    /// Closes the store after everything given to it is done.
    pub async fn close(self) {
        drop(self.groups);
        // The task ends by itself; that it was aborted with its runtime is no news to anybody.
        let _ = self.writer.await;
        self.connections.close().await;
    }

    /// Names a row that is not as it was written.
    fn damage(&self, error: sqlx::Error) -> JournalError {
        self.unreadable(Failure::Sql(error))
    }
}

#[async_trait]
impl Journal for PostgresStore {
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError> {
        self.transact(Work::Create { head, plan, hold: None }).await.map(drop)
    }

    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, true).await
    }

    async fn borrow(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, false).await
    }

    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        self.extend_lease(lease, ttl_ms).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.end_lease(lease, rows::RELEASED).await
    }

    async fn hand_on(&self, lease: &Lease) -> Result<(), JournalError> {
        self.end_lease(lease, rows::HANDED_ON).await
    }

    async fn abandoned(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.read_abandoned().await
    }

    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError> {
        let (answer, answered) = oneshot::channel();
        let gone = || JournalError::Unavailable {
            context: format!("the writer of {} has ended with its runtime", self.connections.door.place),
            source: None,
        };
        let group = Group { lease: lease.clone(), expected, bytes: group.to_vec(), answer };
        self.groups.send(group).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        self.read_plan(run).await
    }

    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        self.read_groups(run, from, limit).await
    }

    async fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.read_runs().await
    }
}
