//! From a drill, a slot and a seed to its plans.

use std::collections::BTreeMap;

use engine::{ChaosMark, DrillMark, DrillPart, Millis, PlanSpec};

use crate::diagnostic::Diagnostic;
use crate::drill::model::Drill;
use crate::estate::Estate;
use crate::model::Runbook;
use crate::plan::{planned, subset};
use crate::sites::SiteList;
use crate::source::Source;

/// When a drill takes place, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// The time for which it is due.
    pub slot: Millis,
    /// What sites and restore point are drawn with; `None` for the seed that the slot gives.
    pub seed: Option<u64>,
    /// What it is to a chaos drill; `None` for one that stands by itself.
    pub chaos: Option<ChaosMark>,
}

/// The plans of one drill; each says in its extras what it is part of.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What sites and restore points were drawn with.
    pub seed: u64,
    /// Before the run; `None` if nothing is.
    pub set_up: Option<PlanSpec>,
    /// The runbook over the sample.
    pub run: PlanSpec,
    /// What a chaos drill compares after the run; `None` if nothing is, and in any other drill. Outputs of its steps are kept.
    pub compare: Option<PlanSpec>,
    /// After the run; without steps if nothing is.
    pub clean_up: PlanSpec,
}

/// Why a drill cannot be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} of the drill cannot be planned", if *of_drill { "steps" } else { "runbook" })]
pub struct DrillRefused {
    /// Whether the findings are about the drill's own text, not the runbook's.
    pub of_drill: bool,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

impl Drill {
    /// Draws the sample and the restore point, and plans over them.
    ///
    /// # Errors
    /// If the runbook or the drill's own steps cannot be planned over the sample; each finding names step, site and row.
    pub fn prepare(
        &self,
        runbook: &Runbook,
        estate: &Estate,
        list: &SiteList,
        occasion: &Occasion,
    ) -> Result<Prepared, DrillRefused> {
        let Occasion { slot, seed, chaos } = occasion;
        let seed = seed.unwrap_or_else(|| self.seed_of(*slot));
        let rows = self.sample.rows(&list.sites, seed);
        let drawn = SiteList { name: list.name.clone(), sites: subset(&list.sites, &rows) };
        let earlier_ms = self.earlier(seed);
        let count = |sites: usize| u32::try_from(sites).unwrap_or(u32::MAX);
        let mark = |part| DrillMark {
            name: self.name.clone(),
            slot: *slot,
            part,
            seed,
            listed: count(list.len()),
            asked: count(self.sample.asked_of(list.len())),
            earlier_ms,
            take_back: self.take_back,
            objectives: self.objectives,
            chaos: chaos.clone(),
        };
        let plan = |runbook: &Runbook, part: DrillPart| {
            let mut spec = planned(runbook, estate, &drawn, &self.inputs, &BTreeMap::new(), earlier_ms)
                .map_err(|diagnostics| DrillRefused { of_drill: part != DrillPart::Run, diagnostics })?;
            spec.extras.drill = Some(mark(part));
            if matches!(part, DrillPart::Compare | DrillPart::CleanUp) {
                // Whoever let the set-up begin let it be cleaned up: nobody is there to be asked again.
                spec.extras.hold_start(None, Vec::new());
            }
            Ok(spec)
        };
        // The runbook first: what it shares with the drill's own steps is then known to be right.
        let run = plan(runbook, DrillPart::Run)?;
        let set_up = self.set_up.as_ref().map(|runbook| plan(runbook, DrillPart::SetUp)).transpose()?;
        let asked = self.compare.as_ref().filter(|_| chaos.is_some());
        let mut compare = asked.map(|runbook| plan(runbook, DrillPart::Compare)).transpose()?;
        for step in compare.iter_mut().flat_map(|spec| &mut spec.steps) {
            step.keeps_outputs = true;
        }
        let clean_up = plan(&self.clean_up, DrillPart::CleanUp)?;
        Ok(Prepared { seed, set_up, run, compare, clean_up })
    }

    /// How much earlier than the runbook's points this drill's are: whole seconds, as logs of databases know times.
    fn earlier(&self, seed: u64) -> u64 {
        // Apart from the numbers that the sample is drawn with.
        engine::below(engine::mix(!seed), self.window_ms / 1_000 + 1) * 1_000
    }
}

impl DrillRefused {
    /// The text that the findings are about.
    #[must_use]
    pub fn source<'a>(&self, drill: &'a Drill, runbook: &'a Runbook) -> &'a Source {
        if self.of_drill { drill.source() } else { runbook.source() }
    }
}
