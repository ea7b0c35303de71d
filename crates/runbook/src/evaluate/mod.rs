//! Expressions of a plan, evaluated from the plan's own data and recorded outputs.

mod evaluator;
mod foresee;
mod members;
mod programs;
mod scene;
mod shape;

pub use evaluator::PlanEvaluator;
pub(crate) use evaluator::{key_words, kind};
pub use foresee::Foreseen;
pub(crate) use programs::Programs;
pub(crate) use scene::{Scene, Spot, key_at};
pub(crate) use shape::{Hole, Shape, scalar};

/// How the value of a secret is written before a connector resolves it: `⟦secret:NAME⟧`.
#[must_use]
pub fn secret_marker(name: &str) -> String {
    format!("⟦secret:{name}⟧")
}
