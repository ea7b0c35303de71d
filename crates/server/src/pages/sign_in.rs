//! From a token to a session of the browser, and back.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, Method, header};
use serde::Deserialize;

use crate::access::{SESSION_LASTS, Who};
use crate::api::body::{Asked, Filled};
use crate::api::{Problem, closed, opened, set_cookie};
use crate::app::App;
use crate::pages::frame::Frame;
use crate::pages::html::{dressed, page};

#[derive(Default, Deserialize)]
pub(super) struct To {
    #[serde(default)]
    pub(super) to: String,
}

#[derive(Deserialize)]
pub(super) struct Form {
    token: String,
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    frame: Frame,
    to: &'a str,
    problem: Option<&'a Problem>,
    /// Who vouches for people without a token.
    provider: Option<&'a str>,
}

/// The form.
pub(super) async fn form(State(app): State<Arc<App>>, Asked(To { to }): Asked<To>) -> Response {
    page(&Page { frame: Frame::of_nobody(), to: own(&to), problem: None, provider: provider(&app) })
}

/// The form, with why it came to nothing.
pub(super) fn again(app: &App, to: &str, problem: &Problem) -> Response {
    let form = Page { frame: Frame::of_nobody(), to, problem: Some(problem), provider: provider(app) };
    dressed(&form, problem)
}

fn provider(app: &App) -> Option<&str> {
    app.oidc.as_ref().map(|provider| provider.shown())
}

/// Opens a session.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Filled(form): Filled<Form>,
) -> Response {
    let to = own(&form.to);
    match opened(&app, &who, &form.token) {
        Ok((known, name)) => {
            let response = with_cookie(&app, to, &name, SESSION_LASTS / 1_000);
            // The guard knows nobody here: the route is open.
            app.recorded(&known, &Method::POST, "/sign-in", response).await
        }
        Err(problem) => again(&app, to, &problem),
    }
}

/// Ends a session.
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    Extension(nobody): Extension<Who>,
    headers: HeaderMap,
) -> Response {
    let response = with_cookie(&app, "/sign-in", "", 0);
    closed(&app, &nobody, &headers, (Method::POST, "/sign-out"), response).await
}

fn with_cookie(app: &App, to: &str, name: &str, lasts_s: i64) -> Response {
    match set_cookie(name, lasts_s, app.secure) {
        Ok(value) => ([(header::SET_COOKIE, value)], Redirect::to(to)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Longest place that is kept for whoever signs in: strangers have it kept, for many at once.
const PLACE_MAX: usize = 2_000;

/// A place on these pages; what leads elsewhere, or is longer than any of them, leads to the runs. Browsers leave blanks and line feeds out of an address
/// before they read it, so that only what they keep is taken.
pub(super) fn own(to: &str) -> &str {
    let kept = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if kept && to.len() <= PLACE_MAX && to.starts_with('/') && !to.starts_with("//") { to } else { "/runs" }
}

#[cfg(test)]
mod tests {
    use super::{PLACE_MAX, own};

    #[test]
    fn signing_in_leads_nowhere_else() {
        for elsewhere in [
            "",
            "https://example.org",
            "//example.org",
            "/\\example.org",
            "/\t/example.org",
            "/\n/example.org",
            "/ /example.org",
            "/\u{a0}/example.org",
            "javascript:x",
            "/a\r\nb",
        ] {
            assert_eq!(own(elsewhere), "/runs", "{elsewhere}");
        }
        assert_eq!(own("/runs/a?from=%20"), "/runs/a?from=%20");
    }

    #[test]
    fn a_place_that_is_kept_for_strangers_is_short() {
        let place = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
        assert_eq!(own(&place(PLACE_MAX)), place(PLACE_MAX));
        assert_eq!(own(&place(PLACE_MAX + 1)), "/runs");
    }
}
