//! Which runs may be given up, and giving them up: those that are over, old enough, and needed by nobody.

use std::collections::BTreeSet;

use engine::{Millis, Status};

use crate::drill::DrillRuns;
use crate::driver::recover;
use crate::ports::{Holder, JournalError, RunSummary, Store};

/// Time for which a run is held while it is given up.
const LEASE_MS: u64 = 60_000;

/// What is kept whatever its state.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Runs that ended at this time or later.
    pub since: Millis,
    /// The newest so many runs of the store.
    pub newest: usize,
}

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

/// Judges all runs of a store, oldest first. Folds those that are old enough: seconds for a large one.
///
/// # Errors
/// If the store cannot be read; a run that cannot be is kept.
pub async fn prunable(store: &dyn Store, keep: Keep) -> Result<Vec<Judged>, JournalError> {
    let needed = Needed::of(store).await?;
    let mut judged = Vec::new();
    for (ix, run) in store.list().await?.into_iter().enumerate() {
        let mut one = judge(store, &run, keep.since, &needed).await;
        if ix < keep.newest {
            one.kept.get_or_insert_with(|| "it is one of the newest".to_owned());
        }
        judged.push(one);
    }
    judged.reverse();
    Ok(judged)
}

/// Gives a run up, if it still may be: its name at once, what it took by [`free_all`].
///
/// Returns why it is kept after all: it was reopened, or somebody has begun to drive it.
///
/// # Errors
/// The store's trouble.
///
/// # Cancel safety
/// When dropped, the run is there or given up; it may be held for a minute.
pub async fn prune(
    store: &dyn Store,
    run: &str,
    since: Millis,
    holder: &Holder,
) -> Result<Option<String>, JournalError> {
    let lease = match store.acquire(run, holder, LEASE_MS).await {
        Ok(lease) => lease,
        Err(error @ (JournalError::Held { .. } | JournalError::NoSuchRun(_))) => return Ok(Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let needed = Needed::of(store).await?;
    let summary = store.list().await?.into_iter().find(|summary| summary.head.run == run);
    let kept = match summary {
        // We hold it ourselves.
        Some(summary) => judge(store, &RunSummary { held_by: None, ..summary }, since, &needed).await.kept,
        None => Some("it is gone".to_owned()),
    };
    let kept = match kept {
        Some(why) => Some(why),
        None => match store.discard(&lease).await {
            Ok(()) => return Ok(None),
            Err(error @ JournalError::SiteHeld { .. }) => Some(error.to_string()),
            Err(error) => return Err(error),
        },
    };
    store.release(&lease).await?;
    Ok(kept)
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

/// Runs that drills need.
struct Needed {
    unfinished: BTreeSet<String>,
    proofs: BTreeSet<String>,
}

impl Needed {
    async fn of(store: &dyn Store) -> Result<Self, JournalError> {
        let names = |run: &str| {
            let DrillRuns { set_up, run, compare, clean_up } = DrillRuns::of(run);
            [set_up, run, compare, clean_up]
        };
        let unfinished = store.unfinished_drills(None).await?;
        let mut proofs = BTreeSet::new();
        let (mut drills, mut books) = (BTreeSet::new(), BTreeSet::new());
        for entry in store.drills(None, u32::MAX).await? {
            // Each drill and each runbook is asked for once.
            let newest = match drills.insert(entry.claim.drill.clone()) {
                true => store.last_good_drill(&entry.claim.drill, Millis::MAX).await?,
                false => None,
            };
            let certificate = match books.insert(entry.claim.runbook_hash.clone()) {
                true => store.certificate(&entry.claim.runbook_hash, Millis::MAX).await?,
                false => None,
            };
            proofs.extend(newest.into_iter().chain(certificate).flat_map(|entry| names(&entry.claim.run)));
        }
        Ok(Self { unfinished: unfinished.iter().flat_map(|entry| names(&entry.claim.run)).collect(), proofs })
    }
}

async fn judge(store: &dyn Store, summary: &RunSummary, since: Millis, needed: &Needed) -> Judged {
    let run = &summary.head.run;
    let kept = |why: &str| Judged { run: run.clone(), ended_at: None, kept: Some(why.to_owned()) };
    if let Some(holder) = &summary.held_by {
        return kept(&format!("it is driven by {holder}"));
    }
    if needed.unfinished.contains(run) {
        return kept("it belongs to a drill that is not cleaned up");
    }
    if needed.proofs.contains(run) {
        return kept("it is the last proof of a drill or of a runbook");
    }
    // Who was created later cannot have ended earlier.
    if summary.head.created_at >= since {
        return kept("it is not old enough");
    }
    let mut last = 0;
    let recovered = match recover(store, run, |_, record| last = record.at).await {
        Ok(recovered) => recovered,
        Err(error) => return kept(&format!("it cannot be read: {error}")),
    };
    if !matches!(recovered.run.status(), Status::Ended(_)) {
        return kept("it has not ended");
    }
    let kept = |why: String| Judged { run: run.clone(), ended_at: Some(last), kept: Some(why) };
    if last >= since {
        return kept("it is not old enough".to_owned());
    }
    let spec = recovered.run.plan().spec();
    let sites: Vec<String> = spec.sites.ids.iter().map(ToString::to_string).collect();
    match store.holders(&spec.origin.estate, &sites).await {
        Ok(holders) if holders.iter().any(|held| held.run == *run) => kept("it holds sites".to_owned()),
        Ok(_) => Judged { run: run.clone(), ended_at: Some(last), kept: None },
        Err(error) => kept(format!("its sites cannot be looked up: {error}")),
    }
}
