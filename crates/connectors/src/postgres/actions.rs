//! `postgres/*` as a connector: one dispatch, no work of its own.

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Outcome};
use runtime::{Call, Connector, Probed};

use super::recover;
use crate::answer::{Trouble, outcome};
use crate::http::no_probe;
use crate::spec::action;

/// Implements `postgres/*`.
pub(crate) struct Postgres;

impl Postgres {
    async fn act(&self, call: &Call) -> Result<serde_json::Value, Trouble> {
        match call.uses.as_str() {
            "postgres/recover@1" => recover::apply(call).await,
            "postgres/drop-recovered@1" => recover::drop_recovered(call).await,
            other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
        }
    }
}

#[async_trait]
impl Connector for Postgres {
    fn actions(&self) -> Vec<ActionSpec> {
        vec![
            action::<recover::Recover, recover::Recovered>(
                "postgres/recover@1",
                "makes a throw-away server as it was at a point in time, from a base backup and archived WAL",
            ),
            action::<recover::Recover, recover::Dropped>(
                "postgres/drop-recovered@1",
                "ends and removes the server that postgres/recover made from the same inputs",
            ),
        ]
    }

    async fn apply(&self, call: Call) -> Outcome {
        let stopped = tokio::select! {
            answer = self.act(&call) => return outcome(answer, &call.secrets),
            () = tokio::time::sleep(call.timeout) => {
                let limit = humantime::format_duration(call.timeout);
                Trouble::retry("postgres.timeout", format!("not ready within {limit}"))
                    .hint("the next attempt goes on from here; give the step more time")
            }
            () = call.cancel.cancelled() => Trouble::retry("postgres.cancelled", "cancelled")
                .hint("what was begun is found by the next attempt, and by postgres/drop-recovered"),
        };
        outcome(Err(stopped), &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        no_probe(&call)
    }
}
