//! From a provider of identities to a session of the browser.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use runtime::{Clock, SystemClock};
use serde_json::json;

use crate::access::oidc::{Back, LASTS, OidcError, Provider};
use crate::access::{Opener, Role, Via, Who, cookie};
use crate::api::body::Asked;
use crate::api::{Problem, Told, set_cookie};
use crate::app::App;
use crate::pages::frame::Frame;
use crate::pages::html::page;
use crate::pages::sign_in::{To, again, own};

#[derive(Template)]
#[template(path = "signed_in.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    to: &'a str,
}

/// Sends the browser to the provider.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Extension(nobody): Extension<Who>,
    Asked(To { to }): Asked<To>,
) -> Response {
    let to = own(&to);
    let begun = match (&app.oidc, app.access.begins(nobody.from)) {
        (Some(provider), Ok(())) => provider.begin(to).await.map_err(|error| problem(&error)),
        (Some(_), Err(problem)) => Err(problem),
        (None, _) => Err(problem(&OidcError::Off)),
    };
    match begun {
        Ok(start) => {
            let mut response = Redirect::to(&start.url).into_response();
            keep(&mut response, binding(&app, &start.cookie, &start.browser, LASTS / 1_000));
            response
        }
        Err(problem) => again(&app, to, &problem),
    }
}

/// Takes what the browser brings back from the provider. Whoever hangs up meanwhile leaves a record, too.
pub(super) async fn back(
    State(app): State<Arc<App>>,
    Extension(nobody): Extension<Who>,
    headers: HeaderMap,
    Asked(back): Asked<Back>,
) -> Response {
    let Some(provider) = app.oidc.clone() else { return again(&app, "/runs", &problem(&OidcError::Off)) };
    let name = back.cookie();
    let browser = cookie(&headers, &name).map(str::to_owned);
    let of = app.clone();
    let done = app.acts.spawn(async move {
        let mut response = known(&of, &provider, nobody, back, browser).await;
        keep(&mut response, binding(&of, &name, "", 0));
        response
    });
    done.await.unwrap_or_else(|_| Problem::defect().into_response())
}

async fn known(app: &Arc<App>, provider: &Provider, nobody: Who, back: Back, browser: Option<String>) -> Response {
    const PATH: &str = "/sign-in/oidc/back";
    let from = nobody.from;
    let refused = match provider.complete(back, browser.as_deref(), &app.access.tokens).await {
        Ok((person, to)) => {
            let (now, lasts, told) = (SystemClock.now(), provider.lasts(), told(provider, &person.subject));
            let (name, role, opener) = (person.name.clone(), person.role, Opener::Person(Arc::new(person)));
            let Some(secret) = app.access.sessions.open(opener, now + lasts, now) else {
                return Problem::defect().into_response();
            };
            let Some(session) = app.access.sessions.find(&secret, now) else {
                return Problem::defect().into_response();
            };
            let who = Who { name, role, from, via: Via::Session(session) };
            // A page and no redirect: the browser came from elsewhere, and sends no cookie of ours until a page of ours
            // leads on.
            let mut response = page(&Page { frame: Frame::of(&who, ""), name: &who.name, to: &to });
            keep(&mut response, set_cookie(&secret, lasts / 1_000, app.secure));
            response.extensions_mut().insert(Told(told));
            return app.recorded(&who, &Method::GET, PATH, response).await;
        }
        Err(refused) => refused,
    };
    // Whoever sends one made-up answer after another fills no log with them. Somebody for whom the provider has vouched
    // made nothing up: that they were refused is a record, whoever has guessed from where they are.
    if refused.subject.is_empty()
        && let Err(problem) = app.access.guessed(from)
    {
        return again(app, "/runs", &problem);
    }
    let mut response = again(app, "/runs", &problem(&refused.error));
    response.extensions_mut().insert(Told(told(provider, &refused.subject)));
    let who = Who { name: refused.name, role: Role::Viewer, from, via: Via::Nobody };
    app.recorded(&who, &Method::GET, PATH, response).await
}

fn told(provider: &Provider, subject: &str) -> serde_json::Value {
    json!({ "provider": provider.issuer(), "subject": report::plain(subject) })
}

/// What is wrong, for the page. What the log should have for whoever runs the daemon is written there.
fn problem(error: &OidcError) -> Problem {
    let (code, fact, hint) = (error.code(), error.shown(), error.hint());
    let status = match error {
        OidcError::Off => StatusCode::NOT_FOUND,
        OidcError::Stale => StatusCode::BAD_REQUEST,
        error if error.is_refusal() => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    };
    if !matches!(error, OidcError::Off | OidcError::Stale) {
        tracing::warn!(code, fact = %error, "somebody was not signed in by the provider of identities");
    }
    Problem::new(status, code, fact, hint)
}

/// The cookie that binds a sign-in to a browser. It comes along when the provider sends the browser back, hence `Lax`.
fn binding(app: &App, name: &str, value: &str, lasts_s: i64) -> Result<HeaderValue, Problem> {
    let secure = if app.secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/sign-in/oidc; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).map_err(|_| Problem::defect())
}

fn keep(response: &mut Response, cookie: Result<HeaderValue, Problem>) {
    match cookie {
        Ok(value) => {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        Err(problem) => *response = problem.into_response(),
    }
}
