//! `exec/run@1`: one command in its own process group.

mod group;
mod input;
pub(crate) mod preflight;
mod run;

use async_trait::async_trait;
pub(crate) use run::{Hook, hook};
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};

use crate::answer::outcome;
use crate::spec::action;

/// Implements `exec/*`.
pub(crate) struct Exec;

#[async_trait]
impl Connector for Exec {
    fn actions(&self) -> Vec<ActionSpec> {
        let run = action::<input::Run, input::Said>(
            "exec/run@1",
            "runs one command, without a shell, in a process group that ends with it",
        );
        vec![ActionSpec {
            idempotent: Holds::WhenInput("idempotent".to_owned()),
            has_probe: Holds::WhenInput("probe".to_owned()),
            ..run
        }]
    }

    async fn apply(&self, call: Call) -> Outcome {
        outcome(run::apply(&call).await, &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        outcome(run::probe(&call).await, &call.secrets)
    }

    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        preflight::questions(intent)
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        preflight::answer(&question).await
    }
}
