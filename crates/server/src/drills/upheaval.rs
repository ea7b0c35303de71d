//! A chaos drill: an undisturbed one, one with chaos over the same sites, and what differs; then what it is that differs.

use engine::Millis;
use report::{ChaosFinding, DrillReport};

use crate::drills::chaos::{Chaos, Only, compared};
use crate::drills::conduct::Conductor;
use crate::drills::{DrillError, LoadedDrill};

/// Steps that are disturbed alone to find out which one it is.
const SUSPECTS: usize = 8;

impl Conductor<'_> {
    /// Has a drill take place undisturbed, and then with chaos. Only the second is told of, unless the first is not good:
    /// then there is nothing to hold against, and no second. If the sandbox stands otherwise after the second, further
    /// drills disturb one step each, and name it.
    ///
    /// # Errors
    /// As for [`Conductor::take_place`], and if it cannot be planned.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping it is like a crash.
    pub async fn take_place_in_chaos(
        &mut self,
        loaded: &LoadedDrill,
        slot: Millis,
        seed: Option<u64>,
    ) -> Result<DrillReport, DrillError> {
        let quiet = loaded.ready(slot, seed, self.clock.now())?;
        let seed = Some(quiet.seed);
        let (mut first, before) = self.take_place_with(&quiet, None, None).await?;
        if !first.good || self.stop.is_cancelled() {
            first.good = false;
            first.troubles.push("chaos was not let in: the undisturbed drill before it was not good".to_owned());
            return Ok(first);
        }
        let ready = loaded.ready(self.later(slot), seed, self.clock.now())?;
        let chaos = Chaos::new(quiet.seed, &ready.plans.run, None, Only::All);
        let before = before.as_ref();
        let (mut report, after) = self.take_place_with(&ready, Some(&chaos), before).await?;
        let Some(told) = &mut report.chaos else { return Ok(report) };
        let differs = before.zip(after.as_ref()).is_some_and(|(one, two)| !compared(one, two).is_empty());
        if !differs || before.is_some_and(Result::is_err) {
            return Ok(report);
        }
        let named = |step: &String| told.findings.iter().any(|found| found.step == *step);
        let suspects: Vec<String> = told.steps.iter().filter(|step| !named(step)).take(SUSPECTS).cloned().collect();
        let mut slot = ready.claim.slot;
        for step in suspects {
            for (only, kind) in [(Only::Twice, "not_idempotent"), (Only::Cut, "half_done")] {
                if self.stop.is_cancelled() {
                    return Ok(report);
                }
                slot = self.later(slot);
                let ready = loaded.ready(slot, seed, self.clock.now())?;
                let chaos = Chaos::new(quiet.seed, &ready.plans.run, Some(step.clone()), only);
                let (_, after) = self.take_place_with(&ready, Some(&chaos), before).await?;
                if before.zip(after.as_ref()).is_some_and(|(one, two)| !compared(one, two).is_empty()) {
                    let message = match only {
                        Only::Twice => "the sandbox stands otherwise when it is delivered twice",
                        _ => "the sandbox stands otherwise when it is cut off and tried again",
                    };
                    let (kind, step, message) = (kind.to_owned(), step.clone(), message.to_owned());
                    if let Some(told) = &mut report.chaos {
                        told.findings.push(ChaosFinding { kind, step, unit: String::new(), message });
                    }
                }
            }
        }
        Ok(report)
    }

    /// A slot of its own for the next drill.
    fn later(&self, slot: Millis) -> Millis {
        self.clock.now().max(slot + 1)
    }
}
