//! What a service answers when it refuses or fails: a status and `{"error":{"code","message"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::sql::StoreError;

/// A refusal or failure as HTTP tells it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// 409: the request is well formed, the state of the estate forbids it.
    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 422: the request names the wrong thing.
    pub(super) fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "vendors want `Authorization: Bearer`")
    }

    /// 429 or 503: the same request may work in a second.
    pub(super) fn later(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { retry_after: Some("1"), ..Self::new(status, code, message) }
    }

    /// 503: a product database does not answer, and nothing happened.
    fn away() -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "database-unavailable", "a product database does not answer")
    }

    /// 503 that says nothing about whether the request had its effect.
    pub(super) fn unclear(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }
}

/// Whether a server is down, going down or coming up. Whatever was begun in our own stores is rolled back.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Sql { source, .. } = &error
            && is_away(source)
        {
            return Self::away();
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a store failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store-failed", error.to_string())
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) {
            return Self::away();
        }
        if let sqlx::Error::Database(source) = &error
            && !matches!(source.kind(), sqlx::error::ErrorKind::Other)
        {
            return Self::conflict("rows-conflict", source.message().to_owned());
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a store failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store-failed", error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": { "code": self.code, "message": self.message } }));
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
