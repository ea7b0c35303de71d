//! The page of a run.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use runtime::{Clock, SystemClock};

use crate::access::Who;
use crate::api::body::At;
use crate::api::{Form, Problem, reported};
use crate::app::App;
use crate::live::View;
use crate::pages::cells;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page, text};
use crate::pages::parts::{drive_trouble, graph, rendered};

#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    said: String,
    head: String,
    drive: String,
    sites: String,
    waits: String,
    batches: String,
    pools: String,
    steps: String,
    events: String,
    graph: String,
    curve: String,
    cells: Vec<char>,
    per: usize,
    grid_label: String,
    /// Whether people decide on steps of it.
    desk: bool,
}

/// The page of a run.
pub(super) async fn run(State(app): State<Arc<App>>, Extension(who): Extension<Who>, At(name): At<String>) -> Response {
    match seen(&app, &name).await {
        Ok((view, desk)) => {
            let of = |id: &str| text(&rendered(&view, id));
            let per = cells::per(view.grid.letters().len());
            page(&Page {
                frame: Frame::of(&who, "/runs"),
                name: &name,
                said: app.said.take(&who, &name, SystemClock.now()),
                head: of("part-head"),
                drive: text(&drive_trouble(&view, app.drivers.trouble(&name).as_deref())),
                sites: of("part-sites"),
                waits: of("part-waits"),
                batches: of("part-batches"),
                pools: of("part-pools"),
                steps: of("part-steps"),
                events: of("part-events"),
                curve: of("part-curve"),
                graph: text(&graph(&view)),
                cells: cells::cells(&view.grid, per),
                per,
                desk,
                grid_label: cells::label(&view.grid),
            })
        }
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn seen(app: &App, name: &str) -> Result<(Arc<View>, bool), Problem> {
    let mut watch = app.followers.watch(name).await?;
    let view = watch.fresh().await?;
    let desk = watch.ask(|fold| crate::desk::has_desk(fold.plan())).await?;
    Ok((view, desk))
}

/// The report as a page of its own.
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    match reported(&app, &name, Form::Html).await {
        Ok(report) => report,
        Err(problem) => Trouble(who, problem).into_response(),
    }
}
