//! What traces and logs are told of the end of an attempt.

use engine::Outcome;
use tracing::Span;

/// Notes how an attempt ended; of a failure its code, and no text of systems outside.
pub(super) fn end(span: &Span, outcome: &Outcome) {
    let (word, failure) = match outcome {
        Outcome::Done { .. } => ("done", None),
        Outcome::Refused { failure, .. } => ("refused", Some(failure)),
        Outcome::Unknown { failure } => ("unknown", Some(failure)),
    };
    span.record("outcome", word);
    tracing::debug!(outcome = word, code = failure.map(|failure| &*failure.code), "the attempt has ended");
    if let Some(failure) = failure {
        span.record("code", &*failure.code).record("otel.status_code", "ERROR");
    }
}
