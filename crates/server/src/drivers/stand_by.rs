//! Standing by: runs whose driver is gone are taken on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::{Event, Plan};
use runtime::{JournalError, RunSummary, Store};
use tokio_util::sync::CancellationToken;

use crate::drivers::Drivers;
use crate::drivers::ends::last_event;
use crate::drivers::patience::answered;

/// Between two looks for runs whose driver is gone, and before a store that was busy is asked again.
const BETWEEN: Duration = Duration::from_secs(1);

/// Before the next look at a store that says what does not pass by itself: it may be restored meanwhile.
const LATER: Duration = Duration::from_secs(60);

/// Takes on runs whose driver is gone, if they have begun and have not ended, until the process stops: at the start, and then
/// within a moment of the end of a lease. What its driver gave back is left alone: a person stopped it, or it cannot be driven.
/// Of several processes that stand by, one gets each. A run that nobody has opened is left alone, too: who opens it may not
/// approve it, so that must be a person; those of drills are left to the scheduler, which calls them off.
///
/// # Cancel safety
/// May be dropped at any await; what was taken on by then is driven.
pub(crate) async fn stand_by(drivers: &Drivers, actor: &str, stop: CancellationToken) {
    let store = &*drivers.kit().store;
    let mut watch = Watch { drivers, actor, stop: &stop, left: BTreeMap::new() };
    loop {
        let pause = match answered(|| store.abandoned(), BETWEEN, &stop).await {
            Ok(Some(list)) => {
                watch.look(list).await;
                BETWEEN
            }
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "runs that nobody drives cannot be looked for");
                LATER
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
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
        let there: BTreeSet<&str> = list.iter().map(|run| &*run.head.run).collect();
        self.left.retain(|name, _| there.contains(&**name));
        for run in list {
            let name = &run.head.run;
            if self.left.get(name) == Some(&run.groups) || self.drivers.drives(name) {
                continue;
            }
            match answered(|| interrupted(&*self.drivers.kit().store, &run), BETWEEN, self.stop).await {
                Ok(None) => return,
                Ok(Some(true)) => {
                    if self.drivers.take_on(name, self.actor).is_ok() {
                        tracing::info!(run = name, "a run that nobody drives is taken on");
                    }
                    continue;
                }
                Ok(Some(false)) => {}
                Err(error) => tracing::error!(run = name, %error, "a run cannot be read; it is left alone"),
            }
            self.left.insert(run.head.run, run.groups);
        }
    }
}

/// Whether a run has begun, has not ended and is no part of a drill, by the end of its journal and by its plan: the whole is read
/// when it is driven.
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
    use engine::{DrillMark, DrillObjectives, DrillPart, GroupWriter, Input, Link, PlanSpec, Record, Run};
    use runtime::{Clock as _, Journal as _, MemoryJournal, SystemClock};

    use super::*;

    /// A run that was opened and has not ended.
    pub(in crate::drivers) async fn begun(journal: &MemoryJournal, name: &str, drill: Option<DrillMark>) {
        let mut spec = PlanSpec::default();
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
            let taken = interrupted(&journal, &summary).await.expect("it can be read");
            assert_eq!(taken, summary.head.run == "run");
        }
    }
}
