//! Taking up, at start, the runs that nobody drives any more.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Event, Plan};
use runtime::{JournalError, RunSummary, Settings, Store};
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
    let Some(list) = answered(|| store.list(), BETWEEN, &stop).await? else { return Ok(taken) };
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// It is over, has not begun, is part of a drill, or cannot be read.
    Left,
    Held,
    Interrupted,
}

/// How a run stands, by the end of its journal and by its plan: the whole is read when it is driven. `None` if the process is
/// stopping.
async fn standing(store: &dyn Store, run: &RunSummary, stop: &CancellationToken) -> Option<Stands> {
    if run.groups > 0 && run.held_by.is_some() {
        return Some(Stands::Held);
    }
    match answered(|| interrupted(store, run), BETWEEN, stop).await {
        Ok(None) => None,
        Ok(Some(true)) => Some(Stands::Interrupted),
        Ok(Some(false)) => Some(Stands::Left),
        Err(error) => {
            tracing::error!(run = run.head.run, %error, "a run cannot be read; it is left alone");
            Some(Stands::Left)
        }
    }
}

async fn interrupted(store: &dyn Store, run: &RunSummary) -> Result<bool, JournalError> {
    let begun = last_event(store, run).await?.is_some_and(|event| !matches!(event, Event::Ended { .. }));
    Ok(begun && !is_of_drill(store, &run.head.run).await?)
}

/// Whether a run is part of a drill, by its plan: the history may have forgotten it. A plan that cannot be read here cannot
/// be driven here either.
async fn is_of_drill(store: &dyn Store, run: &str) -> Result<bool, JournalError> {
    let (_, bytes) = store.plan(run).await?;
    match Plan::decode(&bytes) {
        Ok(plan) => Ok(plan.spec().extras.drill.is_some()),
        Err(error) => {
            tracing::warn!(run, %error, "the plan of a run cannot be read; it is left alone");
            Ok(true)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use engine::{
        Batches, DrillMark, DrillObjectives, DrillPart, GroupWriter, Input, Link, PLAN_FORMAT, PlanSpec, Record, Run,
    };
    use runtime::{Clock as _, Journal as _, MemoryJournal, SystemClock};

    use super::*;

    /// A run that was opened and has not ended.
    pub(in crate::drivers) async fn begun(journal: &MemoryJournal, name: &str, drill: Option<DrillMark>) {
        let mut spec = PlanSpec {
            format: PLAN_FORMAT,
            origin: engine::Origin::default(),
            sites: engine::Sites::default(),
            groups: Vec::new(),
            batches: Batches::default(),
            pools: Vec::new(),
            steps: Vec::new(),
            items: Vec::new(),
            inputs: "{}".into(),
            estate: "{}".into(),
            objectives: engine::Objectives::default(),
            extras: engine::Extras::default(),
        };
        spec.extras.drill = drill;
        let plan = Plan::new(spec).expect("it has nothing that could be wrong");
        runtime::open(journal, name, &plan, 1).await.expect("the name is free");
        let evaluator = crate::planning::evaluator(&plan).expect("there is no expression");
        let events =
            Run::new(plan.clone()).decide(1, Input::Open { actor: "anna".into() }, &evaluator).expect("it is new");
        let mut group = GroupWriter::after(Link::first(name, plan.hash()));
        events.into_iter().take(1).for_each(|event| group.push(&Record { at: 1, event }));
        let lease = journal.acquire(name, &crate::drivers::holder(), 1_000).await.expect("nobody has it");
        journal.append(&lease, 0, &group.finish().bytes).await.expect("it is ours");
        journal.release(&lease).await.expect("it is ours");
    }

    #[tokio::test]
    async fn a_run_of_a_drill_is_never_taken_up_whatever_the_history_says() {
        let journal = MemoryJournal::new(|| SystemClock.now());
        let mark = DrillMark {
            name: "weekly".into(),
            slot: 1,
            part: DrillPart::Run,
            seed: 1,
            listed: 0,
            asked: 0,
            earlier_ms: 0,
            take_back: false,
            objectives: DrillObjectives::default(),
            chaos: None,
        };
        begun(&journal, "drill", Some(mark)).await;
        begun(&journal, "run", None).await;
        for summary in journal.list().await.expect("it is in memory") {
            let expected = if summary.head.run == "run" { Stands::Interrupted } else { Stands::Left };
            assert_eq!(standing(&journal, &summary, &CancellationToken::new()).await, Some(expected));
        }
    }
}
