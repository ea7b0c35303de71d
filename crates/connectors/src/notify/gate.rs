//! The gate before the one moment that cannot be taken back: passed once a name, if a ledger is kept.

use std::sync::atomic::{AtomicBool, Ordering};

use runtime::Call;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::{Begun, Entry, Ledger, LedgerError};
use crate::answer::{Trouble, inputs, reveal};

/// Where it is kept that a message was sent, so that it is not sent twice.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Once {
    /// File of the ledger; made with the first message. Runs and machines that must not repeat each other share it.
    pub(super) ledger: String,
    /// Name under which the message is sent once; default: the key of the unit.
    pub(super) name: Option<String>,
    /// What becomes of a message of which nobody knows whether it left; default `keep`.
    #[serde(default)]
    pub(super) in_doubt: InDoubt,
}

/// What becomes of a message of which nobody knows whether it left.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum InDoubt {
    /// It is not sent again.
    #[default]
    Keep,
    /// It is sent again, and may then arrive twice.
    Send,
}

/// The gate of one message.
pub(super) struct Gate {
    kept: Option<(Ledger, InDoubt)>,
    name: String,
    owner: String,
    /// Whether the ledger was asked to begin: it may do so though nobody waits for its answer any more.
    began: AtomicBool,
    passed: AtomicBool,
}

impl Gate {
    /// The gate of a call's only message.
    pub(super) fn of(once: Option<&Once>, call: &Call) -> Result<Self, Trouble> {
        let name = match once.and_then(|once| once.name.as_deref()) {
            Some(name) => reveal(name, &call.secrets)?,
            None => call.key.clone(),
        };
        let kept = match once {
            Some(once) => Some((Ledger::new(reveal(&once.ledger, &call.secrets)?), once.in_doubt)),
            None => None,
        };
        Ok(Self::new(kept, name, call))
    }

    /// The gate of one of several messages.
    pub(super) fn named(ledger: Ledger, in_doubt: InDoubt, name: String, call: &Call) -> Self {
        Self::new(Some((ledger, in_doubt)), name, call)
    }

    fn new(kept: Option<(Ledger, InDoubt)>, name: String, call: &Call) -> Self {
        let (began, passed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { kept, name, owner: format!("{}#{}", call.key, call.token), began, passed }
    }

    /// Name of the message: the same for every attempt at it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is known of the message.
    pub(super) async fn state(&self) -> Result<Entry, Trouble> {
        match &self.kept {
            Some((ledger, _)) => ledger.look(&self.name).await.map_err(|error| unkept(&error)),
            None => Ok(Entry::None),
        }
    }

    /// Says whether it was sent before; a message in doubt is refused here unless it is to be sent again.
    pub(super) async fn before(&self) -> Result<Option<Value>, Trouble> {
        let again = self.kept.as_ref().is_some_and(|(_, in_doubt)| *in_doubt == InDoubt::Send);
        match self.state().await? {
            Entry::Sent { detail, .. } => Ok(Some(noted(&detail))),
            Entry::Begun { at, .. } if !again => Err(doubt(&self.name, &at)),
            Entry::Begun { .. } | Entry::None => Ok(None),
        }
    }

    /// Passes: from here on the message may have left.
    pub(super) async fn pass(&self, detail: &Value) -> Result<(), Trouble> {
        if let Some((ledger, in_doubt)) = &self.kept {
            let again = *in_doubt == InDoubt::Send;
            self.began.store(true, Ordering::Release);
            let begun = ledger.begin(&self.name, &self.owner, &detail.to_string(), again).await;
            match begun.map_err(|error| unkept(&error))? {
                Begun::Ours => {}
                Begun::Already(Entry::Sent { .. }) => {
                    // The next attempt finds it and is done.
                    let message = format!("{} was sent by somebody else just now", self.name);
                    return Err(
                        Trouble::retry("notify.sent_meanwhile", message).hint("it is tried again, and finds it")
                    );
                }
                Begun::Already(Entry::Begun { at, .. }) => return Err(doubt(&self.name, &at)),
                Begun::Already(Entry::None) => {
                    let message = format!("{} was begun and given up by somebody else just now", self.name);
                    return Err(
                        Trouble::retry("notify.sent_meanwhile", message).hint("it is tried again, and sends it")
                    );
                }
            }
        }
        self.passed.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether the message may have left.
    pub(super) fn passed(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }

    /// Keeps what came of it, once it was begun: sent, surely not, or in doubt for good.
    pub(super) async fn close(&self, answer: Result<Value, Trouble>) -> Result<Value, Trouble> {
        let Some((ledger, _)) = self.kept.as_ref().filter(|_| self.began.load(Ordering::Acquire)) else {
            return answer;
        };
        match answer {
            Ok(mut outputs) => {
                // It is sent whether that could be noted or not; what is not noted stays begun, and is not repeated.
                if let Err(error) = ledger.sent(&self.name, &outputs.to_string()).await {
                    tracing::warn!(%error, owner = self.owner, "sent, but that could not be noted");
                    outputs["noted"] = false.into();
                }
                Ok(outputs)
            }
            Err(trouble) if trouble.is_in_doubt() => Err(trouble),
            Err(trouble) => {
                if let Err(error) = ledger.forget(&self.name, &self.owner).await {
                    tracing::warn!(%error, owner = self.owner, "not sent, but that could not be noted");
                }
                Err(trouble)
            }
        }
    }
}

/// What was noted of a message that was sent before.
pub(super) fn noted(detail: &str) -> Value {
    let mut outputs: Value = serde_json::from_str(detail).unwrap_or_default();
    if !outputs.is_object() {
        outputs = json!({});
    }
    outputs["already"] = true.into();
    outputs
}

/// Asks the ledger whether an earlier attempt at a call's only message had its effect.
pub(super) async fn probe(call: &Call) -> Result<Value, Trouble> {
    let once: Once = inputs(call.with.get(super::ONCE).unwrap_or(&Value::Null)).map_err(Trouble::in_doubt)?;
    let gate = Gate::of(Some(&once), call).map_err(Trouble::in_doubt)?;
    match gate.state().await.map_err(Trouble::in_doubt)? {
        Entry::Sent { detail, .. } => Ok(noted(&detail)),
        Entry::Begun { .. } if once.in_doubt == InDoubt::Send => Err(not_sent(&gate.name)),
        Entry::Begun { at, .. } => Err(doubt(&gate.name, &at)),
        Entry::None => Err(not_sent(&gate.name)),
    }
}

/// Surely nothing was sent under a name.
pub(super) fn not_sent(name: &str) -> Trouble {
    Trouble::retry("notify.not_sent", format!("the ledger has not sent {name}")).hint("applied again, it is sent")
}

/// Nobody knows whether a message left.
pub(super) fn doubt(name: &str, at: &str) -> Trouble {
    Trouble::unknown("notify.in_doubt", format!("{name} was begun at {at}, and nobody knows whether it arrived")).hint(
        "ask the mail server or the recipient; if it did not arrive, `once: { in_doubt: send }` sends it again under \
         the same Message-ID",
    )
}

/// The ledger cannot be used: nothing was sent.
pub(super) fn unkept(error: &LedgerError) -> Trouble {
    Trouble::retry(error.code(), error.to_string()).hint(error.hint())
}
