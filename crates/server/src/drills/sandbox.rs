//! Where a drill took place, by what is stored of it: its file may be another by now, or gone.

use engine::Plan;
use runtime::{DrillClaim, DrillRuns, Journal, JournalError};

/// Where a drill took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// In this estate.
    Estate(String),
    /// Nowhere: nothing of it was stored, so nothing was done.
    Nowhere,
    /// What was stored cannot be read now: it may have been in any.
    Unknown,
}

impl Sandbox {
    /// Finds out where a drill took place.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub async fn of(journal: &dyn Journal, claim: &DrillClaim) -> Self {
        match journal.plan(&DrillRuns::of(&claim.run).clean_up).await {
            Ok((_, bytes)) => {
                Plan::decode(&bytes).map_or(Self::Unknown, |plan| Self::Estate(plan.spec().origin.estate.clone()))
            }
            Err(JournalError::NoSuchRun(_)) => Self::Nowhere,
            Err(_) => Self::Unknown,
        }
    }

    /// Whether it may be in the way of what is to be done in an estate.
    #[must_use]
    pub fn may_be(&self, estate: &str) -> bool {
        match self {
            Self::Estate(name) => name == estate,
            Self::Nowhere => false,
            Self::Unknown => true,
        }
    }
}
