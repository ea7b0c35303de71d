//! Taking up, at start, the runs that nobody drives any more.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Event, decode_group};
use runtime::{DrillRuns, Journal, RunSummary, Settings};
use tokio_util::sync::CancellationToken;

use crate::drivers::Drivers;

/// Time between two looks at runs that seemed to be held.
const BETWEEN: Duration = Duration::from_secs(2);

/// Takes up every run that has begun, has not ended and is not held by a live process. A run that seems held is looked at
/// again until a lease of a process that is gone would have expired. A run that nobody has opened is left alone: who opens
/// it may not approve it, so that must be a person; those of drills are left to the scheduler, which calls them off. Returns the runs that were taken up.
///
/// # Errors
/// If the store cannot be read at first.
///
/// # Cancel safety
/// May be dropped at any await; what was taken up by then is driven.
pub(crate) async fn take_up(
    drivers: &Drivers,
    actor: &str,
    stop: CancellationToken,
) -> Result<Vec<String>, runtime::JournalError> {
    let store = drivers.kit().store.clone();
    let mut taken = Vec::new();
    let mut held = BTreeSet::new();
    let entries = store.unfinished_drills(None).await?.into_iter();
    let of_drills: BTreeSet<String> = entries
        .map(|entry| DrillRuns::of(&entry.claim.run))
        .flat_map(|runs| [runs.set_up, runs.run, runs.clean_up])
        .collect();
    for run in store.list().await? {
        if of_drills.contains(&run.head.run) {
            continue;
        }
        match stands(&*store, &run).await {
            Stands::Over | Stands::NotBegun => {}
            Stands::Held => {
                held.insert(run.head.run);
            }
            Stands::Interrupted if drivers.start(&run.head.run, actor).is_ok() => taken.push(run.head.run),
            Stands::Interrupted => {}
        }
    }
    let looks = 2 * Settings::default().lease_ms / u64::try_from(BETWEEN.as_millis()).unwrap_or(1);
    for _ in 0..looks {
        if held.is_empty() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN) => {}
            () = stop.cancelled() => break,
        }
        let Ok(list) = store.list().await else { continue };
        for run in list.into_iter().filter(|run| held.contains(&run.head.run)).collect::<Vec<_>>() {
            let stands = stands(&*store, &run).await;
            if stands == Stands::Interrupted && drivers.start(&run.head.run, actor).is_ok() {
                taken.push(run.head.run.clone());
            }
            if stands != Stands::Held {
                held.remove(&run.head.run);
            }
        }
    }
    Ok(taken)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    NotBegun,
    Over,
    Held,
    Interrupted,
}

/// How a run stands, by the end of its journal alone: the whole is read when it is driven.
async fn stands(journal: &dyn Journal, run: &RunSummary) -> Stands {
    let Some(last) = run.groups.checked_sub(1) else { return Stands::NotBegun };
    if run.held_by.is_some() {
        return Stands::Held;
    }
    let group = match journal.load(&run.head.run, last, 1).await {
        Ok(groups) => groups.into_iter().next(),
        Err(error) => {
            tracing::warn!(run = run.head.run, %error, "the end of a run cannot be read; it is left alone");
            return Stands::NotBegun;
        }
    };
    let records =
        group.and_then(|group| decode_group(&group.bytes).ok()).map(|group| group.records).unwrap_or_default();
    match records.last().map(|record| &record.event) {
        Some(Event::Ended { .. }) => Stands::Over,
        Some(_) => Stands::Interrupted,
        None => Stands::NotBegun,
    }
}
