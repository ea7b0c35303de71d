//! `notify/*`: words to people and programs outside.
//!
//! What cannot be taken back must not be said twice. A service that knows `Idempotency-Key` sees to that by itself
//! (`webhook`); a chat and a mail server do not, so `gate` and `ledger` keep what was begun and what was sent in a file
//! that survives a crash. `email/` writes and hands over one message, `contacts` looks up to whom it goes.

mod contacts;
mod email;
mod gate;
mod ledger;
mod list;
mod preflight;
mod signature;
mod slack;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
pub use ledger::{Begun, Entry, Ledger, LedgerError};
use runtime::engine::{ActionSpec, Holds, Outcome};
use runtime::{Call, Connector, Finding, Intent, Probed};

use crate::answer::{Trouble, outcome};
use crate::http::{Client, no_probe};
use crate::spec::action;

/// Name of the input that makes an action safe to apply twice.
const ONCE: &str = "once";

/// Implements `notify/*`.
pub(crate) struct Notify {
    client: Arc<Client>,
    lists: list::Lists,
}

impl Notify {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client, lists: list::Lists::default() }
    }
}

#[async_trait]
impl Connector for Notify {
    fn actions(&self) -> Vec<ActionSpec> {
        let webhook = action::<webhook::Webhook, webhook::Answered>(
            "notify/webhook@1",
            "posts JSON to a service, signed if a key is given",
        );
        let slack = action::<slack::Slack, slack::Posted>(
            "notify/slack@1",
            "posts a message to a Slack-compatible incoming webhook",
        );
        let email = action::<email::Email, email::Handed>("notify/email@1", "hands one e-mail to a mail server");
        let contacts = action::<contacts::Contacts, contacts::Told>(
            "notify/contacts@1",
            "sends an e-mail to each contact of a site, each once",
        );
        let by_ledger = || Holds::WhenInput(ONCE.to_owned());
        vec![
            webhook,
            ActionSpec { idempotent: by_ledger(), has_probe: by_ledger(), ..slack },
            ActionSpec { idempotent: by_ledger(), has_probe: by_ledger(), ..email },
            ActionSpec { has_probe: Holds::Always, ..contacts },
        ]
    }

    async fn apply(&self, call: Call) -> Outcome {
        let answer = match call.uses.as_str() {
            "notify/webhook@1" => webhook::apply(&self.client, &call).await,
            "notify/slack@1" => slack::apply(&self.client, &call).await,
            "notify/email@1" => email::apply(&call).await,
            "notify/contacts@1" => contacts::apply(&self.lists, &call).await,
            other => Err(Trouble::never("uses", format!("{other} is not an action of this connector"))),
        };
        outcome(answer, &call.secrets)
    }

    async fn probe(&self, call: Call) -> Probed {
        let answer = match call.uses.as_str() {
            "notify/contacts@1" => contacts::probe(&self.lists, &call).await,
            _ if call.with.get(ONCE).is_some() => gate::probe(&call).await,
            _ => return no_probe(&call),
        };
        outcome(answer, &call.secrets)
    }

    fn questions(&self, intent: &Intent) -> Vec<serde_json::Value> {
        preflight::questions(&self.client, intent)
    }

    async fn preflight(&self, question: Call) -> Vec<Finding> {
        preflight::answer(&self.lists, &question).await
    }
}
