//! A drill with its history: trend, readiness, what was never run.

use report::{DrillReport, Readiness, Trend};
use runtime::JournalError;
use serde::Serialize;

use crate::drills::Drills;
use crate::drills::shown::{DrillShown, show};

/// Drills of a history that are told.
const HISTORY: u32 = 100;

/// A drill and what its history says.
#[derive(Clone, Debug, Serialize)]
pub struct DrillDetail {
    /// How it stands.
    #[serde(flatten)]
    pub shown: DrillShown,
    /// How its numbers went.
    pub trend: Trend,
    /// What drills have proved of its runbook, and the steps that none has ever run.
    pub readiness: Option<Readiness>,
    /// The judgements, newest first.
    pub history: Vec<DrillReport>,
}

impl Drills {
    /// Tells of a drill with its history; `None` if there is none of that name.
    ///
    /// # Errors
    /// The store's trouble.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub async fn detail(&self, name: &str) -> Result<Option<DrillDetail>, JournalError> {
        let now = self.shared.clock.now();
        let found = {
            let state = self.shared.state();
            state.rows.get(name).map(|row| (show(name, row, state.elsewhere(name), now), row.drill.clone()))
        };
        let Some((shown, drill)) = found else { return Ok(None) };
        let entries = self.shared.kit.store.drills(Some(name), HISTORY).await?;
        let bytes = entries.iter().filter_map(|entry| Some(&entry.result.as_ref()?.bytes));
        let history: Vec<DrillReport> = bytes.filter_map(|bytes| DrillReport::from_json(bytes)).collect();
        let good = self.shared.kit.store.last_good_drill(name, now).await?.and_then(|entry| entry.result);
        let ended = good.map(|good| good.ended_at);
        let readiness = drill.map(|drill| {
            let steps = drill.runbook.outline().map(|step| (step.name, step.undo));
            report::readiness(drill.runbook.name(), &drill.runbook_hash(), steps, &history, ended, now)
        });
        Ok(Some(DrillDetail { shown, trend: report::trend(&history), readiness, history }))
    }
}
