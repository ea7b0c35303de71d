//! Bodies of requests: JSON, bounded, and told of as everything else if they are not what is wanted.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::api::Problem;

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    let fact = crate::words::chain(rejection);
    let hint = "see /api/v1/openapi.json for what is taken here";
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let hint = "put large site lists into the daemon's folder, and name them";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large", hint)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body-no-json",
            fact,
            "send `Content-Type: application/json`",
        ),
        StatusCode::UNPROCESSABLE_ENTITY => Problem::input("body-form", fact, hint),
        _ => Problem::new(StatusCode::BAD_REQUEST, "body-form", fact, hint),
    }
    .at("body")
}

/// Parameters after the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => {
                let fact = crate::words::chain(&rejection);
                Err(Problem::new(StatusCode::BAD_REQUEST, "query-form", fact, "see /api/v1/openapi.json").at("query"))
            }
        }
    }
}

/// Parts of the path.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(at)) => Ok(Self(at)),
            Err(rejection) => {
                let fact = crate::words::chain(&rejection);
                Err(Problem::new(StatusCode::BAD_REQUEST, "path-form", fact, "write the path in UTF-8").at("path"))
            }
        }
    }
}
