//! `sqlite/*`: a database file at a point in time, and the rows of one tenant from there back into the live file.

mod bystanders;
mod closure;
mod conflict;
mod drop_recovered;
mod file;
mod input;
mod ledger;
mod log;
mod plan;
mod pool;
pub(crate) mod preflight;
mod quote;
mod recover;
mod removal;
mod remove;
mod replay;
mod restore;
mod schema;
mod statements;
mod tally;
mod transaction;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use file::{Place, database, read_only};
pub(crate) use quote::sql;
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};

use crate::Settings;
use crate::answer::{Trouble, outcome};
use crate::http::no_probe;
use crate::noted::noted;
use crate::spec::action;

/// Implements `sqlite/*`.
pub(crate) struct Sqlite {
    pool: Arc<pool::Pool>,
}

impl Sqlite {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { pool: Arc::new(pool::Pool::new(settings.idle_connections)) }
    }

    async fn act(&self, call: &Call) -> Result<serde_json::Value, Trouble> {
        match call.uses.as_str() {
            "sqlite/recover@1" => recover::apply(call).await,
            "sqlite/restore@1" => restore::apply(&self.pool, call).await,
            "sqlite/remove@1" => remove::apply(&self.pool, call).await,
            "sqlite/drop-recovered@1" => drop_recovered::apply(&self.pool, call).await,
            "sqlite/verify@1" => verify::apply(&self.pool, call).await,
            "sqlite/bystanders@1" => bystanders::apply(call).await,
            other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
        }
    }
}

#[async_trait]
impl Connector for Sqlite {
    fn actions(&self) -> Vec<ActionSpec> {
        let restore = action::<input::Restore, input::Restored>(
            "sqlite/restore@1",
            "puts the rows of one tenant from a recovered file back into the live file, in one transaction, IDs kept",
        );
        let remove = action::<input::Remove, input::Removed>(
            "sqlite/remove@1",
            "takes back one restore: deletes the rows that it put in, in one transaction; for `undo`",
        );
        let verify = action::<input::Verify, input::Verified>(
            "sqlite/verify@1",
            "compares one tenant's rows in the live file with the recovered file and checks their foreign keys",
        );
        let bystanders = action::<input::Bystanders, input::Stood>(
            "sqlite/bystanders@1",
            "proves from the ledger that our transactions wrote nothing but rows of the restored tenants",
        );
        vec![
            action::<input::Recover, input::Recovered>(
                "sqlite/recover@1",
                "makes a database file as it was at a point in time, from a full backup and its log",
            ),
            ActionSpec { has_probe: Holds::Always, ..restore },
            ActionSpec { has_probe: Holds::Always, ..remove },
            action::<input::Recover, input::Dropped>(
                "sqlite/drop-recovered@1",
                "removes the file that sqlite/recover made from the same inputs",
            ),
            ActionSpec { read_only: true, ..verify },
            ActionSpec { read_only: true, ..bystanders },
        ]
    }

    async fn apply(&self, call: Call) -> Outcome {
        let stopped = tokio::select! {
            answer = noted(&call, self.act(&call)) => return outcome(answer, &call.secrets),
            () = tokio::time::sleep(call.timeout) => {
                let limit = humantime::format_duration(call.timeout);
                Trouble::retry("sqlite.timeout", format!("not ready within {limit}"))
            }
            () = call.cancel.cancelled() => Trouble::retry("sqlite.cancelled", "cancelled"),
        };
        // The COMMIT may have been on its way.
        let commits = matches!(call.uses.as_str(), "sqlite/restore@1" | "sqlite/remove@1");
        outcome(Err(if commits { stopped.in_doubt() } else { stopped }), &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        match call.uses.as_str() {
            "sqlite/restore@1" => outcome(restore::probe(&self.pool, &call).await, &call.secrets),
            "sqlite/remove@1" => outcome(remove::probe(&self.pool, &call).await, &call.secrets),
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
