//! How an attempt and its outcome travel between a driver and a worker: as JSON, with references to secrets and no values.
//!
//! What changes here in a way that an older version would misread gets a new number of [`FORMAT`]. Orders demand it as a
//! label, so drivers and workers of several versions work side by side, and nobody gets what it cannot read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::{Advice, Failure, Mode, Outcome};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Attempt;
use crate::log::Log;
use crate::ports::{Call, SecretSource, SecretText};

/// The label of those who read orders as they are written here. No label of a person begins with `:`.
const FORMAT: &str = ":orders=1";

/// What an order demands of its worker beside the step's labels: that it can read it, and has the action.
pub(crate) fn demands(uses: &str) -> [String; 2] {
    [FORMAT.to_owned(), action(uses)]
}

/// What a worker with these actions has beside its own labels.
pub(crate) fn has<'a>(uses: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    uses.map(action).chain([FORMAT.to_owned()]).collect()
}

/// Labels as they are told to people: their own, and actions by their names.
pub(crate) fn for_people(labels: &BTreeSet<String>) -> String {
    let named = labels.iter().filter(|label| *label != FORMAT);
    named.map(|label| label.strip_prefix(":uses=").unwrap_or(label)).collect::<Vec<_>>().join(", ")
}

fn action(uses: &str) -> String {
    format!(":uses={uses}")
}

#[derive(Serialize, Deserialize)]
struct WireCall {
    uses: String,
    key: String,
    undoes: Option<String>,
    token: u64,
    with: serde_json::Value,
    /// References of the secrets in `with`, by name.
    secrets: BTreeMap<String, String>,
    expect: String,
    about: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireOutcome {
    Done { outputs: Option<Box<str>> },
    Refused { failure: Failure, retry: WireAdvice },
    Unknown { failure: Failure },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAdvice {
    Retry,
    RetryAfter(u64),
    Never,
}

/// Encodes what a worker needs of an attempt beside what the order says.
pub(crate) fn encode_call(attempt: &Attempt, secrets: &dyn SecretSource) -> Vec<u8> {
    let call = &attempt.call;
    let names = SecretText::names_in(&call.with);
    let wire = WireCall {
        uses: call.uses.clone(),
        key: call.key.clone(),
        undoes: call.undoes.clone(),
        token: call.token,
        secrets: names.into_iter().filter_map(|name| secrets.reference(&name).map(|found| (name, found))).collect(),
        with: call.with.clone(),
        expect: attempt.expect.clone(),
        about: attempt.about.clone(),
    };
    // Text, numbers and maps with texts for keys: there is nothing in it that JSON cannot say.
    serde_json::to_vec(&wire).unwrap_or_default()
}

/// Decodes an attempt, and the references of its secrets by name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode_call(
    bytes: &[u8],
    (mode, timeout): (Mode, Duration),
    (cancel, log): (CancellationToken, Log),
) -> Result<(Attempt, BTreeMap<String, String>), serde_json::Error> {
    let wire: WireCall = serde_json::from_slice(bytes)?;
    let call = Call {
        uses: wire.uses,
        key: wire.key,
        undoes: wire.undoes,
        token: wire.token,
        with: wire.with,
        secrets: SecretText::default(),
        timeout,
        cancel,
        log,
    };
    Ok((Attempt { mode, call, expect: wire.expect, about: wire.about }, wire.secrets))
}

/// Encodes what became of an attempt.
pub(crate) fn encode_answer(outcome: Outcome) -> Vec<u8> {
    let wire = match outcome {
        Outcome::Done { outputs } => WireOutcome::Done { outputs },
        Outcome::Refused { failure, retry } => {
            let retry = match retry {
                Advice::Retry => WireAdvice::Retry,
                Advice::RetryAfter(ms) => WireAdvice::RetryAfter(ms),
                Advice::Never => WireAdvice::Never,
            };
            WireOutcome::Refused { failure, retry }
        }
        Outcome::Unknown { failure } => WireOutcome::Unknown { failure },
    };
    serde_json::to_vec(&wire).unwrap_or_default()
}

/// Decodes what became of an attempt.
///
/// # Errors
/// What is wrong with it; the attempt is then in doubt.
pub(crate) fn decode_answer(bytes: &[u8]) -> Result<Outcome, serde_json::Error> {
    Ok(match serde_json::from_slice(bytes)? {
        WireOutcome::Done { outputs } => Outcome::Done { outputs },
        WireOutcome::Refused { failure, retry } => {
            let retry = match retry {
                WireAdvice::Retry => Advice::Retry,
                WireAdvice::RetryAfter(ms) => Advice::RetryAfter(ms),
                WireAdvice::Never => Advice::Never,
            };
            Outcome::Refused { failure, retry }
        }
        WireOutcome::Unknown { failure } => Outcome::Unknown { failure },
    })
}
