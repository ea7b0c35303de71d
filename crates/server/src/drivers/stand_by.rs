//! Standing by: runs that nobody drives any more are taken on, at the start and whenever a driver is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Event, Plan};
use runtime::{JournalError, RunSummary, Store};
use tokio_util::sync::CancellationToken;

use crate::drivers::Drivers;
use crate::drivers::ends::last_event;
use crate::drivers::patience::answered;

/// Between two looks for runs whose driver is gone, and before a store that was busy is asked again.
const BETWEEN: Duration = Duration::from_secs(1);

/// Takes on runs that have begun, have not ended and that no live process holds, until the process stops. At first all of
/// them; then those whose driver is gone, within a moment of the end of its lease: one that its driver gave back was stopped
/// by a person. Of several processes that stand by, one gets each. A run that nobody has opened is left alone: who opens it
/// may not approve it, so that must be a person; those of drills are left to the scheduler, which calls them off.
///
/// # Errors
/// If the store cannot be read, and will not be by waiting.
///
/// # Cancel safety
/// May be dropped at any await; what was taken on by then is driven.
pub(crate) async fn stand_by(drivers: &Drivers, actor: &str, stop: CancellationToken) -> Result<(), JournalError> {
    let store = &*drivers.kit().store;
    let mut watch = Watch { drivers, actor, stop: &stop, left: BTreeMap::new() };
    let Some(list) = answered(|| store.list(), BETWEEN, &stop).await? else { return Ok(()) };
    watch.look(list).await;
    loop {
        tokio::select! {
            () = tokio::time::sleep(BETWEEN) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let Some(list) = answered(|| store.abandoned(), BETWEEN, &stop).await? else { return Ok(()) };
        watch.look(list).await;
    }
}

/// What is remembered from look to look.
struct Watch<'a> {
    drivers: &'a Drivers,
    actor: &'a str,
    stop: &'a CancellationToken,
    /// Runs that are left alone, with the groups that they had: a run that was over may be reopened.
    left: BTreeMap<String, u64>,
}

impl Watch<'_> {
    async fn look(&mut self, list: Vec<RunSummary>) {
        for run in list {
            let name = &run.head.run;
            if self.left.get(name) == Some(&run.groups) || self.drivers.drives(name) {
                continue;
            }
            match standing(&*self.drivers.kit().store, &run, self.stop).await {
                // The process is stopping.
                None => return,
                Some(Stands::Held) => {}
                Some(Stands::Left) => drop(self.left.insert(run.head.run, run.groups)),
                Some(Stands::Interrupted) => {
                    if self.drivers.take_on(name, self.actor).is_ok() {
                        tracing::info!(run = name, "a run that nobody drives is taken on");
                    }
                }
            }
        }
    }
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
