//! The page of all that happened to a site.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use report::ToldEvent;

use crate::access::Who;
use crate::api::body::At;
use crate::app::App;
use crate::history::Chosen;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};

/// Events on the page, the newest.
const ROWS: usize = 1_000;

#[derive(Template)]
#[template(path = "history.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    site: &'a str,
    events: Vec<ToldEvent>,
    is_cut: bool,
}

/// What happened to a site, the newest first, as the journal has it.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At((name, site)): At<(String, String)>,
) -> Response {
    let chosen = Chosen { site: Some(site.clone()), step: None, newest: Some(ROWS) };
    match crate::api::history(&app, name.clone(), chosen).await {
        Ok(events) => page(&Page {
            frame: Frame::of(&who, "/runs"),
            name: &name,
            site: &site,
            is_cut: events.len() == ROWS,
            events: events.into_iter().rev().map(shown).collect(),
        }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

fn shown(event: ToldEvent) -> ToldEvent {
    let plain = |text: Option<String>| text.map(|text| report::plain(&text));
    ToldEvent { subject: plain(event.subject), detail: plain(event.detail), ..event }
}
