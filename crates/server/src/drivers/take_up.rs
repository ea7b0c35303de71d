//! Taking up, at start, the runs that nobody drives any more.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::Event;
use runtime::{DrillRuns, JournalError, RunSummary, Settings, Store};
use tokio_util::sync::CancellationToken;

use crate::drivers::Drivers;
use crate::drivers::ends::last_event;
use crate::drivers::patience::answered;

/// Time between two looks at runs that seemed to be held, and before a store that was busy is asked again.
const BETWEEN: Duration = Duration::from_secs(2);

/// Takes up every run that has begun, has not ended and is not held by a live process. A run that seems held is looked at
/// again until a lease of a process that is gone would have expired; a store that is busy is asked until it answers. A run
/// that nobody has opened is left alone: who opens it may not approve it, so that must be a person; those of drills are
/// left to the scheduler, which calls them off. Returns the runs that were taken up.
///
/// # Errors
/// If the store cannot be read, and will not be by waiting.
///
/// # Cancel safety
/// May be dropped at any await; what was taken up by then is driven.
pub(crate) async fn take_up(
    drivers: &Drivers,
    actor: &str,
    stop: CancellationToken,
) -> Result<Vec<String>, JournalError> {
    let store = &*drivers.kit().store;
    let mut taken = Vec::new();
    let Some(list) = answered(|| not_of_drills(store), BETWEEN, &stop).await? else { return Ok(taken) };
    let mut held = BTreeSet::new();
    for run in list {
        let Some(stands) = standing(store, &run, &stop).await else { return Ok(taken) };
        match stands {
            Stands::Left => {}
            Stands::Held => {
                held.insert(run.head.run);
            }
            Stands::Interrupted => taken.extend(started(drivers, run.head.run, actor)),
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
        let Some(list) = answered(|| store.list(), BETWEEN, &stop).await? else { break };
        for run in list.into_iter().filter(|run| held.contains(&run.head.run)).collect::<Vec<_>>() {
            let Some(stands) = standing(store, &run, &stop).await else { return Ok(taken) };
            if stands != Stands::Held {
                held.remove(&run.head.run);
            }
            if stands == Stands::Interrupted {
                taken.extend(started(drivers, run.head.run, actor));
            }
        }
    }
    Ok(taken)
}

/// Starts to drive a run; gives its name if it was not driven yet.
fn started(drivers: &Drivers, run: String, actor: &str) -> Option<String> {
    drivers.start(&run, actor).is_ok().then_some(run)
}

async fn not_of_drills(store: &dyn Store) -> Result<Vec<RunSummary>, JournalError> {
    let entries = store.unfinished_drills(None).await?.into_iter();
    let of_drills: BTreeSet<String> = entries
        .map(|entry| DrillRuns::of(&entry.claim.run))
        .flat_map(|runs| [runs.set_up, runs.run, runs.clean_up])
        .collect();
    let list = store.list().await?.into_iter();
    Ok(list.filter(|run| !of_drills.contains(&run.head.run)).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// It is over, has not begun, or cannot be read.
    Left,
    Held,
    Interrupted,
}

/// How a run stands, by the end of its journal alone: the whole is read when it is driven. `None` if the process is
/// stopping.
async fn standing(store: &dyn Store, run: &RunSummary, stop: &CancellationToken) -> Option<Stands> {
    if run.groups > 0 && run.held_by.is_some() {
        return Some(Stands::Held);
    }
    match answered(|| last_event(store, run), BETWEEN, stop).await {
        Ok(None) => None,
        Ok(Some(Some(event))) if !matches!(event, Event::Ended { .. }) => Some(Stands::Interrupted),
        Ok(Some(_)) => Some(Stands::Left),
        Err(error) => {
            tracing::error!(run = run.head.run, %error, "the end of a run cannot be read; it is left alone");
            Some(Stands::Left)
        }
    }
}
