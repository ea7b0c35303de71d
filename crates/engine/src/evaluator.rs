//! The port to expressions: the engine says what it wants to know, the front end evaluates.

use crate::ids::{KeyIx, StepIx, UnitIx};
use crate::plan::Plan;

/// Evaluates a plan's expressions; pure: the same arguments give the same answer.
pub trait Evaluator: Send + Sync {
    /// Evaluates the `if` of a step for a key of its scope.
    ///
    /// # Errors
    /// If the expression fails or gives no boolean.
    fn condition(&self, plan: &Plan, step: StepIx, key: KeyIx, outputs: &dyn Outputs) -> Result<bool, EvalError>;

    /// Evaluates the `for_each` of a step for a key of its scope; each item as JSON text.
    ///
    /// # Errors
    /// If the expression fails or gives no list.
    fn items(&self, plan: &Plan, step: StepIx, key: KeyIx, outputs: &dyn Outputs) -> Result<Vec<String>, EvalError>;

    /// Resolves the `with` of a unit; secrets stay references.
    ///
    /// # Errors
    /// If an expression in it fails.
    fn with(&self, plan: &Plan, target: Target<'_>, outputs: &dyn Outputs) -> Result<serde_json::Value, EvalError>;

    /// Resolves the labels of the workers that a unit may run on, as the step's `runs_on` has them; none if it has none.
    ///
    /// # Errors
    /// If an expression in them fails, or one is no label.
    fn labels(&self, plan: &Plan, target: Target<'_>, outputs: &dyn Outputs) -> Result<Vec<String>, EvalError>;
}

/// The unit whose `with` is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its step.
    pub step: StepIx,
    /// Its key.
    pub key: KeyIx,
    /// Its unit.
    pub unit: UnitIx,
    /// Its item as JSON text; `None` without `for_each`.
    pub item: Option<&'a str>,
    /// Whether the `with` of the step's `undo` is wanted.
    pub undo: bool,
}

/// Recorded outputs of steps, as expressions see them.
pub trait Outputs {
    /// Returns the outputs of each item of a step's node as JSON text, in item order.
    /// Empty if the node has not succeeded; one entry without `for_each`.
    fn of(&self, step: StepIx, key: KeyIx) -> Vec<Option<&str>>;
}

/// An expression that gave no usable value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// Stable code of the cause.
    pub code: String,
    /// What went wrong, with file, line and column where known.
    pub message: String,
    /// The reader's next move; empty if there is none.
    pub hint: String,
}
