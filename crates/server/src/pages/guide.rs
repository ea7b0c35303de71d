//! The guide, as `reinstate help` prints it.

use askama::Template;
use axum::Extension;
use axum::response::{IntoResponse, Response};

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::At;
use crate::guide::{TOPICS, Topic};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};

#[derive(Template)]
#[template(path = "guide.html")]
struct List {
    frame: Frame,
    topics: &'static [Topic],
}

#[derive(Template)]
#[template(path = "guide_page.html")]
struct Page {
    frame: Frame,
    title: String,
    /// Made of our own text.
    html: String,
}

/// The list of pages.
pub(super) async fn list(Extension(who): Extension<Who>) -> Response {
    page(&List { frame: Frame::of(&who, "/guide"), topics: TOPICS })
}

/// A page, or what a code means.
pub(super) async fn topic(Extension(who): Extension<Who>, At(name): At<String>) -> Response {
    match crate::guide::page(&name) {
        Some((title, html)) => page(&Page { frame: Frame::of(&who, "/guide"), title, html }),
        None => {
            let fact = format!("the guide has no page and no code `{}`", report::plain(&name));
            Trouble(who, Problem::missing("help-topic", fact, "look at /guide for the pages")).into_response()
        }
    }
}
