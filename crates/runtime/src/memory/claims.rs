//! The reference of claims.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryJournal;
use crate::ports::{Claims, JournalError, ToClaim, WorkClaim};

/// Claims by the place of their run and by subject.
#[derive(Default)]
pub(super) struct AtWork(BTreeMap<(usize, String), WorkClaim>);

impl AtWork {
    /// Forgets those of a run.
    pub(super) fn forget(&mut self, at: usize) {
        self.0.retain(|(run, _), _| *run != at);
    }
}

#[async_trait]
impl Claims for MemoryJournal {
    async fn set_claim(
        &self,
        run: &str,
        subject: &str,
        expected: Option<&str>,
        to: Option<&ToClaim>,
    ) -> Result<bool, JournalError> {
        let now = self.now();
        let mut state = self.state();
        let key = (state.runs.at(run)?, subject.to_owned());
        let claims = &mut state.claims.0;
        match WorkClaim::set(claims.get(&key).cloned(), subject, expected, to, now) {
            None => return Ok(false),
            Some(None) => drop(claims.remove(&key)),
            Some(Some(claim)) => drop(claims.insert(key, claim)),
        }
        Ok(true)
    }

    async fn claims(&self, run: &str) -> Result<Vec<WorkClaim>, JournalError> {
        let state = self.state();
        let at = state.runs.at(run)?;
        let of_run = state.claims.0.range((at, String::new())..(at + 1, String::new()));
        Ok(of_run.map(|(_, claim)| claim.clone()).collect())
    }
}
