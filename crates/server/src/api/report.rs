//! What is worked out from a whole run: its report, and its log.

use std::collections::VecDeque;
use std::sync::Arc;

use ::report::ToldEvent;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::{Record, Run};
use http::{HeaderValue, header};
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::app::App;
use crate::history::Chosen;

/// Columns of a report as text.
const WIDTH: usize = 100;
/// Events in one answer.
const EVENTS: usize = 2_000;
/// A report is one page with its own style and no script; it may be shown, and may do nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'; sandbox";

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// For programs.
    #[default]
    Json,
    /// For a terminal.
    Text,
    /// One page with plots.
    Html,
    /// One test case a site, for CI.
    Junit,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Formed {
    /// `json`, `text`, `html` or `junit`.
    #[serde(default)]
    #[param(inline)]
    format: Form,
}

/// Reports on a run: outcome, batches, times, exceptions, restore points.
#[utoipa::path(get, path = "/api/v1/runs/{run}/report", tag = "runs", params(("run" = String, Path), Formed),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn report(
    State(app): State<Arc<App>>,
    At(run): At<String>,
    Asked(Formed { format }): Asked<Formed>,
) -> Result<Response, Problem> {
    reported(&app, &run, format).await
}

/// The report of a run; as a page it forbids itself all but its own style.
pub(crate) async fn reported(app: &App, run: &str, format: Form) -> Result<Response, Problem> {
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    let _permit = app.large.acquire().await;
    let fold = watch.fold().await?;
    let made = tokio::task::spawn_blocking(move || {
        let report = fold.report(SystemClock.now());
        match format {
            Form::Json => ("application/json", report.to_json()),
            Form::Text => ("text/plain; charset=utf-8", ::report::render_text(&report, WIDTH, false)),
            Form::Html => ("text/html; charset=utf-8", ::report::render_html(&report)),
            Form::Junit => ("application/xml", ::report::render_junit(&report)),
        }
    });
    let (kind, text) = made.await.map_err(|_| Problem::defect())?;
    let mut response = ([(header::CONTENT_TYPE, kind)], text).into_response();
    if format == Form::Html {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    Ok(response)
}

#[derive(Clone, Debug, Deserialize, IntoParams)]
pub(crate) struct LogWanted {
    /// Only events of this site.
    site: Option<String>,
    /// Only events of this step.
    step: Option<String>,
    /// Only the last so many; 200 if not said, 2000 at most.
    tail: Option<usize>,
}

/// The events of a run, oldest first, as they lie in the journal. Reads all of it: seconds for a large run.
#[utoipa::path(get, path = "/api/v1/runs/{run}/log", tag = "runs", params(("run" = String, Path), LogWanted),
    responses((status = 200, body = Vec<Object>), (status = "default", body = Problem)))]
pub(crate) async fn log(
    State(app): State<Arc<App>>,
    At(run): At<String>,
    Asked(wanted): Asked<LogWanted>,
) -> Result<Json<Vec<ToldEvent>>, Problem> {
    let newest = Some(wanted.tail.unwrap_or(200).min(EVENTS));
    let chosen = Chosen { site: wanted.site, step: wanted.step, newest };
    Ok(Json(history(&app, run, chosen).await?.into()))
}

/// Reads what is wanted of a journal.
pub(crate) async fn history(app: &App, run: String, chosen: Chosen) -> Result<VecDeque<ToldEvent>, Problem> {
    let _permit = app.large.acquire().await;
    let tell = |run: &Run, record: &Record, undo| ToldEvent::of(run, record, Some(undo));
    let (store, handle) = (app.drivers.kit().store.clone(), tokio::runtime::Handle::current());
    // Folding a large journal takes a processor for seconds: not one of those that answer.
    let read = tokio::task::spawn_blocking(move || handle.block_on(chosen.read(&*store, &run, tell)));
    Ok(read.await.map_err(|_| Problem::defect())??)
}
