//! The reference of the shared pools.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryJournal;
use crate::fair::{Party, fair_grant};
use crate::ports::{Grant, JournalError, Lease, SharedPools, Want};

/// What each run last said, by estate, pool and key, then by the place of the run.
#[derive(Default)]
pub(super) struct Shares(BTreeMap<(String, String, String), BTreeMap<usize, Party>>);

impl Shares {
    /// Forgets all that the run at a place holds.
    pub(super) fn drop_all(&mut self, run: usize) {
        self.0.retain(|_, parties| {
            parties.remove(&run);
            !parties.is_empty()
        });
    }
}

#[async_trait]
impl SharedPools for MemoryJournal {
    async fn share(&self, lease: &Lease, estate: &str, wants: &[Want]) -> Result<Vec<Grant>, JournalError> {
        let now = self.now();
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        if !state.runs.is_live(run, now) {
            return Ok(vec![Grant { slots: 0, participants: 1 }; wants.len()]);
        }
        let mut grants = Vec::with_capacity(wants.len());
        for Want { pool, key, limit, used, want, unit } in wants {
            let parties = state.shares.0.entry((estate.to_owned(), pool.clone(), key.clone())).or_default();
            parties.insert(run, Party { limit: *limit, held: *used, want: *want, unit: *unit });
            let live = parties.iter().filter(|&(&at, _)| at == run || state.runs.is_live(at, now));
            let (places, live): (Vec<usize>, Vec<Party>) = live.map(|(&at, &party)| (at, party)).unzip();
            let me = places.iter().position(|&at| at == run).unwrap_or(0);
            let grant = fair_grant(&live, me, now);
            if let Some(mine) = parties.get_mut(&run) {
                mine.held = (*used).max(grant.slots);
            }
            parties.retain(|&at, party| at != run || party.held > 0 || party.want > 0);
            grants.push(grant);
        }
        Ok(grants)
    }

    async fn leave(&self, lease: &Lease) -> Result<(), JournalError> {
        let state = &mut *self.state();
        if let Ok(run) = state.runs.newest_at(lease) {
            state.shares.drop_all(run);
        }
        Ok(())
    }
}
