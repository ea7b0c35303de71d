//! The reference of a store: what every other implementation must answer. Here the journal; beside it the rest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::Millis;

use super::claims::AtWork;
use super::dispatch::Orders;
use super::drills::History;
use super::logs::Logs;
use super::mailbox::Requests;
use super::pools::Shares;
use super::runs::{HANDED_ON, Held, Kept, RELEASED, Runs, expiry};
use super::sites::Locks;
use crate::ports::{Appended, Holder, Journal, JournalError, Lease, RunHead, RunSummary, StoredGroup};

/// A store in memory. Nothing survives the process; a lease lasts until it expires, even if its holder is dead.
pub struct MemoryJournal {
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    kept: Mutex<State>,
}

/// All that is kept; one lock, so that every change is one step.
#[derive(Default)]
pub(super) struct State {
    pub(super) runs: Runs,
    pub(super) locks: Locks,
    pub(super) requests: Requests,
    pub(super) shares: Shares,
    pub(super) drills: History,
    pub(super) claims: AtWork,
    pub(super) logs: Logs,
    pub(super) orders: Orders,
}

impl State {
    fn end_lease(&mut self, lease: &Lease, at: Millis) -> Result<(), JournalError> {
        if let Ok(place) = self.runs.newest_at(lease) {
            if let Some(held) = &mut self.runs.newest(lease)?.held {
                held.expires_at = at;
                held.goes_on |= at == HANDED_ON;
            }
            self.shares.drop_all(place);
        }
        Ok(())
    }
}

impl MemoryJournal {
    /// Makes an empty journal. `now` tells the time in milliseconds since the epoch; leases expire by it.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), kept: Mutex::default() }
    }

    pub(super) fn now(&self) -> Millis {
        (self.now)()
    }

    fn take_lease(&self, run: &str, holder: &Holder, ttl_ms: u64, drives: bool) -> Result<Lease, JournalError> {
        let now = self.now();
        let mut state = self.state();
        let at = state.runs.at(run)?;
        let kept = state.runs.get_mut(run)?;
        if let Some(other) = kept.live(now) {
            return Err(JournalError::Held { run: run.to_owned(), holder: other.name.clone() });
        }
        let was_left = kept.is_left(now);
        kept.epoch += 1;
        let (holder, expires_at) = (holder.clone(), expiry(now, ttl_ms));
        kept.held = Some(Held { holder, expires_at, goes_on: drives || was_left });
        let epoch = kept.epoch;
        state.shares.drop_all(at);
        Ok(Lease { run: run.to_owned(), epoch, was_left: was_left && !drives })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError> {
        let mut state = self.state();
        state.runs.absent(&head.run)?;
        state.runs.add(head, plan);
        Ok(())
    }

    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, true)
    }

    async fn borrow(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.take_lease(run, holder, ttl_ms, false)
    }

    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        let now = self.now();
        let mut state = self.state();
        let kept = state.runs.newest(lease)?;
        match &mut kept.held {
            // A request to renew may come late.
            Some(held) if held.expires_at > HANDED_ON => held.expires_at = expiry(now, ttl_ms),
            _ => return Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch }),
        }
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.state().end_lease(lease, RELEASED)
    }

    async fn hand_on(&self, lease: &Lease) -> Result<(), JournalError> {
        self.state().end_lease(lease, HANDED_ON)
    }

    async fn abandoned(&self) -> Result<Vec<RunSummary>, JournalError> {
        let (now, state) = (self.now(), self.state());
        let left = |kept: &&Kept| kept.is_left(now) && !kept.is_discarded;
        let mut listed: Vec<RunSummary> =
            state.runs.in_order.iter().filter(left).map(|kept| kept.summary(now)).collect();
        listed.sort_by_key(|summary| summary.head.created_at);
        Ok(listed)
    }

    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError> {
        let mut state = self.state();
        let kept = state.runs.newest(lease)?;
        let next = kept.groups.len() as u64;
        if expected != next {
            return Err(JournalError::Conflict { run: lease.run.clone(), expected });
        }
        kept.groups.push(group.to_vec());
        Ok(Appended { next: next + 1 })
    }

    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        let state = self.state();
        let kept = state.runs.get(run)?;
        Ok((kept.head.clone(), kept.plan.clone()))
    }

    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        let state = self.state();
        let kept = state.runs.get(run)?;
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let page = kept.groups.iter().zip(0_u64..).skip(skip).take(limit as usize);
        Ok(page.map(|(bytes, seq)| StoredGroup { seq, bytes: bytes.clone() }).collect())
    }

    async fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        let now = self.now();
        let state = self.state();
        let mut listed: Vec<RunSummary> =
            state.runs.in_order.iter().rev().filter(|kept| !kept.is_discarded).map(|kept| kept.summary(now)).collect();
        // Stable: of the same time, the later created stays first.
        listed.sort_by_key(|summary| std::cmp::Reverse(summary.head.created_at));
        Ok(listed)
    }
}
