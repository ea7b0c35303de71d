//! Drills whose processes were lost, of whatever name: they are ended and cleaned up before anything new begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Millis;
use runtime::{DrillEntry, JournalError};

use crate::drills::DrillError;
use crate::drills::carry::Counts;
use crate::drills::conduct::Conductor;
use crate::drills::scheduler::{LOOK_MS, Shared};
use crate::words::chain;

impl Shared {
    /// Looks for lost drills, and ends each on a task of its own.
    pub(super) async fn take_up_lost(self: &Arc<Self>, now: Millis) -> Result<(), JournalError> {
        let entries = self.kit.store.unfinished_drills(None).await?;
        let mut state = self.state();
        let open: BTreeSet<&str> = entries.iter().map(|entry| entry.claim.drill.as_str()).collect();
        for (name, row) in &mut state.rows {
            row.elsewhere &= open.contains(name.as_str());
        }
        state.again.retain(|run, _| entries.iter().any(|entry| entry.claim.run == *run));
        for entry in entries {
            let run = &entry.claim.run;
            let here = state.rows.values().any(|row| row.going.as_ref().is_some_and(|going| going.run == *run));
            let later = state.again.get(run).is_some_and(|&at| at > now);
            if here || later || state.ending.contains_key(run) || self.stop.is_cancelled() {
                continue;
            }
            state.ending.insert(run.clone(), entry.claim.drill.clone());
            let shared = self.clone();
            self.tasks.spawn(async move { shared.end(entry).await });
        }
        Ok(())
    }

    async fn end(self: Arc<Self>, entry: DrillEntry) {
        let (run, drill) = (&entry.claim.run, &entry.claim.drill);
        let mut counts = Counts(self.metrics.clone());
        let mut conductor = Conductor {
            kit: &self.kit,
            clock: &*self.clock,
            actor: &self.actor,
            observer: &mut counts,
            stop: self.stop.clone(),
        };
        let ended = conductor.end(&entry).await;
        let mut state = self.state();
        state.ending.remove(run);
        let elsewhere = matches!(ended, Err(DrillError::Elsewhere { .. }));
        match ended {
            Ok(report) => tracing::info!(run, good = report.good, "a lost drill is cleaned up"),
            Err(error) => {
                state.again.insert(run.clone(), self.clock.now() + LOOK_MS);
                if !elsewhere {
                    tracing::error!(run, error = chain(&error), "a lost drill cannot be ended");
                }
            }
        }
        if let Some(row) = state.rows.get_mut(drill) {
            row.elsewhere = elsewhere;
        }
        drop(state);
        self.wake.notify_one();
    }
}
