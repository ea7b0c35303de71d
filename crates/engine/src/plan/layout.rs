//! The admitted plan and its derived tables.

use std::sync::Arc;

use crate::ids::StepIx;
use crate::plan::admit::PlanError;
use crate::plan::keys::Keys;
use crate::plan::spec::PlanSpec;

/// An admitted plan: complete, acyclic, immutable.
#[derive(Debug)]
pub struct Plan {
    pub(crate) spec: PlanSpec,
    pub(crate) keys: Keys,
    hash: String,
}

impl Plan {
    /// Admits a plan.
    ///
    /// # Errors
    /// If it is not complete and acyclic, or cannot be executed.
    pub fn new(spec: PlanSpec) -> Result<Arc<Self>, PlanError> {
        crate::plan::admit::admit(&spec)?;
        let bytes = postcard::to_allocvec(&spec).map_err(|_| PlanError::Encoding)?;
        let keys = Keys::new(u32::try_from(spec.sites.len()).unwrap_or(u32::MAX), &spec.batches, &spec.groups);
        Ok(Arc::new(Self { hash: blake3::hash(&bytes).to_hex().to_string(), spec, keys }))
    }

    /// Returns the plan as data.
    #[must_use]
    pub fn spec(&self) -> &PlanSpec {
        &self.spec
    }

    /// Returns the content hash, hexadecimal (BLAKE3 of the encoded data).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Returns a step by position.
    #[must_use]
    pub fn step(&self, step: StepIx) -> &crate::plan::spec::StepSpec {
        &self.spec.steps[step.ix()]
    }
}
