//! What a caller is told when something cannot be done.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::AuditError;
use crate::certificate::CertificateError;
use crate::live::LiveError;
use crate::verbs::VerbError;
use crate::words::chain;

/// The body of every answer that is not what was asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Stable code.
    #[schema(value_type = String)]
    pub(crate) code: &'static str,
    /// The fact.
    pub(crate) fact: String,
    /// Where, if that is known: a field of the body, a parameter, `file:line:column`.
    pub(crate) place: Option<String>,
    /// The caller's next move.
    pub(crate) hint: String,
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    wait: Option<Duration>,
}

/// The code of a refusal, for whoever writes it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

/// What a handler was asked, for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) serde_json::Value);

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        fact: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code, fact: fact.into(), place: None, hint: hint.into(), status, wait: None }
    }

    /// The caller's mistake.
    pub(crate) fn input(code: &'static str, fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, fact, hint)
    }

    pub(crate) fn missing(code: &'static str, fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, fact, hint)
    }

    /// It does not fit how things stand.
    pub(crate) fn conflict(code: &'static str, fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, fact, hint)
    }

    /// Ours, or of the machine.
    pub(crate) fn trouble(code: &'static str, error: &dyn std::error::Error, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, chain(error), hint)
    }

    pub(crate) fn unauthorised(fact: impl Into<String>) -> Self {
        let hint = "send `Authorization: Bearer TOKEN`; `reinstate token create` makes one";
        Self::new(StatusCode::UNAUTHORIZED, "token-missing", fact, hint)
    }

    pub(crate) fn too_often(wait: Duration) -> Self {
        let fact = "too many requests from this caller";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", fact, "wait, and ask less often");
        Self { wait: Some(wait), ..problem }
    }

    pub(crate) fn defect() -> Self {
        let hint = "this is a defect: report it, with the log of this process";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", "a part of the daemon failed", hint)
    }

    /// Something was done, or refused, and could not be written down.
    pub(crate) fn unrecorded(error: &AuditError) -> Self {
        let fact = format!("it was seen to, but could not be written down: {}", chain(error));
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), fact, error.hint())
    }

    /// Where it is.
    pub(crate) fn at(self, place: impl Into<String>) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, wait) = (self.status, self.code, self.wait);
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(Code(code));
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        let status = match error.code() {
            "journal-no-such-run" => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.code(), chain(&error), error.hint())
    }
}

impl From<VerbError> for Problem {
    fn from(error: VerbError) -> Self {
        let status = match &error {
            VerbError::Subject(_) => StatusCode::NOT_FOUND,
            VerbError::NoReason
            | VerbError::Outputs
            | VerbError::NotOnChecklist { .. }
            | VerbError::Unchecked { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            VerbError::Refused(_)
            | VerbError::Claimed { .. }
            | VerbError::NotReleased { .. }
            | VerbError::PlanOther { .. } => StatusCode::CONFLICT,
            _ => match error.code() {
                "journal-no-such-run" => StatusCode::NOT_FOUND,
                "journal-site-held" | "journal-held" | "journal-exists" | "journal-name-spent" => StatusCode::CONFLICT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
        };
        let hint = error.hint().into_owned();
        Self::new(status, error.code(), chain(&error), hint)
    }
}

impl From<CertificateError> for Problem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Journal(error) => error.into(),
            CertificateError::NoReason => Self::input(error.code(), error.to_string(), error.hint()).at("uncertified"),
            error => Self::conflict(error.code(), error.to_string(), error.hint()),
        }
    }
}

impl From<runtime::JournalError> for Problem {
    fn from(error: runtime::JournalError) -> Self {
        VerbError::from(error).into()
    }
}
