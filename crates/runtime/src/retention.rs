//! Which runs may be given up, and giving them up: those that are over, old enough, and needed by nobody.

use std::collections::BTreeSet;

use engine::{Millis, Status};

use crate::drill::DrillRuns;
use crate::driver::recover;
use crate::ports::{Holder, JournalError, Store};

/// Time for which a run is held while it is given up.
const LEASE_MS: u64 = 60_000;

/// A run that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub run: String,
    /// When it ended, if it has.
    pub ended_at: Option<Millis>,
    /// Why it is kept; `None` if it may be given up.
    pub kept: Option<String>,
}

/// A look at a store for runs that may be given up: what ended before a time, and no drill needs.
///
/// What drills need is read once: whatever a drill adds later is too new to go.
pub struct Pruning<'a> {
    store: &'a dyn Store,
    since: Millis,
    unfinished: BTreeSet<String>,
    proofs: BTreeSet<String>,
}

impl<'a> Pruning<'a> {
    /// Begins a look at `now` for runs that ended before `since`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn of(store: &'a dyn Store, now: Millis, since: Millis) -> Result<Self, JournalError> {
        let unfinished = store.unfinished_drills(None).await?;
        let unfinished = unfinished.iter().flat_map(|entry| DrillRuns::of(&entry.claim.run).all()).collect();
        let proofs = store.proofs(now).await?;
        let proofs = proofs.iter().flat_map(|run| DrillRuns::of(run).all()).collect();
        Ok(Self { store, since, unfinished, proofs })
    }

    /// Judges all runs, oldest first; the newest so many are kept in any case. Folds those that are old enough: seconds for
    /// a large one.
    ///
    /// # Errors
    /// If the store cannot be read; a run that cannot be is kept.
    pub async fn judged(&self, newest: usize) -> Result<Vec<Judged>, JournalError> {
        let mut judged = Vec::new();
        for (ix, run) in self.store.list().await?.into_iter().enumerate() {
            let kept = |why: String| Judged { run: run.head.run.clone(), ended_at: None, kept: Some(why) };
            let mut one = match &run.held_by {
                Some(holder) => kept(format!("it is driven by {holder}")),
                // Who was created later cannot have ended earlier.
                None if run.head.created_at >= self.since => kept("it is not old enough".to_owned()),
                None => self.judge(&run.head.run).await,
            };
            if ix < newest {
                one.kept.get_or_insert_with(|| "it is one of the newest".to_owned());
            }
            judged.push(one);
        }
        judged.reverse();
        Ok(judged)
    }

    /// Gives a run up, if it still may be: it is found no longer, and what it took goes by [`free_all`].
    ///
    /// Returns why it is kept after all: it was reopened, or somebody has begun to drive it.
    ///
    /// # Errors
    /// The store's trouble; the run is kept.
    ///
    /// # Cancel safety
    /// When dropped, the run is there or given up; it may be held for a minute.
    pub async fn prune(&self, run: &str, holder: &Holder) -> Result<Option<String>, JournalError> {
        let lease = match self.store.borrow(run, holder, LEASE_MS).await {
            Ok(lease) => lease,
            Err(error @ (JournalError::Held { .. } | JournalError::NoSuchRun(_))) => {
                return Ok(Some(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        let kept = match self.judge(run).await.kept {
            Some(why) => Ok(Some(why)),
            None => match self.store.discard(&lease).await {
                Ok(()) => return Ok(None),
                // Its fold took longer than the lease, and somebody else has it now; or it took its sites again.
                Err(error @ (JournalError::SiteHeld { .. } | JournalError::Fenced { .. })) => {
                    Ok(Some(error.to_string()))
                }
                Err(error) => Err(error),
            },
        };
        // One that cannot be given back expires by itself.
        let _ = self.store.give_back(&lease).await;
        kept
    }

    async fn judge(&self, run: &str) -> Judged {
        let kept = |why: &str| Judged { run: run.to_owned(), ended_at: None, kept: Some(why.to_owned()) };
        if self.unfinished.contains(run) {
            return kept("it belongs to a drill that is not cleaned up");
        }
        if self.proofs.contains(run) {
            return kept("it is the last proof of a drill or of a runbook");
        }
        let mut last = 0;
        let recovered = match recover(self.store, run, |_, record| last = record.at).await {
            Ok(recovered) => recovered,
            Err(error) => return kept(&format!("it cannot be read: {error}")),
        };
        let spec = recovered.run.plan().spec();
        if recovered.run.opened_at().is_none() && spec.extras.drill.is_some() {
            // Part of a drill that is over and never came to it.
            last = recovered.head.created_at;
        } else if !matches!(recovered.run.status(), Status::Ended(_)) {
            return kept("it has not ended");
        }
        let kept = |why: String| Judged { run: run.to_owned(), ended_at: Some(last), kept: Some(why) };
        if last >= self.since {
            return kept("it is not old enough".to_owned());
        }
        let sites: Vec<String> = spec.sites.ids.iter().map(ToString::to_string).collect();
        match self.store.holders(&spec.origin.estate, &sites).await {
            Ok(holders) if holders.iter().any(|held| held.run == *run) => kept("it holds sites".to_owned()),
            Ok(_) => Judged { run: run.to_owned(), ended_at: Some(last), kept: None },
            Err(error) => kept(format!("its sites cannot be looked up: {error}")),
        }
    }
}

/// Frees all that discarded runs took, whoever discarded them, in pieces between which others write. Returns about how many
/// bytes.
///
/// # Errors
/// The store's trouble; the next call goes on.
///
/// # Cancel safety
/// When dropped, the next call goes on.
pub async fn free_all(store: &dyn Store) -> Result<u64, JournalError> {
    let mut bytes = 0;
    while let Some(freed) = store.free().await? {
        bytes += freed;
        tokio::task::yield_now().await;
    }
    Ok(bytes)
}
