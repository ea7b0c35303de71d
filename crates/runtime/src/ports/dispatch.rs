//! The port by which attempts get to workers and back: the driver of a run sends orders, other processes claim them, and
//! answer.
//!
//! The driver alone decides. Workers see no journal; what they answer is an outcome, which the driver records. Time is the
//! store's, as for leases. A worker *lives* while its row is there and has not expired. A copy of a run in another store has
//! none of its orders. See `adr/0003`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use engine::{Millis, Mode};

use super::{JournalError, Lease};

/// Keeps orders and workers. One suite runs on every implementation.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made, and every change
/// may be asked for again.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// Sends orders, whose starts are durable in the journal, with numbers that ascend within the epoch. One with a number
    /// that is not above all that were sent before is there already, or was, and is left alone: so the same may be sent
    /// again. The first call of an epoch withdraws what lower ones have sent, as [`Dispatch::withdraw_orders`] does.
    /// Durable on return; after an error, some may have been sent.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest (looked at in this order).
    async fn dispatch(&self, lease: &Lease, orders: &[Order]) -> Result<(), JournalError>;

    /// Returns up to `limit` orders of this epoch that are settled, by their numbers: answered, lost with their worker, or
    /// taken back. What is returned as lost can never be answered. Each comes again until it is named in `done`, by numbers:
    /// those whose outcomes are durable in the journal, and which are forgotten. Durable on return.
    ///
    /// Costs one small read while nothing is settled or done, so it may be called several times a second.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest (looked at in this order).
    async fn collect(&self, lease: &Lease, done: &[u64], limit: u32) -> Result<Vec<Settled>, JournalError>;

    /// Takes back those of these orders of this epoch that nobody has claimed: they are settled as such, and nobody claims
    /// them any more. Others are left alone. Durable on return.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest (looked at in this order).
    async fn take_back(&self, lease: &Lease, numbers: &[u64]) -> Result<(), JournalError>;

    /// Says what is surely known of the orders that [`Dispatch::withdraw_orders`] would withdraw, by the order in which they
    /// were sent: those that are answered, and those that nobody has claimed, which are taken back by it. What was lost, and
    /// what a worker has claimed and not answered, is not among them. Each comes again until it is withdrawn. Durable on
    /// return.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest (looked at in this order).
    async fn left_orders(&self, lease: &Lease, below: u64) -> Result<Vec<LeftOrder>, JournalError>;

    /// Withdraws all orders of lower epochs, and those of this one with numbers below `below`, in one step: those that nobody
    /// has claimed and those that are settled are gone, the answers to the others are refused, and their workers learn of it
    /// at the next beat. No lower epoch sends any from here on, nor does this one with such a number. Durable on return.
    ///
    /// Returns how many withdrawn orders of the run living workers still hold. It falls as they let go: ask again to know
    /// whether something is still being done for an older driver.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Fenced`] if the epoch is not the newest (looked at in this order).
    async fn withdraw_orders(&self, lease: &Lease, below: u64) -> Result<u64, JournalError>;

    /// Returns what orders of the run's newest epoch that nobody has claimed wait for: each set of labels once, in order.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn waiting_orders(&self, run: &str) -> Result<Vec<WaitingOrders>, JournalError>;

    /// Enlists a process as a worker until it expires and returns its number, which no other ever gets. Durable on return.
    ///
    /// # Errors
    /// The store's trouble.
    ///
    /// # Cancel safety
    /// Dropping the future may leave a worker that claims nothing and expires.
    async fn enlist(&self, worker: &Worker, ttl_ms: u64) -> Result<u64, JournalError>;

    /// Says that a worker lives, and returns the numbers of orders that it is to cancel: they were withdrawn, or given up
    /// for lost. Each comes again until it is answered, which is refused and ends it, or forgotten.
    ///
    /// # Errors
    /// [`JournalError::NotEnlisted`] if it does not live any more: it cancels all that it has and enlists anew.
    async fn beat(&self, worker: u64, ttl_ms: u64) -> Result<Vec<u64>, JournalError>;

    /// Has a worker claim nothing more; what it has it may finish. Durable on return.
    ///
    /// # Errors
    /// [`JournalError::NotEnlisted`] if it does not live any more.
    async fn drain(&self, worker: u64) -> Result<(), JournalError>;

    /// Strikes a worker off; what it has claimed and not answered is lost. One that is not there is left alone. Durable on
    /// return.
    ///
    /// # Errors
    /// The store's trouble.
    async fn retire(&self, worker: u64) -> Result<(), JournalError>;

    /// Claims orders whose labels the worker has, the oldest first, as long as it has slots for them, and returns its orders
    /// that are not among those that it says it `holds`: also such that it was not told of because a reply was lost. An order
    /// that waits is claimed while the lease that it was sent under is the newest and has not expired, and by one worker
    /// ever. Whoever does not hold what it was told of before gets it again. One call at a time for a worker. Durable on
    /// return.
    ///
    /// Costs one small read while nothing can be claimed, so it may be called several times a second.
    ///
    /// # Errors
    /// [`JournalError::NotEnlisted`] if the worker does not live any more.
    async fn claim_orders(&self, worker: u64, holds: &[u64]) -> Result<Vec<ClaimedOrder>, JournalError>;

    /// Answers orders, each at most once in a call, and says of each whether the answer counts. It does not if the worker
    /// does not live, or if the order is not its own, withdrawn, given up for lost, or settled and forgotten. A second
    /// answer to an order changes nothing. Durable on return.
    ///
    /// # Errors
    /// The store's trouble.
    async fn answer_orders(&self, worker: u64, answers: &[OrderAnswer]) -> Result<Vec<bool>, JournalError>;

    /// Lists the workers that live, by their numbers.
    ///
    /// # Errors
    /// The store's trouble.
    async fn workers(&self) -> Result<Vec<LivingWorker>, JournalError>;
}

/// One attempt that a worker is to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number, from 1, ascending within the epoch of the driver.
    pub number: u64,
    /// The unit, as in its idempotency key without the run.
    pub unit: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// What is done.
    pub mode: Mode,
    /// Labels that its worker must have.
    pub labels: BTreeSet<String>,
    /// Time that the attempt has.
    pub timeout_ms: u64,
    /// The call, encoded; secrets are references. Opaque here.
    pub call: Vec<u8>,
}

/// An order in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedOrder {
    /// Its number in the store, which no other order gets.
    pub id: u64,
    /// The run.
    pub run: String,
    /// Epoch of the driver that sent it.
    pub epoch: u64,
    /// What was sent.
    pub order: Order,
}

/// What a worker says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAnswer {
    /// Number of the order in the store.
    pub id: u64,
    /// The outcome, encoded. Opaque here.
    pub outcome: Vec<u8>,
}

/// An order that is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The number under which the driver sent it.
    pub number: u64,
    /// What became of it.
    pub fate: OrderFate,
}

/// What became of an order that is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderFate {
    /// Its worker's answer, encoded.
    Answered(Vec<u8>),
    /// It is lost with its worker: nobody knows what was done.
    Lost,
    /// It was taken back before anybody had claimed it: nothing was done.
    TakenBack,
}

/// An order that an older driver has left, and of which it is known what became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOrder {
    /// The unit, as it was sent.
    pub unit: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// What was to be done.
    pub mode: Mode,
    /// Answered, or taken back.
    pub fate: OrderFate,
}

/// Orders that nobody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingOrders {
    /// The labels that they demand.
    pub labels: BTreeSet<String>,
    /// How many they are.
    pub orders: u64,
    /// Whether a living worker that does not drain has these labels; it may have no free slot.
    pub fits: bool,
}

/// A process that executes attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Host and process, for people.
    pub name: String,
    /// What it has that orders may demand.
    pub labels: BTreeSet<String>,
    /// Orders that it executes at once, at most.
    pub slots: u32,
    /// Version of the program.
    pub version: String,
}

/// A worker that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingWorker {
    /// Its number.
    pub id: u64,
    /// What it said when it enlisted.
    pub worker: Worker,
    /// Whether it claims nothing more.
    pub drains: bool,
    /// Orders that it holds and has not answered.
    pub holds: u64,
    /// Until when it lives without another beat.
    pub until: Millis,
}
