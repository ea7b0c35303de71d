//! What the driver writes into the log of an attempt.

use engine::Outcome;

use crate::log::Log;
use crate::ports::Voice;

/// Writes how an attempt ended. One that succeeded without a word stays without one: there are a million of them.
pub(crate) fn ended(log: &Log, outcome: &Outcome) {
    let (what, failure) = match outcome {
        Outcome::Done { .. } if log.is_used() => return log.write(Voice::Driver, "ended: done"),
        Outcome::Done { .. } => return,
        Outcome::Refused { failure, .. } => ("refused", failure),
        Outcome::Unknown { failure } => ("in doubt", failure),
    };
    let (code, message) = (&failure.code, &failure.message);
    log.write(Voice::Driver, format_args!("ended: {what}: {code}: {message}"));
}
