//! The reference of the locks on sites.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::MemoryJournal;
use super::runs::Runs;
use crate::ports::{HeldSite, JournalError, RunCopy, RunHead, SiteLocks};

/// Places of the runs that hold sites, by estate and site.
#[derive(Default)]
pub(super) struct Locks(BTreeMap<String, BTreeMap<String, usize>>);

impl Locks {
    fn of<'a>(&'a self, estate: &str, sites: &'a [String]) -> impl Iterator<Item = (&'a String, usize)> {
        let held = self.0.get(estate);
        let asked: BTreeSet<&String> = sites.iter().collect();
        asked.into_iter().filter_map(move |site| held?.get(site).map(|&at| (site, at)))
    }

    /// Refuses if a run other than the one at a place holds one of the sites.
    fn free(&self, runs: &Runs, at: Option<usize>, estate: &str, sites: &[String]) -> Result<(), JournalError> {
        let mut others = self.of(estate, sites).filter(|&(_, holder)| Some(holder) != at);
        let Some((site, holder)) = others.next() else { return Ok(()) };
        let run = runs.in_order.get(holder).map(|kept| kept.head.run.clone()).unwrap_or_default();
        Err(JournalError::SiteHeld { site: site.clone(), run, more: others.count() as u64 })
    }

    /// Refuses if the run at a place holds any site.
    pub(super) fn refuse_if_held(&self, at: usize, run: &str) -> Result<(), JournalError> {
        let held = self.0.values().flatten().filter(|(_, holder)| **holder == at).map(|(site, _)| site);
        let Some(site) = held.clone().min() else { return Ok(()) };
        // Of two estates they are two.
        Err(JournalError::SiteHeld { site: site.clone(), run: run.to_owned(), more: held.count() as u64 - 1 })
    }

    fn hold(&mut self, at: usize, estate: &str, sites: &[String]) {
        self.0.entry(estate.to_owned()).or_default().extend(sites.iter().map(|site| (site.clone(), at)));
    }
}

#[async_trait]
impl SiteLocks for MemoryJournal {
    async fn create_holding(
        &self,
        head: &RunHead,
        plan: &[u8],
        estate: &str,
        sites: &[String],
    ) -> Result<(), JournalError> {
        let mut state = self.state();
        state.runs.absent(&head.run)?;
        state.locks.free(&state.runs, None, estate, sites)?;
        let at = state.runs.add(head, plan);
        state.locks.hold(at, estate, sites);
        Ok(())
    }

    async fn create_copy(&self, copy: &RunCopy) -> Result<(), JournalError> {
        let mut state = self.state();
        state.runs.absent(&copy.head.run)?;
        state.locks.free(&state.runs, None, &copy.estate, &copy.sites)?;
        let at = state.runs.add(&copy.head, &copy.plan);
        let kept = state.runs.get_mut(&copy.head.run)?;
        (kept.groups, kept.epoch) = (copy.groups.clone(), copy.epoch);
        state.locks.hold(at, &copy.estate, &copy.sites);
        Ok(())
    }

    async fn hold_sites(&self, run: &str, estate: &str, sites: &[String]) -> Result<(), JournalError> {
        let mut state = self.state();
        let at = state.runs.at(run)?;
        state.locks.free(&state.runs, Some(at), estate, sites)?;
        state.locks.hold(at, estate, sites);
        Ok(())
    }

    async fn let_go(&self, run: &str, estate: &str, sites: &[String]) -> Result<u64, JournalError> {
        let mut state = self.state();
        let at = state.runs.at(run)?;
        let Some(held) = state.locks.0.get_mut(estate) else { return Ok(0) };
        let before = held.len();
        for site in sites {
            if held.get(site) == Some(&at) {
                held.remove(site);
            }
        }
        Ok((before - held.len()) as u64)
    }

    async fn let_go_all(&self, run: &str) -> Result<u64, JournalError> {
        let mut state = self.state();
        let at = state.runs.at(run)?;
        let mut gone = 0;
        for held in state.locks.0.values_mut() {
            let before = held.len();
            held.retain(|_, holder| *holder != at);
            gone += (before - held.len()) as u64;
        }
        Ok(gone)
    }

    async fn holders(&self, estate: &str, sites: &[String]) -> Result<Vec<HeldSite>, JournalError> {
        let state = self.state();
        let named = |(site, at): (&String, usize)| {
            let run = state.runs.in_order.get(at)?.head.run.clone();
            Some(HeldSite { site: site.clone(), run })
        };
        Ok(state.locks.of(estate, sites).filter_map(named).collect())
    }
}
