//! `http/request@1`: one request, long jobs by polling.

mod client;
mod failure;
mod input;
pub(crate) mod preflight;
mod probe;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use client::{Answer, Client, Sent, install_tls, send_for};
pub(crate) use failure::{Target, lost, not_sent, unexpected};
pub(crate) use input::{Method, headers};
use runtime::engine::{ActionSpec, Failure, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};

use crate::answer::outcome;
use crate::spec::action;

/// Implements `http/*`.
pub(crate) struct Http {
    client: Arc<Client>,
}

impl Http {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Connector for Http {
    fn actions(&self) -> Vec<ActionSpec> {
        let request = action::<input::Request, input::Response>(
            "http/request@1",
            "sends one HTTP request with an idempotency key and polls a long job to its end",
        );
        vec![ActionSpec { has_probe: Holds::WhenInput("probe".to_owned()), ..request }]
    }

    async fn apply(&self, call: Call) -> Outcome {
        outcome(request::apply(&self.client, &call).await, &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        outcome(probe::apply(&self.client, &call).await, &call.secrets)
    }

    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        preflight::question(&self.client, &intent.with).into_iter().collect()
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        preflight::answer(&question).await
    }
}

/// The answer of an action that cannot probe.
pub(crate) fn no_probe(call: &Call) -> Probed {
    Outcome::Unknown {
        failure: Failure {
            code: "no_probe".into(),
            message: format!("{} cannot tell whether an earlier attempt had its effect", call.uses).into(),
            hint: "".into(),
        },
    }
}
