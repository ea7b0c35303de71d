//! Drills whose processes were lost, of whatever name: they are ended and cleaned up before anything new begins in their
//! sandbox.

use std::sync::Arc;

use engine::Millis;
use report::DrillReport;
use runtime::{DrillEntry, JournalError};

use crate::drills::DrillError;
use crate::drills::carry::Counts;
use crate::drills::conduct::Conductor;
use crate::drills::sandbox::Sandbox;
use crate::drills::scheduler::{LOOK_MS, Shared, State};
use crate::words::chain;

/// A drill that has not ended and does not go on here.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    drill: String,
    sandbox: Sandbox,
    /// Whether another process conducted it at the last look, so that its sites are held and it will be cleaned up. Never
    /// while it is being ended here: that process may be gone by now.
    elsewhere: bool,
    /// When it is tried again; `None` while it is being ended here.
    again: Option<Millis>,
}

impl State {
    /// The lost drill that has to be cleaned up before this one can begin.
    pub(super) fn in_the_way(&self, name: &str) -> Option<String> {
        let estate = self.rows.get(name).and_then(|row| row.drill.as_ref()).map(|drill| drill.estate.name.as_str());
        let blocks = |lost: &&Lost| {
            // What another process conducts is an overlap of its own name alone.
            !lost.elsewhere && (lost.drill == name || estate.is_some_and(|name| lost.sandbox.may_be(name)))
        };
        self.lost.values().find(blocks).map(|lost| lost.drill.clone())
    }

    /// Whether another process conducts a drill of this name.
    pub(super) fn elsewhere(&self, name: &str) -> bool {
        self.lost.values().any(|lost| lost.elsewhere && lost.drill == name)
    }
}

impl Shared {
    /// Looks for lost drills, and ends each on a task of its own.
    pub(super) async fn take_up_lost(self: &Arc<Self>, now: Millis) -> Result<(), JournalError> {
        let entries = self.kit.store.unfinished_drills(None).await?;
        let mut state = self.state();
        let is_open = |run: &str| entries.iter().any(|entry| entry.claim.run == run);
        state.lost.retain(|run, lost| lost.again.is_none() || is_open(run));
        for entry in entries {
            let run = &entry.claim.run;
            let here = state.rows.values().any(|row| row.going.as_ref().is_some_and(|going| going.run == *run));
            let known = state.lost.get(run);
            let later = known.is_some_and(|lost| lost.again.is_none_or(|at| at > now));
            if here || later || self.stop.is_cancelled() {
                continue;
            }
            let sandbox = known.map_or(Sandbox::Unknown, |lost| lost.sandbox.clone());
            let drill = entry.claim.drill.clone();
            state.lost.insert(run.clone(), Lost { drill, sandbox, elsewhere: false, again: None });
            let mut ending = Ending { shared: self.clone(), run: run.clone(), over: false, elsewhere: false };
            self.tasks.spawn(async move { ending.end(entry).await });
        }
        Ok(())
    }
}

/// Ends a lost drill; one that could not be ended is tried again, however the task ends.
struct Ending {
    shared: Arc<Shared>,
    run: String,
    over: bool,
    elsewhere: bool,
}

impl Ending {
    async fn end(&mut self, entry: DrillEntry) {
        let (shared, run) = (self.shared.clone(), &self.run);
        let sandbox = Sandbox::of(&*shared.kit.store, &entry.claim).await;
        if let Some(lost) = shared.state().lost.get_mut(run) {
            lost.sandbox = sandbox;
        }
        let mut counts = Counts(shared.metrics.clone());
        let mut conductor = Conductor {
            kit: &shared.kit,
            clock: &*shared.clock,
            actor: &shared.actor,
            observer: &mut counts,
            stop: shared.stop.clone(),
        };
        let ended = conductor.end(&entry).await;
        (self.over, self.elsewhere) = stands(&ended);
        match ended {
            Ok(report) => tracing::info!(run, good = report.good, "a lost drill is cleaned up"),
            Err(DrillError::Judged(_)) => tracing::info!(run, "a lost drill was cleaned up by another process"),
            Err(DrillError::Elsewhere { .. }) => {}
            Err(error) => tracing::error!(run, error = chain(&error), "a lost drill cannot be ended"),
        }
    }
}

/// Whether a drill that was to be ended is over, whoever ended it, and whether another process conducts it.
fn stands(ended: &Result<DrillReport, DrillError>) -> (bool, bool) {
    let over = matches!(ended, Ok(_) | Err(DrillError::Judged(_)));
    (over, matches!(ended, Err(DrillError::Elsewhere { .. })))
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if self.over {
            state.lost.remove(&self.run);
        } else if let Some(lost) = state.lost.get_mut(&self.run) {
            (lost.again, lost.elsewhere) = (Some(self.shared.clock.now() + LOOK_MS), self.elsewhere);
        }
        drop(state);
        self.shared.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_has_judged_is_over() {
        assert_eq!(stands(&Err(DrillError::Judged("nightly-1".to_owned()))), (true, false));
        let elsewhere = DrillError::Elsewhere { run: "nightly-1".to_owned(), holder: "another".to_owned() };
        assert_eq!(stands(&Err(elsewhere)), (false, true));
        assert_eq!(stands(&Err(DrillError::Claimed("nightly".to_owned()))), (false, false), "it is tried again");
    }
}
