//! `check/*`: looks and compares, changes nothing.

mod http;
mod sql;
mod subset;

use std::sync::Arc;

use async_trait::async_trait;
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};
pub(crate) use subset::difference;

use crate::answer::{Trouble, outcome};
use crate::http::{Client, preflight};
use crate::spec::action;
use crate::{postgres, sqlite};

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

    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        let url = intent.with.get("url").and_then(serde_json::Value::as_str);
        let question = match (intent.uses.as_str(), url) {
            ("check/http@1", _) => preflight::question(&self.client, &intent.with),
            ("check/sql@1", Some(url)) if sql::is_server(url) => Some(postgres::preflight::read_only(url)),
            ("check/sql@1", Some(url)) => Some(sqlite::preflight::file(url, false)),
            _ => None,
        };
        question.into_iter().collect()
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        // A URL that is a secret is known only now.
        let url = question.with.get(sqlite::preflight::LIVE).and_then(serde_json::Value::as_str);
        let server = url.and_then(|url| question.secrets.reveal(url).ok()).filter(|url| sql::is_server(url));
        let question = match server {
            Some(url) => Call { with: postgres::preflight::read_only(&url), ..question },
            None => question,
        };
        if let Some(findings) = postgres::preflight::answer(&question).await {
            return findings;
        }
        match sqlite::preflight::answer(&question).await {
            Some(findings) => findings,
            None => preflight::answer(&question).await,
        }
    }
}
