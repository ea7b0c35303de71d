//! The list of runs, and one run in short.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::app::App;
use crate::live::View;

/// Runs in one answer.
const MOST: usize = 500;

/// A run in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunRow {
    /// Name.
    run: String,
    /// Hash of its plan.
    plan: String,
    /// When it was created, RFC 3339.
    created_at: String,
    /// Who drives it.
    driven_by: Option<String>,
    /// Whether this process does.
    driven_here: bool,
    /// Why this process could not drive it any further.
    trouble: Option<String>,
    /// How it stands; `null` while nobody has looked at it since the daemon started: `GET` of the run does.
    state: Option<String>,
    /// Sites in all.
    sites: Option<u32>,
    /// Sites that are back.
    returned: Option<u32>,
    /// Sites that are out.
    quarantined: Option<u32>,
    /// Things that wait for people.
    waits: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Page {
    /// Rows to leave out.
    #[serde(default)]
    from: usize,
    /// Rows at most; 100 if not said, 500 at most.
    limit: Option<usize>,
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(Page),
    responses((status = 200, body = Vec<RunRow>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>, Asked(page): Asked<Page>) -> Result<Json<Vec<RunRow>>, Problem> {
    let list = app.drivers.kit().store.list().await?;
    let seen: BTreeMap<String, Arc<View>> =
        app.followers.views().into_iter().map(|view| (view.snapshot.run.clone(), view)).collect();
    let troubles = app.drivers.troubles(&list).await;
    let rows = list.into_iter().skip(page.from).take(page.limit.unwrap_or(100).min(MOST)).map(|run| {
        let view = seen.get(&run.head.run).filter(|view| view.snapshot.reading.is_none());
        let of = view.map(|view| &view.snapshot);
        RunRow {
            driven_here: app.drivers.drives(&run.head.run),
            trouble: troubles.get(&run.head.run).map(|trouble| ::report::plain(trouble)),
            plan: run.head.plan_hash,
            created_at: ::report::stamp(run.head.created_at),
            driven_by: run.held_by,
            state: of.map(|seen| seen.state.word.to_lowercase()),
            sites: of.map(|seen| seen.sites.given),
            returned: of.map(|seen| seen.sites.returned),
            quarantined: of.map(|seen| seen.sites.quarantined),
            waits: of.map(|seen| seen.waits.items.len() + seen.waits.more),
            run: run.head.run,
        }
    });
    Ok(Json(rows.collect()))
}

/// Shows one run in short: state, sites by state, batches, steps, pools, what waits for people, throughput and forecast.
/// The same as the event `run` of its stream.
#[utoipa::path(get, path = "/api/v1/runs/{run}", tag = "runs", params(("run" = String, Path, description = "Name of the run")),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn show(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    let view = app.followers.watch(&run).await?.fresh().await?;
    Ok(json(view.json()))
}

/// Bytes that are JSON already.
pub(crate) fn json(bytes: impl Into<bytes::Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes.into()).into_response()
}
