//! The reference of the journal: what every other implementation must answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::Millis;

use crate::ports::{Appended, Holder, Journal, JournalError, Lease, RunHead, RunSummary, StoredGroup};

/// Keeps journals in memory. Nothing survives the process; a lease lasts until it expires, even if its holder is dead.
pub struct MemoryJournal {
    now: Arc<dyn Fn() -> Millis + Send + Sync>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    by_name: HashMap<String, usize>,
    in_order: Vec<Kept>,
}

struct Kept {
    head: RunHead,
    plan: Vec<u8>,
    groups: Vec<Vec<u8>>,
    epoch: u64,
    held: Option<Held>,
}

struct Held {
    holder: Holder,
    expires_at: Millis,
}

impl MemoryJournal {
    /// Makes an empty journal. `now` tells the time in milliseconds since the epoch; leases expire by it.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), runs: Mutex::default() }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        // No code panics while it holds the lock half-way through a change.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn get(&self, run: &str) -> Result<&Kept, JournalError> {
        self.by_name
            .get(run)
            .and_then(|&at| self.in_order.get(at))
            .ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))
    }

    fn get_mut(&mut self, run: &str) -> Result<&mut Kept, JournalError> {
        let at = self.by_name.get(run).copied();
        at.and_then(|at| self.in_order.get_mut(at)).ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))
    }

    fn newest(&mut self, lease: &Lease) -> Result<&mut Kept, JournalError> {
        let kept = self.get_mut(&lease.run)?;
        if kept.epoch == 0 || kept.epoch != lease.epoch {
            return Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch });
        }
        Ok(kept)
    }
}

impl Kept {
    fn live(&self, now: Millis) -> Option<&Holder> {
        self.held.as_ref().filter(|held| now < held.expires_at).map(|held| &held.holder)
    }
}

fn expiry(now: Millis, ttl_ms: u64) -> Millis {
    now.saturating_add(Millis::try_from(ttl_ms).unwrap_or(Millis::MAX))
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError> {
        let mut runs = self.runs();
        if runs.by_name.contains_key(&head.run) {
            return Err(JournalError::Exists(head.run.clone()));
        }
        let at = runs.in_order.len();
        runs.by_name.insert(head.run.clone(), at);
        runs.in_order.push(Kept { head: head.clone(), plan: plan.to_vec(), groups: Vec::new(), epoch: 0, held: None });
        Ok(())
    }

    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        let now = (self.now)();
        let mut runs = self.runs();
        let kept = runs.get_mut(run)?;
        if let Some(other) = kept.live(now) {
            return Err(JournalError::Held { run: run.to_owned(), holder: other.name.clone() });
        }
        kept.epoch += 1;
        kept.held = Some(Held { holder: holder.clone(), expires_at: expiry(now, ttl_ms) });
        Ok(Lease { run: run.to_owned(), epoch: kept.epoch })
    }

    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        let now = (self.now)();
        let mut runs = self.runs();
        let kept = runs.newest(lease)?;
        if let Some(held) = &mut kept.held {
            held.expires_at = expiry(now, ttl_ms);
        }
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        let mut runs = self.runs();
        if let Ok(kept) = runs.newest(lease)
            && let Some(held) = &mut kept.held
        {
            held.expires_at = Millis::MIN;
        }
        Ok(())
    }

    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError> {
        let mut runs = self.runs();
        let kept = runs.newest(lease)?;
        let next = kept.groups.len() as u64;
        if expected != next {
            return Err(JournalError::Conflict { run: lease.run.clone(), expected });
        }
        kept.groups.push(group.to_vec());
        Ok(Appended { next: next + 1 })
    }

    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        let runs = self.runs();
        let kept = runs.get(run)?;
        Ok((kept.head.clone(), kept.plan.clone()))
    }

    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        let runs = self.runs();
        let kept = runs.get(run)?;
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let page = kept.groups.iter().zip(0_u64..).skip(skip).take(limit as usize);
        Ok(page.map(|(bytes, seq)| StoredGroup { seq, bytes: bytes.clone() }).collect())
    }

    async fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        let now = (self.now)();
        let runs = self.runs();
        let mut listed: Vec<RunSummary> = runs
            .in_order
            .iter()
            .rev()
            .map(|kept| RunSummary {
                head: kept.head.clone(),
                groups: kept.groups.len() as u64,
                held_by: kept.live(now).map(|holder| holder.name.clone()),
            })
            .collect();
        // Stable: of the same time, the later created stays first.
        listed.sort_by_key(|summary| std::cmp::Reverse(summary.head.created_at));
        Ok(listed)
    }
}
