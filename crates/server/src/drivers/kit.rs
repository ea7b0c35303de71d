//! What a run is driven with; the composition root hands it in, since adapters are known there alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use engine::{ActionSpec, Plan, Run};
use runtime::{Connector, Equipment, Launcher, SecretSource, Store, SystemClock};

use crate::planning::evaluator;

/// Tells the outside of a run's milestones while it is driven, and never holds it up.
#[async_trait]
pub trait Telling: Send + Sync {
    /// Something became durable.
    fn saw(&self, run: &Run);

    /// Waits, within bounds, until what is due was told.
    ///
    /// # Cancel safety
    /// Dropping the future leaves what was not told to whoever drives the run next.
    async fn finish(self: Box<Self>);
}

/// Makes what tells of a run, by its name and plan; none if its estate announces nothing.
pub type Tell = dyn Fn(&str, &Plan) -> Result<Option<Box<dyn Telling>>, String> + Send + Sync;

/// Makes, from a plan, what reads the secrets of its estate.
pub type Secrets = dyn Fn(&Plan) -> Arc<dyn SecretSource> + Send + Sync;

/// Makes, from references by name (`env:NAME`, `file:PATH`), what reads the secrets of this process.
pub type Vault = dyn Fn(BTreeMap<String, String>) -> Arc<dyn SecretSource> + Send + Sync;

/// Store, actions and secrets.
#[derive(Clone)]
pub struct Kit {
    /// Where runs are recorded.
    pub store: Arc<dyn Store>,
    /// The actions that there are.
    pub connectors: Vec<Arc<dyn Connector>>,
    /// Reads secrets at the moment of use.
    pub secrets: Arc<Secrets>,
    /// Reads secrets of the daemon itself.
    pub vault: Arc<Vault>,
    /// Tells the outside.
    pub telling: Arc<Tell>,
    /// Bytes that the logs of a run's attempts may take; 0 keeps none.
    pub logs_max: u64,
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

    /// Makes what starts the attempts of one run, with these connectors; what they write is kept by the store.
    #[must_use]
    pub fn launcher(&self, connectors: &[Arc<dyn Connector>]) -> Launcher {
        let launcher = Launcher::new(connectors.to_vec());
        match self.logs_max {
            0 => launcher,
            most => launcher.keeping(self.store.clone(), Arc::new(SystemClock), most),
        }
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
