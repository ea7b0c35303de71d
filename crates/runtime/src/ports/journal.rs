//! The port to the journal: the append-only record of runs, the only truth about their progress.

use async_trait::async_trait;
use engine::Millis;

use super::JournalError;

/// Keeps journals of runs. A *group* is the events of one commit, encoded together; it is opaque here.
///
/// Contract (one suite runs on every implementation): a group that `append` acknowledged survives power loss; groups of
/// a run have dense numbers from 0; an append with another expected number or an epoch that is not the newest changes
/// nothing. The epoch alone decides: a lease that expired or was released may still append until somebody else takes it.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Creates a run with its encoded plan; durable on return.
    ///
    /// # Errors
    /// [`JournalError::Exists`] if the name is taken, [`JournalError::Spent`] if it was that of a run given up; else the store's trouble.
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError>;

    /// Takes the lease of a run with a new, higher epoch; durable on return. A store may give the lease of a process
    /// that is surely dead before it expires.
    ///
    /// # Errors
    /// [`JournalError::Held`] if another holder's lease has not expired; [`JournalError::NoSuchRun`].
    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError>;

    /// As [`acquire`](Journal::acquire), for somebody who drives nothing and gives the run back in a moment: if they die, it is
    /// abandoned only if it was before.
    ///
    /// # Errors
    /// As there.
    async fn borrow(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError>;

    /// Extends a lease, also one that has expired and that nobody has taken since.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if a newer epoch exists, or it was given back; [`JournalError::NoSuchRun`].
    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError>;

    /// Gives a lease back; a newer one of somebody else, or a run that does not exist, is left alone.
    ///
    /// # Errors
    /// The store's trouble.
    async fn release(&self, lease: &Lease) -> Result<(), JournalError>;

    /// As [`release`](Journal::release), for a process that ends although the run should go on: the run is
    /// [abandoned](Journal::abandoned) at once, and not after the lease.
    ///
    /// # Errors
    /// The store's trouble.
    async fn hand_on(&self, lease: &Lease) -> Result<(), JournalError>;

    /// Gives a lease that was borrowed back as it was: abandoned, or not.
    ///
    /// # Errors
    /// The store's trouble.
    async fn give_back(&self, lease: &Lease) -> Result<(), JournalError> {
        if lease.was_left { self.hand_on(lease).await } else { self.release(lease).await }
    }

    /// Lists the runs that somebody was driving who is gone: the lease was never given back, and has expired or its process
    /// is surely dead. Oldest first. Costs no time in proportion to the journals.
    ///
    /// # Errors
    /// The store's trouble.
    async fn abandoned(&self) -> Result<Vec<RunSummary>, JournalError>;

    /// Appends one group as number `expected` and returns when it is durable.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest; [`JournalError::Conflict`]
    /// if another number comes next (looked at in this order). Nothing is appended then, nor after
    /// [`JournalError::Full`] and [`JournalError::ReadOnly`]. After [`JournalError::Unavailable`] it is not known whether it was appended.
    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError>;

    /// Returns the encoded plan of a run.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError>;

    /// Returns up to `limit` groups of a run from number `from` on, in order; empty past the end.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Corrupt`] if the numbers are not dense or a group is not what was
    /// appended; else the store's trouble.
    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError>;

    /// Lists the runs, newest first; of the same time, the later created first.
    ///
    /// # Errors
    /// The store's trouble.
    async fn list(&self) -> Result<Vec<RunSummary>, JournalError>;
}

/// What is stored with a run from its creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHead {
    /// Name, unique in the store.
    pub run: String,
    /// Hash of the plan, hexadecimal.
    pub plan_hash: String,
    /// When it was created.
    pub created_at: Millis,
}

/// Who wants to drive a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Host, process and start, for people: `db1 pid 4711 since 03:12:09Z`.
    pub name: String,
    /// Process ID on this host, so that a dead holder on the same host need not be waited for.
    pub pid: u32,
    /// Host name or machine ID.
    pub host: String,
}

/// The right to append to a run until it expires or a higher epoch exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: String,
    /// Ascending number of the lease.
    pub epoch: u64,
    /// Of a lease that was [borrowed](Journal::borrow): whether the run was [abandoned](Journal::abandoned) when it was given.
    pub was_left: bool,
}

/// An acknowledged append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Number that the next group must carry.
    pub next: u64,
}

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// Its number.
    pub seq: u64,
    /// Its encoded events.
    pub bytes: Vec<u8>,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Its head.
    pub head: RunHead,
    /// Number of groups.
    pub groups: u64,
    /// Who holds the lease, if it has not expired. A store may leave out a process that is surely dead.
    pub held_by: Option<String>,
}
