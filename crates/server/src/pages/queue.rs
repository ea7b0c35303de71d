//! Everything that waits for people: of one run, or of all that are followed.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::At;
use crate::app::App;
use crate::live::View;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page, text};
use crate::pages::parts::rendered;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page<'a> {
    frame: Frame,
    name: Option<&'a str>,
    /// Runs with what waits in each.
    runs: Vec<(String, String)>,
}

fn of(view: &View) -> (String, String) {
    (view.snapshot.run.clone(), text(&rendered(view, "part-queue")))
}

/// What waits in one run.
pub(super) async fn of_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    match seen(&app, &name).await {
        Ok(view) => page(&Page { frame: Frame::of(&who, "/queue"), name: Some(&name), runs: vec![of(&view)] }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn seen(app: &App, name: &str) -> Result<Arc<View>, Problem> {
    Ok(app.followers.watch(name).await?.caught_up().await?)
}

/// What waits in all runs that go on.
pub(super) async fn of_all(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    let open = |view: &Arc<View>| !view.snapshot.state.over && !view.snapshot.waits.items.is_empty();
    let runs = app.followers.views().iter().filter(|view| open(view)).map(|view| of(view)).collect();
    page(&Page { frame: Frame::of(&who, "/queue"), name: None, runs })
}
