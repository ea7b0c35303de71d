//! What a run is driven with; the composition root hands it in, since adapters are known there alone.

use std::sync::Arc;

use engine::{ActionSpec, Plan};
use runtime::{Connector, Equipment, SecretSource, Store};

use crate::planning::evaluator;

/// Makes, from a plan, what reads the secrets of its estate.
pub type Secrets = dyn Fn(&Plan) -> Arc<dyn SecretSource> + Send + Sync;

/// Store, actions and secrets.
#[derive(Clone)]
pub struct Kit {
    /// Where runs are recorded.
    pub store: Arc<dyn Store>,
    /// The actions that there are.
    pub connectors: Vec<Arc<dyn Connector>>,
    /// Reads secrets at the moment of use.
    pub secrets: Arc<Secrets>,
}

impl Kit {
    /// Makes from a plan what executes it here.
    ///
    /// # Errors
    /// Says why, for people, if an expression of the plan cannot be compiled.
    pub fn equip(&self, plan: &Plan) -> Result<Equipment, String> {
        let evaluator =
            evaluator(plan).map_err(|why| format!("an expression of the stored plan cannot be compiled: {why}"))?;
        Ok(Equipment { evaluator: Arc::new(evaluator), secrets: (self.secrets)(plan) })
    }

    /// The catalogue of its actions.
    #[must_use]
    pub fn catalogue(&self) -> Vec<ActionSpec> {
        self.connectors.iter().flat_map(|connector| connector.actions()).collect()
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("connectors", &self.connectors.len()).finish_non_exhaustive()
    }
}
