//! A drill taking place on a task of its own.

use std::sync::Arc;

use engine::{DrillPart, Millis, Record, Run};
use runbook::Occasion;
use runtime::DrillObserver;

use crate::drills::conduct::Conductor;
use crate::drills::prepare::run_of;
use crate::drills::row::{Going, Row};
use crate::drills::scheduler::Shared;
use crate::drills::{DrillError, LoadedDrill};
use crate::metrics::Metrics;
use crate::words::chain;

/// Counts what drills do, as for any run.
pub(super) struct Counts(pub(super) Metrics);

impl DrillObserver for Counts {
    fn begins(&mut self, part: DrillPart, run: &Run) {
        tracing::info!(?part, sites = run.plan().site_count(), "a part of a drill begins");
    }

    fn committed(&mut self, _: DrillPart, _: &Run, records: &[Record]) {
        self.0.committed(records);
    }

    fn rests(&mut self, _: DrillPart) {}
}

impl Shared {
    /// Begins a slot of a drill that rests; gives the name of its run.
    pub(super) fn begin(
        self: &Arc<Self>,
        row: &mut Row,
        name: &str,
        slot: Millis,
        seed: Option<u64>,
        actor: String,
    ) -> String {
        let Some(drill) = row.drill.clone() else { return String::new() };
        let (run, stop) = (run_of(name, slot), self.stop.child_token());
        row.going = Some(Going { slot, run: run.clone(), since: self.clock.now(), stop: stop.clone() });
        row.trouble = None;
        let (shared, name) = (self.clone(), name.to_owned());
        self.tasks.spawn(async move {
            let mut counts = Counts(shared.metrics.clone());
            let mut conductor =
                Conductor { kit: &shared.kit, clock: &*shared.clock, actor: &actor, observer: &mut counts, stop };
            let trouble = match take_place(&mut conductor, drill, slot, seed).await {
                Ok(good) => {
                    tracing::info!(drill = name, good, "a drill is over");
                    None
                }
                // Another daemon has seen to it.
                Err(DrillError::Claimed(_)) => None,
                Err(error) => Some(chain(&error)),
            };
            if let Some(why) = &trouble {
                tracing::error!(drill = name, why, "a drill did not take place");
            }
            // Who sees that it is over sees how it went.
            let _ = shared.stand(&name, shared.clock.now()).await;
            if let Some(row) = shared.state().rows.get_mut(&name) {
                row.going = None;
                row.trouble = trouble;
            }
            shared.wake.notify_one();
        });
        run
    }
}

/// Plans a drill for a slot and has it take place; says whether it was good.
async fn take_place(
    conductor: &mut Conductor<'_>,
    drill: Arc<LoadedDrill>,
    slot: Millis,
    seed: Option<u64>,
) -> Result<bool, DrillError> {
    let now = conductor.clock.now();
    let planned = drill.clone();
    let ready = tokio::task::spawn_blocking(move || planned.ready(&Occasion { slot, seed, chaos: None }, now)).await;
    let ready = ready.map_err(|error| DrillError::Plan(error.to_string()))?;
    match ready {
        Ok(ready) => Ok(conductor.take_place(&ready).await?.good),
        Err(error) => {
            conductor.came_to_nothing(&drill.claim_unplanned(slot, now), chain(&error)).await?;
            Err(error)
        }
    }
}
