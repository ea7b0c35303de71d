//! From texts to a plan, and what is asked of the estate before a run of it.

pub mod preflight;
mod store;
mod texts;
pub mod view;

use engine::Plan;
use runbook::PlanEvaluator;

pub(crate) use store::{ShownPlan, ShownPlans};
pub use texts::{Planned, Texts, plan_of};
pub use view::plan_view;

/// Characters of a hash that tell a plan from another.
const HASH_LEAST: usize = 8;

/// Whether somebody means a plan, whose hash they give by its first 8 characters or more.
#[must_use]
pub fn means_plan(given: &str, hash: &str) -> bool {
    given.len() >= HASH_LEAST && hash.starts_with(given)
}

/// Compiles the expressions of a plan.
///
/// # Errors
/// Says why, for people, if one cannot be compiled: the plan was stored by another version.
pub fn evaluator(plan: &Plan) -> Result<PlanEvaluator, String> {
    PlanEvaluator::new(plan).map_err(|found| found.first().map_or_else(String::new, |found| found.message.clone()))
}
