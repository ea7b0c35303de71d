//! `check/*`: looks and compares, changes nothing.

mod http;
mod sql;
mod subset;

use std::sync::Arc;

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Probed};
pub(crate) use subset::difference;

use crate::answer::{Trouble, outcome};
use crate::http::Client;
use crate::spec::action;

/// Implements `check/*`.
pub(crate) struct Check {
    client: Arc<Client>,
}

impl Check {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client }
    }

    async fn look(&self, call: &Call) -> Outcome {
        let answer = match call.uses.as_str() {
            "check/http@1" => http::apply(&self.client, call).await,
            "check/sql@1" => sql::apply(call).await,
            other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
        };
        outcome(answer, &call.secrets)
    }
}

#[async_trait]
impl Connector for Check {
    fn actions(&self) -> Vec<ActionSpec> {
        let http =
            action::<http::CheckHttp, http::Seen>("check/http@1", "gets a page and compares its status and body");
        let sql = action::<sql::CheckSql, sql::Rows>("check/sql@1", "queries a database and compares the rows");
        [http, sql].map(|spec| ActionSpec { read_only: true, has_probe: Holds::Always, ..spec }).into()
    }

    async fn apply(&self, call: Call) -> Outcome {
        self.look(&call).await
    }

    /// A check has no effect: looking again is the answer.
    async fn probe(&self, call: Call) -> Probed {
        self.look(&call).await
    }
}
