//! Answers that are pages.

use askama::Template;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{Method, StatusCode, header};

use crate::access::Who;
use crate::api::Problem;
use crate::pages::frame::Frame;
use crate::pages::sites::encoded;

/// A rendered page, or word that it could not be rendered.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Problem::defect().into_response()
        }
    }
}

/// A part of a page; empty if it cannot be rendered, which the log says.
pub(super) fn part(template: &impl Template) -> bytes::Bytes {
    template.render().map(bytes::Bytes::from).unwrap_or_else(|error| {
        tracing::error!(%error, "a part of a page could not be rendered");
        bytes::Bytes::new()
    })
}

/// Text of rendered bytes.
pub(super) fn text(bytes: &bytes::Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Why there is no page, as a page.
pub(super) struct Trouble(pub(super) Who, pub(super) Problem);

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    problem: &'a Problem,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let Self(who, problem) = self;
        dressed(&ProblemPage { frame: Frame::of(&who, ""), problem: &problem }, &problem)
    }
}

/// A page about a problem, with its status and its code.
pub(super) fn dressed(template: &impl Template, problem: &Problem) -> Response {
    let mut response = page(template);
    let plain = problem.clone().into_response();
    *response.status_mut() = plain.status();
    response.extensions_mut().extend(plain.extensions().clone());
    response
}

/// What somebody with a browser gets in place of a refusal in JSON; `None` for programs.
pub(crate) fn turned_away(request: &Request, who: Option<&Who>, problem: &Problem) -> Option<Response> {
    let path = request.uri().path();
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if path.starts_with("/api/") || !accepts.contains("text/html") {
        return None;
    }
    if problem.status() == StatusCode::UNAUTHORIZED && request.method() == Method::GET {
        let to = request.uri().path_and_query().map_or("/runs", |to| to.as_str());
        return Some(Redirect::to(&format!("/sign-in?to={}", encoded(to))).into_response());
    }
    let frame = who.map_or_else(Frame::of_nobody, |who| Frame::of(who, ""));
    Some(dressed(&ProblemPage { frame, problem }, problem))
}
