//! A chaos drill: an undisturbed one, one with chaos over the same sites, and what differs; then what it is that differs.

use engine::{ChaosMark, Disturbance, Millis};
use report::DrillReport;
use runbook::Occasion;

use crate::drills::conduct::Conductor;
use crate::drills::{DrillError, LoadedDrill, ReadyDrill};

/// Steps that are disturbed alone to find out which one it is.
const SUSPECTS: usize = 8;

impl Conductor<'_> {
    /// Has a drill take place undisturbed, and then with chaos. Only the second is told of, unless the first is not good:
    /// then there is nothing to hold against, and no second. If the sandbox stands otherwise after the second, further
    /// drills disturb one step each, and name it. All of them are in the history, with what each found.
    ///
    /// # Errors
    /// As for [`Conductor::take_place`], and if it cannot be planned.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping it is like a crash.
    pub async fn take_place_in_chaos(
        &mut self,
        loaded: &LoadedDrill,
        quiet: &ReadyDrill,
    ) -> Result<DrillReport, DrillError> {
        let mut first = self.take_place(quiet).await?;
        if !first.good || self.stop.is_cancelled() {
            first.good = false;
            first.troubles.push("chaos was not let in: the undisturbed drill before it was not good".to_owned());
            return Ok(first);
        }
        let mut occasion = Occasion { slot: quiet.claim.slot, seed: Some(quiet.seed), chaos: None };
        let mut report = self.disturbed(loaded, quiet, &mut occasion, (Disturbance::All, None)).await?;
        let Some(told) = report.chaos.as_ref().filter(|told| !told.differences.is_empty()) else { return Ok(report) };
        let named = |step: &String| told.findings.iter().any(|found| found.step == *step);
        let suspects: Vec<String> = told.steps.iter().filter(|step| !named(step)).take(SUSPECTS).cloned().collect();
        let mut found = Vec::new();
        for step in suspects {
            for by in [Disturbance::Twice, Disturbance::Cut] {
                if self.stop.is_cancelled() {
                    break;
                }
                let alone = self.disturbed(loaded, quiet, &mut occasion, (by, Some(step.clone()))).await?;
                let findings = alone.chaos.into_iter().flat_map(|chaos| chaos.findings);
                // What is found by comparing is of no unit.
                found.extend(findings.filter(|found| found.unit.is_empty()));
            }
        }
        report.chaos.iter_mut().for_each(|told| told.findings.append(&mut found));
        Ok(report)
    }

    /// Has a drill take place in which attempts are disturbed, of all steps or of one, in a slot of its own.
    async fn disturbed(
        &mut self,
        loaded: &LoadedDrill,
        quiet: &ReadyDrill,
        occasion: &mut Occasion,
        (by, step): (Disturbance, Option<String>),
    ) -> Result<DrillReport, DrillError> {
        occasion.slot = self.later(occasion.slot);
        occasion.chaos = Some(ChaosMark::Disturbed { by, step, against: quiet.claim.run.clone() });
        let ready = loaded.ready(occasion, self.clock.now())?;
        self.take_place(&ready).await
    }

    /// A slot of its own for the next drill.
    fn later(&self, slot: Millis) -> Millis {
        self.clock.now().max(slot + 1)
    }
}
