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

/// Compiles the expressions of a plan.
///
/// # Errors
/// Says why, for people, if one cannot be compiled: the plan was stored by another version.
pub fn evaluator(plan: &Plan) -> Result<PlanEvaluator, String> {
    PlanEvaluator::new(plan).map_err(|found| found.first().map_or_else(String::new, |found| found.message.clone()))
}
