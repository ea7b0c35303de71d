//! The answer to something that was asked to be done, with what was asked, for the audit log.

use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::{Problem, Told};

/// Answers, and says what was asked.
pub(crate) fn acted(what: Value, result: Result<impl IntoResponse, Problem>) -> Response {
    let mut response = result.into_response();
    response.extensions_mut().insert(Told(what));
    response
}
