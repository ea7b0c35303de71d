//! The beginning: a slot is claimed, and every run of the drill is in the store before anything is done.

use std::sync::Arc;

use engine::Plan;

use crate::driver;
use crate::ports::{DrillClaim, JournalError, Store};

/// Plans of a drill.
#[derive(Clone, Debug)]
pub struct DrillPlans {
    /// Before the run, if anything is.
    pub set_up: Option<Arc<Plan>>,
    /// The runbook.
    pub run: Arc<Plan>,
    /// Between the run and its taking back, if anything is compared.
    pub compare: Option<Arc<Plan>>,
    /// After the run; may be without steps.
    pub clean_up: Arc<Plan>,
}

/// Names of the runs of a drill, by that of the one that is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillRuns {
    /// Before the run; there need not be one.
    pub set_up: String,
    /// The runbook's.
    pub run: String,
    /// What is compared after the run; there need not be one.
    pub compare: String,
    /// After the run.
    pub clean_up: String,
}

impl DrillRuns {
    /// Names the runs.
    #[must_use]
    pub fn of(run: &str) -> Self {
        Self {
            set_up: format!("{run}-set-up"),
            run: run.to_owned(),
            compare: format!("{run}-compare"),
            clean_up: format!("{run}-clean-up"),
        }
    }

    /// All of them, in their order.
    #[must_use]
    pub fn all(self) -> [String; 4] {
        [self.set_up, self.run, self.compare, self.clean_up]
    }
}

/// Claims a slot and creates the runs of the drill; the one that is judged holds all its sites. `false` if the slot was
/// claimed before.
///
/// # Errors
/// [`JournalError::SiteHeld`] if another run holds one of the sites, [`JournalError::Exists`] if a run of that name is
/// there; else the store's trouble. The slot stays claimed: [`super::conduct`] finds what there is of the drill, and
/// it is to be said that nothing came of it.
///
/// # Cancel safety
/// Dropping the future leaves a drill that is taken up like one whose process was lost.
pub async fn open_drill(store: &dyn Store, claim: &DrillClaim, plans: &DrillPlans) -> Result<bool, JournalError> {
    if !store.claim_drill(claim).await? {
        return Ok(false);
    }
    let names = DrillRuns::of(&claim.run);
    driver::open(store, &names.clean_up, &plans.clean_up, claim.at).await?;
    for (run, plan) in [(&names.set_up, &plans.set_up), (&names.compare, &plans.compare)] {
        if let Some(plan) = plan {
            driver::open(store, run, plan, claim.at).await?;
        }
    }
    let plan = &plans.run;
    let (head, bytes) = driver::created(&names.run, plan, claim.at)?;
    let sites: Vec<String> = plan.spec().sites.ids.iter().map(str::to_owned).collect();
    store.create_holding(&head, &bytes, &plan.spec().origin.estate, &sites).await?;
    Ok(true)
}
