//! What chaos did, and what it found.

use std::collections::BTreeMap;

use report::{ChaosFinding, DrillChaos};

use crate::drills::chaos::fate::Fate;

/// Findings that are told of one step and kind.
const EACH: usize = 3;

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) chaos: DrillChaos,
    /// Units that were cut off, with what the last of their attempts after that said; `None` once one was done.
    pub(super) cut: BTreeMap<String, Option<String>>,
}

impl Told {
    pub(super) fn counted(&mut self, step: &str, fate: Fate) {
        let chaos = &mut self.chaos;
        match fate {
            Fate::Spared | Fate::Twice => return,
            Fate::Failed => chaos.failed += 1,
            Fate::Cut(_) | Fate::Lost => chaos.cut += 1,
            Fate::Delayed(_) => chaos.delayed += 1,
        }
        self.struck(step, matches!(fate, Fate::Cut(_) | Fate::Lost));
    }

    /// An attempt is delivered once more.
    pub(super) fn twice(&mut self, step: &str) {
        self.chaos.twice += 1;
        self.struck(step, true);
    }

    fn struck(&mut self, step: &str, hard: bool) {
        let chaos = &mut self.chaos;
        chaos.untouched.retain(|known| known != step);
        if hard && !chaos.steps.iter().any(|known| known == step) {
            chaos.steps.push(step.to_owned());
        }
    }

    pub(super) fn found(&mut self, kind: &str, step: &str, unit: &str, message: String) {
        let findings = &mut self.chaos.findings;
        if findings.iter().filter(|found| found.kind == kind && found.step == step).count() < EACH {
            let (kind, step, unit) = (kind.to_owned(), step.to_owned(), unit.to_owned());
            findings.push(ChaosFinding { kind, step, unit, message });
        }
    }

    /// A second delivery answered otherwise. That is a fault if another step reads the answer; else it may only tell how much
    /// was left to do.
    pub(super) fn answered_otherwise(&mut self, step: &str, unit: &str, read: bool, message: String) {
        if read {
            self.found("not_idempotent", step, unit, message);
        } else if !self.chaos.answers.iter().any(|known| known == step) {
            self.chaos.answers.push(step.to_owned());
        }
    }

    /// Closes the account: who was cut off and never came right.
    pub(super) fn close(&mut self) -> DrillChaos {
        let open: Vec<(String, String)> =
            std::mem::take(&mut self.cut).into_iter().filter_map(|(unit, said)| Some((unit, said?))).collect();
        for (unit, said) in open {
            let step = unit.split('/').next().unwrap_or_default().to_owned();
            self.found("half_done", &step, &unit, format!("after an attempt that was cut off: {said}"));
        }
        std::mem::take(&mut self.chaos)
    }
}
