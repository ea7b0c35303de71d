//! Calls as the driver makes them, and what came of them.

use std::sync::Arc;
use std::time::Duration;

use connectors::Settings;
use reinstate_tests::s3;
use runtime::engine::{Advice, Outcome};
use runtime::{Call, Connector, SecretText};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A key that no server takes.
const WRONG: &str = "canary-7d1f-wrong-key";

/// A value that must never be seen.
pub(crate) const CANARY: &str = "canary-7d1f-\"quoted\"";

pub(crate) struct World {
    connectors: Vec<Arc<dyn Connector>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { connectors: connectors::all(&Settings::default()) }
    }

    pub(crate) fn connector(&self, uses: &str) -> Arc<dyn Connector> {
        let found = self.connectors.iter().find(|c| c.actions().iter().any(|action| action.uses == uses));
        Arc::clone(found.unwrap())
    }

    pub(crate) async fn apply(&self, call: Call) -> Outcome {
        let outcome = self.connector(&call.uses).apply(call).await;
        assert!(!format!("{outcome:?}").contains("canary-7d1f"), "a secret got out: {outcome:?}");
        outcome
    }

    pub(crate) async fn probe(&self, call: Call) -> Outcome {
        self.connector(&call.uses).probe(call).await
    }
}

pub(crate) fn call(uses: &str, with: Value) -> Call {
    keyed(uses, with, "run1/step/site/item", 1)
}

pub(crate) fn keyed(uses: &str, with: Value, key: &str, token: u64) -> Call {
    let secrets = [("canary", CANARY), ("s3_id", s3::KEY_ID), ("s3_key", s3::SECRET), ("s3_wrong", WRONG)];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    Call {
        uses: uses.to_owned(),
        key: key.to_owned(),
        undoes: None,
        token,
        with,
        secrets: SecretText::new(secrets),
        timeout: Duration::from_secs(30),
        cancel: CancellationToken::new(),
        log: runtime::Log::default(),
    }
}

/// A call that takes back what the unit `undoes` did.
pub(crate) fn undoing(uses: &str, with: Value, undoes: &str, token: u64) -> Call {
    Call { undoes: Some(undoes.to_owned()), ..keyed(uses, with, &format!("{undoes}/undo"), token) }
}

#[track_caller]
pub(crate) fn done(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Done { outputs } => outputs.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap()),
        other => panic!("not done: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused<'o>(outcome: &'o Outcome, code: &str, advice: Advice) -> &'o str {
    match outcome {
        Outcome::Refused { failure, retry } if &*failure.code == code && *retry == advice => &failure.message,
        other => panic!("not refused with {code}, {advice:?}: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn unknown<'o>(outcome: &'o Outcome, code: &str) -> &'o str {
    match outcome {
        Outcome::Unknown { failure } if &*failure.code == code => &failure.message,
        other => panic!("not unknown with {code}: {other:?}"),
    }
}

/// Polls a future that many times and drops it; `true` if it was ready before.
pub(crate) async fn dropped_after(polls: u32, future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if future.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(true);
        }
        left -= 1;
        if left == 0 { std::task::Poll::Ready(false) } else { std::task::Poll::Pending }
    })
    .await
}
