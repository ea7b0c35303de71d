//! Who did what.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::access::Who;
use crate::api::Problem;
use crate::app::App;
use crate::audit::Record;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};

/// Records on the page.
const ROWS: usize = 300;

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    records: Vec<Record>,
}

/// The newest records.
pub(super) async fn audit(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    let home = app.home.clone();
    match tokio::task::spawn_blocking(move || crate::audit::read_last(home.path(), ROWS)).await {
        Ok(Ok(records)) => page(&Page { frame: Frame::of(&who, "/audit"), records }),
        Ok(Err(error)) => Trouble(who, Problem::trouble(error.code(), &error, error.hint())).into_response(),
        Err(_) => Trouble(who, Problem::defect()).into_response(),
    }
}
