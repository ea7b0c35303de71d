//! A drill taking place on a task of its own.

use std::sync::Arc;

use engine::{DrillPart, Millis, Record, Run};
use runbook::Occasion;
use runtime::DrillObserver;

use crate::drills::conduct::Conductor;
use crate::drills::prepare::run_of;
use crate::drills::row::{Going, Row};
use crate::drills::scheduler::{LOOK_MS, Shared};
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
    /// Begins a slot of a drill that rests, in the name of whoever asked, or of the schedule; gives the name of its run.
    pub(super) fn begin(
        self: &Arc<Self>,
        row: &mut Row,
        name: &str,
        slot: Millis,
        seed: Option<u64>,
        asked_by: Option<&str>,
    ) -> String {
        let Some(drill) = row.drill.clone() else { return String::new() };
        let (run, stop) = (run_of(name, slot), self.stop.child_token());
        row.going = Some(Going { slot, run: run.clone(), since: self.clock.now(), stop: stop.clone() });
        row.trouble = None;
        let mut rest = Rest::of(self, name, (slot, asked_by.is_none()));
        let actor = asked_by.unwrap_or(&self.actor).to_owned();
        self.tasks.spawn(async move {
            let shared = rest.shared.clone();
            let mut counts = Counts(shared.metrics.clone());
            let mut conductor =
                Conductor { kit: &shared.kit, clock: &*shared.clock, actor: &actor, observer: &mut counts, stop };
            rest.came(take_place(&mut conductor, drill, slot, seed).await);
            // Who sees that it is over sees how it went.
            let _ = shared.stand(&rest.name, shared.clock.now()).await;
        });
        run
    }
}

/// Has a drill rest when its task ends, however it ends.
struct Rest {
    shared: Arc<Shared>,
    name: String,
    slot: Millis,
    /// Whether the slot is of the schedule, which is not lost for a store that could not be reached.
    scheduled: bool,
    put_back: bool,
    trouble: Option<String>,
}

impl Rest {
    fn of(shared: &Arc<Shared>, name: &str, (slot, scheduled): (Millis, bool)) -> Self {
        let trouble = Some("its task ended before it was over: look at the log".to_owned());
        Self { shared: shared.clone(), name: name.to_owned(), slot, scheduled, put_back: false, trouble }
    }

    fn came(&mut self, ended: Result<bool, DrillError>) {
        let drill = &self.name;
        self.trouble = match ended {
            Ok(good) => {
                tracing::info!(drill, good, "a drill is over");
                None
            }
            // Another daemon has seen to it.
            Err(DrillError::Claimed(_)) => None,
            Err(error) => {
                self.put_back = self.scheduled && matches!(error, DrillError::Journal(_));
                Some(chain(&error))
            }
        };
        if let Some(why) = &self.trouble {
            tracing::error!(drill, why, "a drill did not take place");
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(row) = self.shared.state().rows.get_mut(&self.name) {
            row.going = None;
            row.trouble = self.trouble.take();
            // What was claimed is in the history, and is ended by that.
            let claimed = row.last.as_ref().is_some_and(|entry| entry.claim.slot == self.slot);
            if self.put_back && !claimed {
                row.queue.push_front(self.slot);
                row.not_before = self.shared.clock.now() + LOOK_MS;
            }
        }
        self.shared.wake.notify_one();
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
