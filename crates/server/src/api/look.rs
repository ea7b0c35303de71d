//! A run looked at from several sides.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::OnLapse;
use report::{Fold, Typed};
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::api::runs;
use crate::app::App;
use crate::live::{SiteLetter, View};

async fn view(app: &App, run: &str) -> Result<Arc<View>, Problem> {
    Ok(app.followers.watch(run).await?.fresh().await?)
}

fn written(value: &impl Serialize) -> Response {
    // Plain data into a growing buffer has no way to fail.
    runs::json(serde_json::to_vec(value).unwrap_or_default())
}

/// Every site as a letter, packed: `o812r3w185` is 812 sites of state `o`, 3 of `r` and so on, in the plan's order;
/// `letters` says what they stand for.
#[utoipa::path(get, path = "/api/v1/runs/{run}/grid", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn grid(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    let view = view(&app, &run).await?;
    let letters: serde_json::Map<String, Value> =
        SiteLetter::ALL.iter().map(|(letter, word)| (char::from(*letter).to_string(), (*word).into())).collect();
    let grid = view.grid.packed();
    Ok(written(&json!({ "view": view.number, "count": view.grid.letters().len(), "grid": grid, "letters": letters })))
}

/// Steps with their counts by state, retries and typical times.
#[utoipa::path(get, path = "/api/v1/runs/{run}/steps", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Vec<Object>), (status = "default", body = Problem)))]
pub(crate) async fn steps(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    Ok(written(&view(&app, &run).await?.snapshot.steps))
}

/// Batches with their budgets.
#[utoipa::path(get, path = "/api/v1/runs/{run}/batches", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Vec<Object>), (status = "default", body = Problem)))]
pub(crate) async fn batches(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    Ok(written(&view(&app, &run).await?.snapshot.batches))
}

/// Pools, their instances added up.
#[utoipa::path(get, path = "/api/v1/runs/{run}/pools", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Vec<Object>), (status = "default", body = Problem)))]
pub(crate) async fn pools(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    Ok(written(&view(&app, &run).await?.snapshot.pools))
}

/// What waits for people, the most urgent kind first, with all that is known of each: approvals, units in doubt or stuck,
/// sites that are out or degraded.
#[utoipa::path(get, path = "/api/v1/runs/{run}/waits", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn waits(State(app): State<Arc<App>>, At(run): At<String>) -> Result<Response, Problem> {
    Ok(written(&view(&app, &run).await?.snapshot.waits))
}

/// A gate that waits for people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Approval {
    /// Its name, as `approve` takes it.
    gate: String,
    /// Groups of which an approver must be a member.
    from: Vec<String>,
    /// The members of those groups.
    people: Vec<String>,
    /// Approvals that it takes.
    needed: u16,
    /// Who has approved.
    approved_by: Vec<String>,
    /// Since when it waits.
    since: String,
    /// When it lapses.
    lapses: Option<String>,
    /// `reject` or `pause`.
    on_timeout: &'static str,
    /// Who asked for the run, and so may not approve it.
    asked_by: String,
    /// What has to be confirmed with an approval.
    checklist: Vec<String>,
}

/// What waits for approval, who may give it, and until when.
#[utoipa::path(get, path = "/api/v1/runs/{run}/approvals", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Vec<Approval>), (status = "default", body = Problem)))]
pub(crate) async fn approvals(
    State(app): State<Arc<App>>,
    At(run): At<String>,
) -> Result<Json<Vec<Approval>>, Problem> {
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    Ok(Json(watch.ask(approvals_of).await?))
}

/// Approvals in one answer.
const APPROVALS: usize = 1_000;

fn approvals_of(fold: &Fold) -> Vec<Approval> {
    let run = fold.run();
    let members = |groups: &[String]| {
        let of = run.plan().spec().extras.approvers.iter().filter(|group| groups.contains(&group.name));
        let mut names: Vec<String> = of.flat_map(|group| group.members.clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    let requests = run.requests().take(APPROVALS).map(|request| Approval {
        gate: report::gate_word(run, request.gate),
        from: request.approval.from.clone(),
        people: members(&request.approval.from),
        needed: request.approval.min.max(1),
        approved_by: request.approved_by.iter().map(ToString::to_string).collect(),
        since: report::stamp(request.since),
        lapses: request.due.map(report::stamp),
        on_timeout: match request.approval.on_timeout {
            OnLapse::Reject => "reject",
            OnLapse::Pause => "pause",
        },
        asked_by: run.opened_by().to_owned(),
        checklist: request.checklist.to_vec(),
    });
    requests.collect()
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct About {
    /// ID of a site, name of a step, or STEP/KEY.
    subject: String,
}

/// Says what a site, a step or a unit waits for, in sentences.
#[utoipa::path(get, path = "/api/v1/runs/{run}/why", tag = "runs", params(("run" = String, Path), About),
    responses((status = 200, body = Vec<String>), (status = "default", body = Problem)))]
pub(crate) async fn why(
    State(app): State<Arc<App>>,
    At(run): At<String>,
    Asked(about): Asked<About>,
) -> Result<Json<Vec<String>>, Problem> {
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    let typed = Typed { run, store: Some(app.place.clone()) };
    let told = watch.ask(move |fold| report::why(fold.run(), &about.subject, SystemClock.now(), &typed)).await?;
    let lines = told.map_err(|error| {
        let hint = "give the ID of a site, the name of a step, or STEP/KEY";
        Problem::missing("why-subject", report::plain(&error.to_string()), hint).at("subject")
    })?;
    Ok(Json(lines.iter().map(|line| report::plain(line)).collect()))
}
