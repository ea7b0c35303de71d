//! The reference of the mailbox.

use std::collections::BTreeMap;

use async_trait::async_trait;
use engine::Millis;

use super::MemoryJournal;
use super::runs::{Runs, expiry};
use crate::ports::{Fate, JournalError, KEPT_MS, Lease, Mailbox, Posted};

/// All requests by number.
#[derive(Default)]
pub(super) struct Requests {
    last: u64,
    by_id: BTreeMap<u64, Request>,
}

struct Request {
    run: usize,
    bytes: Vec<u8>,
    expires_at: Millis,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Waiting,
    Withdrawn,
    /// By this epoch.
    Taken(u64),
    /// By this epoch.
    Answered(u64, Vec<u8>),
}

impl Requests {
    /// Forgets what nobody waits for any more: expired for long, and not in the hands of the newest driver.
    fn forget_old(&mut self, run: usize, epoch: u64, now: Millis) {
        let old = now.saturating_sub(expiry(0, KEPT_MS));
        self.by_id.retain(|_, request| {
            request.run != run
                || request.expires_at > old && request.state != State::Withdrawn
                || request.state == State::Taken(epoch)
        });
    }

    /// Forgets all requests to the run at a place.
    pub(super) fn forget(&mut self, run: usize) {
        self.by_id.retain(|_, request| request.run != run);
    }

    fn fate(&self, id: u64, runs: &Runs, now: Millis) -> Fate {
        let Some(request) = self.by_id.get(&id) else { return Fate::Gone };
        match &request.state {
            State::Waiting => Fate::Waiting,
            State::Withdrawn => Fate::Withdrawn,
            State::Answered(_, bytes) => Fate::Answered(bytes.clone()),
            State::Taken(epoch) => {
                let newest = runs.in_order.get(request.run).is_some_and(|kept| kept.epoch == *epoch);
                if newest && runs.is_live(request.run, now) { Fate::Taken } else { Fate::Lost }
            }
        }
    }
}

#[async_trait]
impl Mailbox for MemoryJournal {
    async fn post(&self, run: &str, bytes: &[u8], ttl_ms: u64) -> Result<u64, JournalError> {
        let now = self.now();
        let mut state = self.state();
        let run = state.runs.at(run)?;
        let epoch = state.runs.in_order.get(run).map_or(0, |kept| kept.epoch);
        state.requests.forget_old(run, epoch, now);
        let id = state.requests.last + 1;
        state.requests.last = id;
        let request = Request { run, bytes: bytes.to_vec(), expires_at: expiry(now, ttl_ms), state: State::Waiting };
        state.requests.by_id.insert(id, request);
        Ok(id)
    }

    async fn take(&self, lease: &Lease, after: u64) -> Result<Vec<Posted>, JournalError> {
        let now = self.now();
        let mut state = self.state();
        let run = state.runs.newest_at(lease)?;
        let mut taken = Vec::new();
        for (&id, request) in state.requests.by_id.iter_mut().filter(|&(&id, _)| id > after) {
            if request.run == run && request.state == State::Waiting && now < request.expires_at {
                request.state = State::Taken(lease.epoch);
            }
            if request.run == run && request.state == State::Taken(lease.epoch) {
                taken.push(Posted { id, bytes: request.bytes.clone() });
            }
        }
        Ok(taken)
    }

    async fn answer(&self, lease: &Lease, id: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let mut state = self.state();
        let run = state.runs.newest_at(lease)?;
        let refused = || JournalError::NotTaken { run: lease.run.clone(), epoch: lease.epoch, id };
        let request = state.requests.by_id.get_mut(&id).filter(|request| request.run == run).ok_or_else(refused)?;
        match &request.state {
            State::Answered(epoch, _) if *epoch == lease.epoch => Ok(()),
            State::Taken(epoch) if *epoch == lease.epoch => {
                request.state = State::Answered(lease.epoch, bytes.to_vec());
                Ok(())
            }
            _ => Err(refused()),
        }
    }

    async fn fate(&self, id: u64) -> Result<Fate, JournalError> {
        let now = self.now();
        let state = self.state();
        Ok(state.requests.fate(id, &state.runs, now))
    }

    async fn withdraw(&self, id: u64) -> Result<Fate, JournalError> {
        let now = self.now();
        let mut state = self.state();
        if let Some(request) = state.requests.by_id.get_mut(&id)
            && request.state == State::Waiting
        {
            request.state = State::Withdrawn;
        }
        Ok(state.requests.fate(id, &state.runs, now))
    }
}
