//! Replacing the plan for what has not started.

use crate::input::Rejection;
use crate::run::Run;

impl Run {
    /// Whether a plan can take the place of the run's own.
    pub(super) fn may_amend(&self, _plan: &[u8]) -> Result<(), Rejection> {
        Err(Rejection::NotAmendable("this version does not amend".to_owned()))
    }

    /// Replaces the plan.
    pub(super) fn amend(&mut self, _plan: &[u8]) {}
}
