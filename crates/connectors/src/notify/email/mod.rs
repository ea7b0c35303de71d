//! `notify/email@1`: one message to one mail server.
//!
//! Mail is at least once by nature: a connection that ends after the message and before the answer leaves it open
//! whether the server took it. Such an attempt is in doubt and is not repeated, unless a ledger says more.

mod deliver;
mod input;
mod message;

use deliver::deliver;
pub(super) use deliver::reach;
pub(super) use input::{Email, Handed, Server};
pub(super) use message::{Draft, compose, is_address};
use runtime::Call;
use serde_json::{Value, json};

use super::gate::Gate;
use crate::answer::{Trouble, revealed};

/// Hands the message over.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let email: Email = revealed(&call.with, &call.secrets)?;
    let gate = Gate::of(email.once.as_ref(), call)?;
    if let Some(before) = gate.before().await? {
        return Ok(before);
    }
    let draft = Draft {
        from: &email.from,
        reply_to: email.reply_to.as_deref(),
        to: email.to.list(),
        subject: &email.subject,
        text: &email.text,
        html: email.html.as_deref(),
    };
    let letter = compose(&draft, gate.name())?;
    hand_over(&email.server, &letter, &gate, call).await
}

/// Hands a composed message over within the call's time, and keeps what came of it.
pub(super) async fn hand_over(
    server: &Server,
    letter: &message::Letter,
    gate: &Gate,
    call: &Call,
) -> Result<Value, Trouble> {
    let detail = json!({ "message_id": letter.id, "to": letter.to });
    let ended = |code, why: String| {
        let trouble = Trouble::retry(code, why);
        if gate.passed() { trouble.in_doubt().hint(deliver::ASK) } else { trouble }
    };
    let answer = tokio::select! {
        said = deliver(server, letter, gate, &detail, &call.secrets) => said.map(|said| {
            let mut outputs = detail.clone();
            outputs["answer"] = said.into();
            outputs
        }),
        () = tokio::time::sleep(call.timeout) => {
            let late = format!("no answer within {}", humantime::format_duration(call.timeout));
            Err(ended("email.timeout", format!("{}: {late}", server.place())))
        }
        () = call.cancel.cancelled() => {
            Err(ended("email.cancelled", format!("{}: cancelled before the answer", server.place())))
        }
    };
    gate.close(answer).await
}
