//! Outcomes that the shell itself gives: time-outs, missing connectors, expectations that do not hold.

use std::time::Duration;

use engine::{Advice, EvalError, Failure, Mode, Outcome};
use serde_json::Value;

pub(crate) fn failure(code: &str, message: String, hint: &str) -> Failure {
    Failure { code: code.into(), message: message.into(), hint: hint.into() }
}

/// What the shell's own refusal means: an attempt that never reached its connector surely changed nothing, but a probe
/// that never asked knows nothing.
pub(crate) fn as_seen_by(mode: Mode, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { failure, .. } if mode.is_probe() => Outcome::Unknown { failure },
        outcome => outcome,
    }
}

/// The time of an attempt is over: it may or may not have had its effect.
pub(crate) fn timed_out(uses: &str, ms: u128) -> Outcome {
    let message = format!("{uses} did not answer within {ms} ms");
    Outcome::Unknown { failure: failure("timeout", message, "check the target, or raise the step's `timeout`") }
}

/// The connector panicked: a defect of ours, and the effect is not known.
pub(crate) fn panicked(uses: &str) -> Outcome {
    let message = format!("the connector of {uses} panicked");
    Outcome::Unknown { failure: failure("connector.panic", message, "this is a defect: report it with the log") }
}

pub(crate) fn unknown_action(uses: &str) -> Outcome {
    let message = format!("this build has no action {uses}");
    refused("action.unknown", message, "resume with the version that made the plan")
}

/// Nobody answers for an attempt that a worker had.
pub(crate) fn lost() -> Outcome {
    let message = "the worker that had it was lost".to_owned();
    Outcome::Unknown { failure: failure("worker.lost", message, "look at the worker's host and at its log") }
}

/// No worker has claimed an attempt: it was taken back, and nothing was done.
pub(crate) fn no_worker(waited: Duration) -> Outcome {
    let message = format!("no worker with its labels lived for {} s", waited.as_secs_f64());
    let hint = "start a worker with the labels of `runs_on`; `reinstate workers` lists those that live";
    Outcome::Refused { failure: failure("worker.none", message, hint), retry: Advice::Retry }
}

/// A worker that was asked to let go of an attempt has dropped it.
pub(crate) fn let_go() -> Outcome {
    let message = "the worker dropped it when it was asked to end".to_owned();
    Outcome::Unknown { failure: failure("worker.stopped", message, "it is probed, and tried again") }
}

/// An order that this worker cannot execute; nothing was done.
pub(crate) fn unreadable(error: &serde_json::Error) -> Outcome {
    refused("order.unreadable", format!("the order cannot be read: {error}"), "use workers and drivers of one version")
}

pub(crate) fn unevaluable(error: EvalError) -> Outcome {
    let failure = Failure { code: error.code.into(), message: error.message.into(), hint: error.hint.into() };
    Outcome::Refused { failure, retry: Advice::Never }
}

pub(crate) fn no_secret(name: &str, why: &str) -> Outcome {
    let message = format!("secret {name} cannot be read: {why}");
    let failure = failure("secret.unavailable", message, "check the reference under `secrets` of the estate file");
    Outcome::Refused { failure, retry: Advice::Retry }
}

fn refused(code: &str, message: String, hint: &str) -> Outcome {
    Outcome::Refused { failure: failure(code, message, hint), retry: Advice::Never }
}

/// Holds outputs against what was expected of them: every expected key must be there with that value, at the top or
/// in `body`.
pub(crate) fn held_against(outcome: Outcome, expect: &str, about: &str) -> Outcome {
    if expect.is_empty() {
        return outcome;
    }
    let Outcome::Done { outputs } = outcome else { return outcome };
    let expected: Value = serde_json::from_str(expect).unwrap_or(Value::Null);
    let found: Value = outputs.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let differences: Vec<String> = expected
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, wanted)| {
            let value = found.get(key).or_else(|| found.get("body").and_then(|body| body.get(key)));
            match value {
                Some(value) if value == wanted => None,
                Some(value) => Some(format!("{key} is {value}, expected {wanted}")),
                None => Some(format!("there is no {key}, expected {wanted}")),
            }
        })
        .collect();
    if differences.is_empty() {
        return Outcome::Done { outputs };
    }
    let message = format!("{about}: {}", differences.join("; "));
    refused("expect.mismatch", message, "remove the row from the site list, or correct its ID, and plan again")
}
