//! From a drill and a slot to the plans of its runs.

use std::sync::Arc;

use engine::{Millis, Plan, PlanSpec};
use runbook::Occasion;
use runtime::{DrillClaim, DrillPlans};

use crate::drills::{DrillError, LoadedDrill};
use crate::words::chain;

/// A drill that can take place.
#[derive(Clone, Debug)]
pub struct ReadyDrill {
    /// What sites and restore point were drawn with.
    pub seed: u64,
    /// What is claimed.
    pub claim: DrillClaim,
    /// What is done.
    pub plans: DrillPlans,
}

impl LoadedDrill {
    /// Draws sites and restore point and plans over them. Takes time in proportion to the list.
    ///
    /// # Errors
    /// If the runbook or the drill's own steps cannot be planned over the sample.
    pub fn ready(&self, occasion: &Occasion, now: Millis) -> Result<ReadyDrill, DrillError> {
        let prepared = self.drill.prepare(&self.runbook, &self.estate, &self.list, occasion);
        let prepared = prepared.map_err(DrillError::Refused)?;
        let seed = prepared.seed;
        let plans = DrillPlans {
            set_up: prepared.set_up.map(admit).transpose()?,
            run: admit(prepared.run)?,
            compare: prepared.compare.map(admit).transpose()?,
            clean_up: admit(prepared.clean_up)?,
        };
        let hash = plans.run.spec().origin.runbook_hash();
        Ok(ReadyDrill { seed, claim: claim_of(self.drill.name(), occasion.slot, now, hash), plans })
    }

    /// Hash of the runbook's text.
    #[must_use]
    pub fn runbook_hash(&self) -> String {
        let runbook_text = self.runbook.source().text.clone();
        engine::Origin { runbook_text, ..Default::default() }.runbook_hash()
    }

    /// What is claimed for a slot of which nothing can be planned.
    pub(super) fn claim_unplanned(&self, slot: Millis, now: Millis) -> DrillClaim {
        claim_of(self.drill.name(), slot, now, self.runbook_hash())
    }
}

fn admit(spec: PlanSpec) -> Result<Arc<Plan>, DrillError> {
    Plan::new(spec).map_err(|error| DrillError::Plan(chain(&error)))
}

/// Runs are named by drill and slot, to the millisecond: whoever runs a drill twice in a second has two.
pub(super) fn run_of(drill: &str, slot: Millis) -> String {
    let time: String = report::stamp(slot).chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{drill}-{time}")
}

fn claim_of(drill: &str, slot: Millis, now: Millis, runbook_hash: String) -> DrillClaim {
    DrillClaim { drill: drill.to_owned(), slot, run: run_of(drill, slot), at: now, runbook_hash }
}
