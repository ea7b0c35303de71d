//! What a plan must satisfy before a run may be opened on it.

use crate::plan::spec::PlanSpec;

/// Why a plan was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The plan could not be encoded.
    #[error("the plan cannot be encoded")]
    Encoding,
    /// A step, pool, group or key is named that does not exist.
    #[error("{what} refers to {target}, which is not in the plan")]
    Dangling {
        /// What refers.
        what: String,
        /// To what.
        target: String,
    },
    /// Steps need each other in a circle.
    #[error("steps need each other in a circle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A number is outside its range.
    #[error("{what} is {value}, which is outside {range}")]
    Range {
        /// What.
        what: String,
        /// Its value.
        value: u64,
        /// The range allowed.
        range: &'static str,
    },
    /// Batches could never finish: a step of a site waits for sites of batches that open later.
    #[error("batch 1 could never finish: step {step} waits for {wide}, which waits for sites of later batches")]
    BatchDeadlock {
        /// The waiting step.
        step: String,
        /// The step in between.
        wide: String,
    },
    /// The engine does not execute this yet.
    #[error("{what} is not supported by this version")]
    Unsupported {
        /// What.
        what: String,
    },
}

pub(crate) fn admit(_spec: &PlanSpec) -> Result<(), PlanError> {
    Ok(())
}
