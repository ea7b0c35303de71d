//! Taking up, at start, the runs that nobody drives any more.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Event, Plan, decode_group};
use runtime::{Journal, RunSummary, Settings};
use tokio_util::sync::CancellationToken;

use crate::drivers::Drivers;

/// Time between two looks at runs that seemed to be held.
const BETWEEN: Duration = Duration::from_secs(2);

/// Takes up every run that has begun, has not ended and is not held by a live process. A run that seems held is looked at
/// again until a lease of a process that is gone would have expired. A run that nobody has opened is left alone: who opens
/// it may not approve it, so that must be a person; one that is part of a drill is left to the scheduler, which calls it off.
/// Returns the runs that were taken up.
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
    for run in store.list().await? {
        match stands(&*store, &run).await {
            Stands::Over | Stands::NotBegun | Stands::OfDrill => {}
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
    OfDrill,
}

/// How a run stands, by the end of its journal and by its plan: the whole is read when it is driven.
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
        Some(_) if is_of_drill(journal, &run.head.run).await => Stands::OfDrill,
        Some(_) => Stands::Interrupted,
        None => Stands::NotBegun,
    }
}

/// Whether a run is part of a drill, by its plan: the history may have forgotten it. A plan that cannot be read here cannot
/// be driven here either.
async fn is_of_drill(journal: &dyn Journal, run: &str) -> bool {
    let read = journal.plan(run).await.ok().and_then(|(_, bytes)| Plan::decode(&bytes).ok());
    match read {
        Some(plan) => plan.spec().extras.drill.is_some(),
        None => {
            tracing::warn!(run, "the plan of a run cannot be read; it is left alone");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{
        Batches, DrillMark, DrillObjectives, DrillPart, GroupWriter, Input, PLAN_FORMAT, PlanSpec, Record, Run,
    };
    use runtime::{Clock as _, MemoryJournal, SystemClock};

    use super::*;

    /// A run that was opened and has not ended.
    async fn interrupted(journal: &MemoryJournal, name: &str, drill: Option<DrillMark>) {
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
        let events = Run::new(plan).decide(1, Input::Open { actor: "anna".into() }, &evaluator).expect("it is new");
        let mut group = GroupWriter::default();
        events.into_iter().take(1).for_each(|event| group.push(&Record { at: 1, event }));
        let lease = journal.acquire(name, &crate::drivers::holder(), 1_000).await.expect("nobody has it");
        journal.append(&lease, 0, &group.finish()).await.expect("it is ours");
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
        interrupted(&journal, "drill", Some(mark)).await;
        interrupted(&journal, "run", None).await;
        for summary in journal.list().await.expect("it is in memory") {
            let expected = if summary.head.run == "run" { Stands::Interrupted } else { Stands::OfDrill };
            assert_eq!(stands(&journal, &summary).await, expected);
        }
    }
}
