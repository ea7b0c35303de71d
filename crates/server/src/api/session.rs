//! Sessions for browsers, and the audit log for admins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::access::{COOKIE, Opener, Role, SESSION_LASTS, Via, Who};
use crate::api::Problem;
use crate::api::body::{Asked, Body};
use crate::app::App;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    /// The token.
    token: String,
}

/// Who someone is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Name.
    name: String,
    /// Role.
    role: Role,
}

/// Opens a session with a token, for browsers: a cookie that no script can read and no other site can send.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Opening,
    responses((status = 200, body = Me), (status = "default", body = Problem)))]
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    axum::Extension(nobody): axum::Extension<Who>,
    Body(opening): Body<Opening>,
) -> Result<Response, Problem> {
    let (who, name) = opened(&app, &nobody, &opening.token)?;
    let mut response = Json(Me { name: who.name.clone(), role: who.role }).into_response();
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(&name, SESSION_LASTS / 1_000, app.secure)?);
    // The guard knows nobody here: the route is open.
    Ok(app.recorded(&who, &Method::POST, "/session", response).await)
}

/// Opens a session for whoever has a token; gives who that is, and the session's name.
pub(crate) fn opened(app: &App, nobody: &Who, token: &str) -> Result<(Who, String), Problem> {
    let who = app.access.of_token(token.trim(), nobody.from)?;
    let Via::Token(id) = &who.via else { return Err(Problem::defect()) };
    let now = SystemClock.now();
    let token = app.access.tokens.good(id, now).ok().flatten();
    let token = token.ok_or_else(|| Problem::unauthorised("the token was revoked"))?;
    let (opener, until) = (Opener::Token(id.clone()), token.expires_at.min(now + SESSION_LASTS));
    let name = app.access.sessions.open(opener, until, now).ok_or_else(Problem::defect)?;
    Ok((who, name))
}

/// Ends the session of the cookie; whoever has none is told the same.
#[utoipa::path(delete, path = "/session", tag = "session",
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    axum::Extension(nobody): axum::Extension<Who>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, set_cookie("", 0, app.secure)?);
    Ok(closed(&app, &nobody, &headers, (Method::DELETE, "/session"), response).await)
}

/// Ends the session of a cookie, and has that written down if there was one. Whose it is says the session alone: the routes
/// are open, so that a session can be ended with which nothing can be done any more.
pub(crate) async fn closed(
    app: &Arc<App>,
    nobody: &Who,
    headers: &HeaderMap,
    (method, path): (Method, &str),
    response: Response,
) -> Response {
    match app.access.sign_out(headers, nobody.from) {
        Some(who) => app.recorded(&who, &method, path, response).await,
        None => response,
    }
}

/// The header that keeps a session's name, or takes it away.
pub(crate) fn set_cookie(name: &str, lasts_s: i64, secure: bool) -> Result<HeaderValue, Problem> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={name}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).map_err(|_| Problem::defect())
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Last {
    /// Records at most; 100 if not said, 1000 at most.
    limit: Option<usize>,
}

/// Who did what, newest first. `reinstate audit verify` says whether the log is whole.
#[utoipa::path(get, path = "/api/v1/audit", tag = "daemon", params(Last),
    responses((status = 200, body = Vec<Object>), (status = "default", body = Problem)))]
pub(crate) async fn audit(State(app): State<Arc<App>>, Asked(last): Asked<Last>) -> Result<Json<Vec<Value>>, Problem> {
    let (home, most) = (app.home.clone(), last.limit.unwrap_or(100).min(1_000));
    let read = tokio::task::spawn_blocking(move || crate::audit::read_last(home.path(), most));
    let records = read.await.map_err(|_| Problem::defect())?;
    let records = records.map_err(|error| Problem::trouble(error.code(), &error, error.hint()))?;
    Ok(Json(records.iter().map(|record| serde_json::json!(record)).collect()))
}
