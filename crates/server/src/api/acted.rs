//! The answer to something that was asked to be done, with what was asked, for the audit log.

use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::{Problem, Told};

/// Longest text of one field in the audit log; the whole is in the journal.
const LONGEST: usize = 2_000;

/// Answers, and says what was asked.
pub(crate) fn acted(mut what: Value, result: Result<impl IntoResponse, Problem>) -> Response {
    if let Some(fields) = what.as_object_mut() {
        for value in fields.values_mut() {
            if let Value::String(text) = value
                && text.chars().count() > LONGEST
            {
                *text = text.chars().take(LONGEST).collect();
            }
        }
    }
    let mut response = result.into_response();
    response.extensions_mut().insert(Told(what));
    response
}
