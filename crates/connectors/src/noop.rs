//! `noop@1`: nothing, quickly.

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Probed};
use serde_json::Value;

use crate::spec::{Anything, action};

/// Does nothing and answers with the outputs it was given.
pub(crate) struct Noop;

#[async_trait]
impl Connector for Noop {
    fn actions(&self) -> Vec<ActionSpec> {
        let noop = action::<Anything, Anything>("noop@1", "does nothing and answers with the outputs it was given");
        vec![ActionSpec { has_probe: Holds::Always, read_only: true, ..noop }]
    }

    async fn apply(&self, call: Call) -> Outcome {
        echo(&call.with)
    }

    async fn probe(&self, call: Call) -> Probed {
        echo(&call.with)
    }
}

/// Secrets stay references here, so there is nothing to redact.
fn echo(with: &Value) -> Outcome {
    let outputs = with.get("outputs").filter(|outputs| !outputs.is_null());
    Outcome::Done { outputs: outputs.map(|outputs| outputs.to_string().into()) }
}
