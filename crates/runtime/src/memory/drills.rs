//! The reference of the history of drills.

use async_trait::async_trait;
use engine::Millis;

use super::MemoryJournal;
use crate::ports::{DrillClaim, DrillEntry, DrillResult, Drills, JournalError};

/// All entries, by slot and then by name.
#[derive(Default)]
pub(super) struct History(Vec<DrillEntry>);

impl History {
    fn of<'a>(&'a self, drill: Option<&'a str>) -> impl DoubleEndedIterator<Item = &'a DrillEntry> {
        self.0.iter().filter(move |entry| drill.is_none_or(|drill| entry.claim.drill == drill))
    }

    fn newest_good(&self, by: Millis, which: impl Fn(&DrillClaim) -> bool) -> Option<&DrillEntry> {
        let proves = |result: &DrillResult| result.proves && result.ended_at <= by;
        let good = self.0.iter().filter(|entry| entry.result.as_ref().is_some_and(proves));
        good.filter(|entry| which(&entry.claim))
            .max_by_key(|entry| (entry.result.as_ref().map(|result| result.ended_at), entry.claim.slot))
    }
}

#[async_trait]
impl Drills for MemoryJournal {
    async fn claim_drill(&self, claim: &DrillClaim) -> Result<bool, JournalError> {
        let history = &mut self.state().drills.0;
        let place = |claim: &DrillClaim| (claim.slot, claim.drill.clone());
        match history.binary_search_by_key(&place(claim), |entry| place(&entry.claim)) {
            Ok(_) => Ok(false),
            Err(at) => {
                history.insert(at, DrillEntry { claim: claim.clone(), result: None });
                Ok(true)
            }
        }
    }

    async fn finish_drill(&self, drill: &str, slot: Millis, result: &DrillResult) -> Result<bool, JournalError> {
        let history = &mut self.state().drills.0;
        let entry = history.iter_mut().find(|entry| entry.claim.drill == drill && entry.claim.slot == slot);
        match entry {
            Some(DrillEntry { result: open @ None, .. }) => {
                *open = Some(result.clone());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn drills(&self, drill: Option<&str>, limit: u32) -> Result<Vec<DrillEntry>, JournalError> {
        let state = self.state();
        Ok(state.drills.of(drill).rev().take(limit as usize).cloned().collect())
    }

    async fn first_drill(&self, drill: &str) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.state().drills.of(Some(drill)).next().cloned())
    }

    async fn unfinished_drills(&self, drill: Option<&str>) -> Result<Vec<DrillEntry>, JournalError> {
        let state = self.state();
        Ok(state.drills.of(drill).filter(|entry| entry.result.is_none()).cloned().collect())
    }

    async fn last_good_drill(&self, drill: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.state().drills.newest_good(by, |claim| claim.drill == drill).cloned())
    }

    async fn certificate(&self, runbook_hash: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError> {
        Ok(self.state().drills.newest_good(by, |claim| claim.runbook_hash == runbook_hash).cloned())
    }

    async fn proofs(&self, by: Millis) -> Result<Vec<String>, JournalError> {
        let history = &self.state().drills;
        let is_proof = |entry: &&DrillEntry| {
            let later = entry.result.as_ref().is_some_and(|result| result.proves && result.ended_at > by);
            let last_of = |which: &dyn Fn(&DrillClaim) -> bool| history.newest_good(by, which) == Some(*entry);
            later
                || last_of(&|claim| claim.drill == entry.claim.drill)
                || last_of(&|claim| claim.runbook_hash == entry.claim.runbook_hash)
        };
        Ok(history.of(None).filter(is_proof).map(|entry| entry.claim.run.clone()).collect())
    }
}
