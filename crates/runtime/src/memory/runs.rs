//! The runs of the reference, and who drives each.

use std::collections::HashMap;

use engine::Millis;

use crate::ports::{Holder, JournalError, Lease, RunHead, RunSummary};

/// When a lease that was given back expired: before all time.
pub(super) const RELEASED: Millis = Millis::MIN;
/// When one expired that was left to whoever stands by.
pub(super) const HANDED_ON: Millis = Millis::MIN + 1;

/// All runs, in the order of their creation.
#[derive(Default)]
pub(super) struct Runs {
    by_name: HashMap<String, usize>,
    pub(super) in_order: Vec<Kept>,
}

/// A run.
pub(super) struct Kept {
    pub(super) head: RunHead,
    pub(super) plan: Vec<u8>,
    pub(super) groups: Vec<Vec<u8>>,
    pub(super) epoch: u64,
    pub(super) held: Option<Held>,
    /// It has its place still, since others name it by that, and nothing else once it is free.
    pub(super) is_discarded: bool,
}

/// A lease that was given.
pub(super) struct Held {
    pub(super) holder: Holder,
    pub(super) expires_at: Millis,
    /// Whether somebody is to go on with the run if it is over and was not given back.
    pub(super) goes_on: bool,
}

impl Runs {
    pub(super) fn absent(&self, run: &str) -> Result<(), JournalError> {
        if self.in_order.iter().any(|kept| kept.is_discarded && kept.head.run == run) {
            return Err(JournalError::Spent(run.to_owned()));
        }
        if self.by_name.contains_key(run) {
            return Err(JournalError::Exists(run.to_owned()));
        }
        Ok(())
    }

    /// Adds a run whose name is free, and returns its place.
    pub(super) fn add(&mut self, head: &RunHead, plan: &[u8]) -> usize {
        let at = self.in_order.len();
        self.by_name.insert(head.run.clone(), at);
        let (head, plan) = (head.clone(), plan.to_vec());
        self.in_order.push(Kept { head, plan, groups: Vec::new(), epoch: 0, held: None, is_discarded: false });
        at
    }

    pub(super) fn at(&self, run: &str) -> Result<usize, JournalError> {
        self.by_name.get(run).copied().ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))
    }

    pub(super) fn get(&self, run: &str) -> Result<&Kept, JournalError> {
        let at = self.at(run)?;
        self.in_order.get(at).ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))
    }

    pub(super) fn get_mut(&mut self, run: &str) -> Result<&mut Kept, JournalError> {
        let at = self.at(run)?;
        self.in_order.get_mut(at).ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))
    }

    /// Takes a run from the list.
    pub(super) fn discard(&mut self, run: &str) {
        if let Some(kept) = self.by_name.remove(run).and_then(|at| self.in_order.get_mut(at)) {
            (kept.is_discarded, kept.held, kept.epoch) = (true, None, 0);
        }
    }

    /// Frees what a discarded run took: its place, and how many bytes.
    pub(super) fn free(&mut self) -> Option<(usize, u64)> {
        let is_full = |kept: &Kept| kept.is_discarded && !(kept.plan.is_empty() && kept.groups.is_empty());
        let at = self.in_order.iter().position(is_full)?;
        let kept = self.in_order.get_mut(at)?;
        let bytes = kept.groups.iter().map(Vec::len).sum::<usize>() + kept.plan.len();
        (kept.groups, kept.plan) = (Vec::new(), Vec::new());
        Some((at, bytes as u64))
    }

    pub(super) fn newest(&mut self, lease: &Lease) -> Result<&mut Kept, JournalError> {
        self.newest_at(lease)?;
        self.get_mut(&lease.run)
    }

    /// Returns the place of the run if the lease has its newest epoch.
    pub(super) fn newest_at(&self, lease: &Lease) -> Result<usize, JournalError> {
        let kept = self.get(&lease.run)?;
        if kept.epoch == 0 || kept.epoch != lease.epoch {
            return Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch });
        }
        self.at(&lease.run)
    }

    /// Returns whether somebody holds a lease of the run at a place that has not expired.
    pub(super) fn is_live(&self, at: usize, now: Millis) -> bool {
        self.in_order.get(at).is_some_and(|kept| kept.live(now).is_some())
    }
}

impl Kept {
    /// Whether its lease is over and was not given back.
    pub(super) fn is_left(&self, now: Millis) -> bool {
        self.held.as_ref().is_some_and(|held| held.goes_on && held.expires_at > RELEASED && held.expires_at <= now)
    }

    pub(super) fn summary(&self, now: Millis) -> RunSummary {
        let held_by = self.live(now).map(|holder| holder.name.clone());
        RunSummary { head: self.head.clone(), groups: self.groups.len() as u64, held_by }
    }

    pub(super) fn live(&self, now: Millis) -> Option<&Holder> {
        self.held.as_ref().filter(|held| now < held.expires_at).map(|held| &held.holder)
    }
}

pub(super) fn expiry(now: Millis, ttl_ms: u64) -> Millis {
    now.saturating_add(Millis::try_from(ttl_ms).unwrap_or(Millis::MAX))
}
