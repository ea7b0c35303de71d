//! The ports to what several processes and several runs agree on: who holds a site, what an operator asks of a run that
//! another process drives, and how runs divide a pool.
//!
//! One suite runs on every implementation. Time is the store's, as for leases; "live" is a lease that is the newest of its
//! run and has not expired.

use async_trait::async_trait;

use super::{AttemptLogs, Claims, Dispatch, Drills, Journal, JournalError, Lease, Retention, RunHead};

/// Everything that a store is to those who share it.
pub trait Store:
    Journal + SiteLocks + Mailbox + SharedPools + Drills + Claims + AttemptLogs + Retention + Dispatch
{
}

impl<T> Store for T where
    T: Journal + SiteLocks + Mailbox + SharedPools + Drills + Claims + AttemptLogs + Retention + Dispatch + ?Sized
{
}

/// Keeps two runs from acting on one site: a site of an estate is held by at most one run.
///
/// A site stays held until its run lets it go, however its driver ends: a run that stands half-way is the last one whose
/// sites another may touch. An estate is told from another by its name alone. Nothing is asked of leases here; whoever
/// lets the sites of a run go that it does not drive takes the run's lease first, so that no driver is surprised.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait SiteLocks: Send + Sync {
    /// Creates a run, as [`Journal::create`] does, together with its hold on all the sites: after a crash there are both
    /// or neither. Durable on return.
    ///
    /// # Errors
    /// As [`Journal::create`]; [`JournalError::SiteHeld`] if another run holds one of the sites
    /// (looked at in this order); else the store's trouble.
    async fn create_holding(
        &self,
        head: &RunHead,
        plan: &[u8],
        estate: &str,
        sites: &[String],
    ) -> Result<(), JournalError>;

    /// Creates a run as another store has it, with all its groups and its hold on its sites: after a crash there is all of
    /// it or nothing. Nobody drives it; the next lease has an epoch above that of the copy. Durable on return.
    ///
    /// # Errors
    /// As [`SiteLocks::create_holding`].
    async fn create_copy(&self, copy: &RunCopy) -> Result<(), JournalError>;

    /// Holds all the sites, or none; durable on return. What the run holds already is fine, and so is a site named twice.
    ///
    /// # Errors
    /// [`JournalError::SiteHeld`], which names the first of the sites (in the order of their bytes) that another run
    /// holds; [`JournalError::NoSuchRun`].
    async fn hold_sites(&self, run: &str, estate: &str, sites: &[String]) -> Result<(), JournalError>;

    /// Lets sites go, durable on return; those that the run does not hold are left alone. Returns how many it held.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn let_go(&self, run: &str, estate: &str, sites: &[String]) -> Result<u64, JournalError>;

    /// Lets all sites of a run go, in every estate; durable on return. Returns how many it held.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn let_go_all(&self, run: &str) -> Result<u64, JournalError>;

    /// Returns those of the sites that some run holds, each once, in the order of their bytes.
    ///
    /// # Errors
    /// The store's trouble.
    async fn holders(&self, estate: &str, sites: &[String]) -> Result<Vec<HeldSite>, JournalError>;
}

/// A run as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCopy {
    /// Its head.
    pub head: RunHead,
    /// Its encoded plan.
    pub plan: Vec<u8>,
    /// The newest epoch of its leases.
    pub epoch: u64,
    /// All its groups, from number 0.
    pub groups: Vec<Vec<u8>>,
    /// The estate of its sites.
    pub estate: String,
    /// The sites that it holds.
    pub sites: Vec<String>,
}

/// A site and the run that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSite {
    /// The site.
    pub site: String,
    /// Name of the run.
    pub run: String,
}

/// Brings what operators ask to the process that drives the run, and its answers back.
///
/// A request is acted on by one epoch at most: once it is taken, no later driver sees it. If the driver dies between
/// acting and answering, the request is [`Fate::Lost`]; whether it was acted on is then written in the journal alone.
#[async_trait]
pub trait Mailbox: Send + Sync {
    /// Posts a request to a run and returns its number; durable on return. It can be taken for `ttl_ms` milliseconds, by
    /// whoever drives the run then. Numbers ascend in the order of posting and are never given twice.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the request was posted.
    async fn post(&self, run: &str, bytes: &[u8], ttl_ms: u64) -> Result<u64, JournalError>;

    /// Takes the requests of a run with numbers above `after`, in order: those that nobody took and that have not
    /// expired, and those that this epoch took and has not answered. Durable on return. `after` is the highest number
    /// that the caller has seen in this epoch, 0 before the first.
    ///
    /// Costs one small read while there is nothing to take, so it may be called several times a second.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if the epoch is not the newest; [`JournalError::NoSuchRun`].
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped or fails: with the same `after`, the same requests come again.
    async fn take(&self, lease: &Lease, after: u64) -> Result<Vec<Posted>, JournalError>;

    /// Answers a request that this epoch took; durable on return. A second answer to it changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if the epoch is not the newest; [`JournalError::NotTaken`] if this epoch did not take the
    /// request; [`JournalError::NoSuchRun`] (looked at before the others).
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the answer was given; it may be given again.
    async fn answer(&self, lease: &Lease, id: u64, bytes: &[u8]) -> Result<(), JournalError>;

    /// Returns what became of a request so far.
    ///
    /// # Errors
    /// The store's trouble.
    async fn fate(&self, id: u64) -> Result<Fate, JournalError>;

    /// Withdraws a request if nobody took it yet, and returns what became of it: [`Fate::Withdrawn`], or why it was too
    /// late, never [`Fate::Waiting`]. Durable on return.
    ///
    /// # Errors
    /// The store's trouble.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the request was withdrawn; it may be withdrawn again.
    async fn withdraw(&self, id: u64) -> Result<Fate, JournalError>;
}

/// Milliseconds for which a request and its answer are kept after the request has expired: a day.
pub const KEPT_MS: u64 = 86_400_000;

/// A request as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its number.
    pub id: u64,
    /// What was posted.
    pub bytes: Vec<u8>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody took it so far, even if it has expired; only [`Mailbox::withdraw`] makes sure that nobody will.
    Waiting,
    /// It was withdrawn: surely nobody acted on it.
    Withdrawn,
    /// A live driver took it and has not answered yet.
    Taken,
    /// The epoch that took it is over, or its lease has expired. Whether it was acted on is not known here: look at the
    /// journal. (A driver that was only slow, and that nobody followed, may still answer.)
    Lost,
    /// The driver's answer.
    Answered(Vec<u8>),
    /// No such request was posted, or it is kept no longer ([`KEPT_MS`]).
    Gone,
}

/// Divides pools that several runs use at the same time.
///
/// A run *holds* as many slots of a pool as it was last granted, or as it then used, whichever is more. No grant makes the
/// sum of what the live runs hold exceed the limit, so a run must never use more than its last grant, and a run that uses
/// more starts nothing until its use has fallen. If runs name different limits for one pool, the smallest holds for all.
/// A run whose lease is over or expired holds nothing.
#[async_trait]
pub trait SharedPools: Send + Sync {
    /// Says what the run uses and could use of pools of an estate, and returns its grants in the same order; all in one
    /// step. A pool that is not named keeps its last grant; one with nothing used and nothing wanted is given back. Each
    /// pool and key at most once.
    ///
    /// The division is max-min fair: who wants less than an even part gets what it wants, the others divide the rest
    /// evenly. What does not divide evenly goes round: every half minute another run has the larger part, and at
    /// least as much as one of its units takes. A larger grant
    /// waits until those who hold too much have said that they use less, so call again now and then (a second is fine).
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if the epoch is not the newest; [`JournalError::NoSuchRun`]. A run whose own lease has
    /// expired is granted nothing until it is renewed.
    ///
    /// # Cancel safety
    /// Dropping the future, or an error, leaves it open whether the smaller of two grants already holds. Until a call
    /// returns, the run must not use more of these pools than it gave as `used`.
    async fn share(&self, lease: &Lease, estate: &str, wants: &[Want]) -> Result<Vec<Grant>, JournalError>;

    /// Gives back all that the run holds of all pools; so does the end of its lease. A stale lease changes nothing.
    ///
    /// # Errors
    /// The store's trouble.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the change was made.
    async fn leave(&self, lease: &Lease) -> Result<(), JournalError>;
}

/// What a run says of a pool, for one key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Name of the pool.
    pub pool: String,
    /// Key within the pool; empty for a pool without keys.
    pub key: String,
    /// Slots of the pool, for all runs together, as this run's plan has them.
    pub limit: u32,
    /// Slots that the run uses now, at most, until the answer comes.
    pub used: u32,
    /// Slots that the run could use now, those in use included.
    pub want: u32,
    /// Slots that one unit of the run takes, at most; 1 if each takes one.
    pub unit: u32,
}

/// What a run may use of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Slots that the run may use, those in use included.
    pub slots: u32,
    /// Live runs that want some of the pool, this one included whether it does or not: a rate is divided by it.
    pub participants: u32,
}
