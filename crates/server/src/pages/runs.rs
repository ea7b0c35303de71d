//! The list of runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::Asked;
use crate::app::App;
use crate::live::View;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};

/// Runs on a page.
const ROWS: usize = 50;
/// Runs of a page that are read though nobody looks at them: the newest.
const READ: usize = 5;

#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    from: usize,
}

struct Row {
    name: String,
    seen: Option<Arc<View>>,
    /// Why this process could not drive it any further.
    trouble: Option<String>,
    waits: usize,
    held_by: Option<String>,
    created: String,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    /// Number of the first, from 1.
    first: usize,
    before: usize,
    total: usize,
}

/// To the list.
pub(super) async fn home() -> Redirect {
    Redirect::to("/runs")
}

/// The list of runs.
pub(super) async fn runs(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Asked(From { from }): Asked<From>,
) -> Response {
    match rows(&app, from).await {
        Ok((rows, total)) => {
            let frame = Frame::of(&who, "/runs");
            page(&Page { frame, rows, first: from + 1, before: from.saturating_sub(ROWS), total })
        }
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn rows(app: &App, from: usize) -> Result<(Vec<Row>, usize), Problem> {
    let list = app.drivers.kit().store.list().await?;
    let total = list.len();
    let mut seen: BTreeMap<String, Arc<View>> =
        app.followers.views().into_iter().map(|view| (view.snapshot.run.clone(), view)).collect();
    for run in list.iter().skip(from).take(READ).filter(|_| from == 0) {
        // Reading it begins; what is known by now is shown.
        if let Ok(mut watch) = app.followers.watch(&run.head.run).await {
            let read = tokio::time::timeout(std::time::Duration::from_millis(300), watch.caught_up()).await;
            if let Ok(Ok(view)) = read {
                seen.insert(run.head.run.clone(), view);
            }
        }
    }
    let troubles = app.drivers.troubles(&list).await;
    let row = |run: runtime::RunSummary| {
        let seen = seen.get(&run.head.run).filter(|view| view.snapshot.reading.is_none()).cloned();
        Row {
            waits: seen.as_ref().map_or(0, |view| view.snapshot.waits.items.len() + view.snapshot.waits.more),
            seen,
            trouble: troubles.get(&run.head.run).map(|trouble| report::plain(trouble)),
            held_by: run.held_by.map(|holder| report::plain(&holder)),
            created: report::clock(run.head.created_at),
            name: run.head.run,
        }
    };
    Ok((list.into_iter().skip(from).take(ROWS).map(row).collect(), total))
}
