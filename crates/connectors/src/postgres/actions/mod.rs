//! `postgres/*` as a connector: one dispatch, no work of its own.

mod bystanders;
mod extract;
mod input;
pub(crate) mod preflight;
mod remove;
mod restore;
mod servers;
mod trouble;
mod verify;
mod wal;

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};

use super::recover;
use super::restore::Pairs;
use crate::answer::{Trouble, outcome};
use crate::http::no_probe;
use crate::noted::noted;
use crate::spec::action;

/// Implements `postgres/*`.
#[derive(Default)]
pub(crate) struct Postgres {
    pairs: Pairs,
}

impl Postgres {
    async fn act(&self, call: &Call) -> Result<serde_json::Value, Trouble> {
        match call.uses.as_str() {
            "postgres/recover@1" => recover::apply(call).await,
            "postgres/drop-recovered@1" => recover::drop_recovered(call).await,
            "postgres/extract@1" => extract::apply(call).await,
            "postgres/drop-extract@1" => extract::drop_extract(call).await,
            "postgres/restore@1" => restore::apply(&self.pairs, call).await,
            "postgres/remove@1" => remove::apply(&self.pairs, call).await,
            "postgres/verify@1" => verify::apply(&self.pairs, call).await,
            "postgres/bystanders@1" => bystanders::apply(call).await,
            other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
        }
    }
}

#[async_trait]
impl Connector for Postgres {
    fn actions(&self) -> Vec<ActionSpec> {
        let restore = action::<input::Restore, input::Restored>(
            "postgres/restore@1",
            "puts rows of tenants from a recovered copy back into the live database, IDs kept, each tenant proven before its commit",
        );
        let remove = action::<input::Remove, input::Removed>(
            "postgres/remove@1",
            "takes back one restore: deletes the rows that it put in, in one transaction; for `undo`",
        );
        let verify = action::<input::Verify, input::Verified>(
            "postgres/verify@1",
            "compares tenants in the live database with the recovered copy and checks their references",
        );
        let bystanders = action::<input::Bystanders, input::Stood>(
            "postgres/bystanders@1",
            "proves from counters, rows and WAL that our transactions wrote nothing but rows of the restored tenants",
        );
        vec![
            ActionSpec { has_probe: Holds::Always, ..restore },
            ActionSpec { has_probe: Holds::Always, ..remove },
            ActionSpec { read_only: true, ..verify },
            ActionSpec { read_only: true, ..bystanders },
            action::<recover::Recover, recover::Recovered>(
                "postgres/recover@1",
                "makes a throw-away server as it was at a point in time, from a base backup and archived WAL",
            ),
            action::<input::Extract, input::Extracted>(
                "postgres/extract@1",
                "takes each tenant of a shard out at its own restore point, from one server that moves from point to point",
            ),
            action::<input::Extract, input::DroppedExtract>(
                "postgres/drop-extract@1",
                "removes what postgres/extract took out with the same inputs, and its server",
            ),
            action::<recover::Recover, recover::Dropped>(
                "postgres/drop-recovered@1",
                "ends and removes the server that postgres/recover made from the same inputs",
            ),
        ]
    }

    async fn apply(&self, call: Call) -> Outcome {
        let stopped = tokio::select! {
            answer = noted(&call, self.act(&call)) => return outcome(answer, &call.secrets),
            () = tokio::time::sleep(call.timeout) => {
                let limit = humantime::format_duration(call.timeout);
                Trouble::retry("postgres.timeout", format!("not ready within {limit}"))
                    .hint("the next attempt goes on from here; give the step more time")
            }
            () = call.cancel.cancelled() => Trouble::retry("postgres.cancelled", "cancelled")
                .hint("what was begun is found by the next attempt, and by postgres/drop-recovered"),
        };
        // The COMMIT may have been on its way.
        let commits = matches!(call.uses.as_str(), "postgres/restore@1" | "postgres/remove@1");
        outcome(Err(if commits { stopped.in_doubt() } else { stopped }), &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        match call.uses.as_str() {
            "postgres/restore@1" => outcome(restore::probe(&call).await, &call.secrets),
            "postgres/remove@1" => outcome(remove::probe(&call).await, &call.secrets),
            _ => no_probe(&call),
        }
    }

    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        preflight::questions(intent)
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        preflight::answer(&question).await.unwrap_or_default()
    }
}
