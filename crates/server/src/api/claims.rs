//! Who is at work on what: take the next, hand over, give back. Claims are about people; the run goes by decisions alone.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use runtime::{Clock, SystemClock, WorkClaim};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Who;
use crate::api::Problem;
use crate::api::acted::acted;
use crate::api::body::{At, Body};
use crate::app::App;
use crate::desk::{self, Board, DeskError, Work};

/// The desk as one person sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Seen {
    /// How far people are.
    board: Board,
    /// Everything that is in somebody's hands.
    claims: Vec<Claimed>,
}

/// Something in somebody's hands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Claimed {
    /// Its name, as verbs take it.
    gate: String,
    /// Whose it is.
    who: String,
    /// Since when.
    since: String,
    /// Until when, if it is not renewed.
    until: String,
}

impl Claimed {
    fn of(claim: &WorkClaim) -> Self {
        let (since, until) = (report::stamp(claim.since), report::stamp(claim.until));
        Self { gate: claim.subject.clone(), who: claim.who.clone(), since, until }
    }
}

/// What is done about a claim.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shift {
    /// Things that are in the next person's hands now.
    handed_over: usize,
    /// Things that are free again.
    given_back: usize,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Next {
    /// Only of this step.
    step: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Taking {
    /// What waits: STEP/KEY.
    gate: String,
    /// Whose it is now, to take it over from them; a free one is taken without.
    from: Option<String>,
    /// Why it is taken over, for them and for the audit log.
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renewing {
    /// What is in the caller's hands: STEP/KEY.
    gate: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandingOver {
    /// What is in the caller's hands: STEP/KEY.
    gate: String,
    /// Who goes on with it.
    to: String,
    /// What they need to know.
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivingBack {
    /// What is in the caller's hands: STEP/KEY.
    gate: String,
    /// What whoever takes it next needs to know.
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndingShift {
    /// Who goes on with all of it; free for anybody if left out.
    to: Option<String>,
    /// What they need to know.
    #[serde(default)]
    note: String,
}

/// What is in whose hands, what is free, and how long the rest takes at the present rate.
#[utoipa::path(get, path = "/api/v1/runs/{run}/claims", tag = "claims", params(("run" = String, Path)),
    responses((status = 200, body = Seen), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
) -> Result<Json<Seen>, Problem> {
    let claims = app.drivers.kit().store.claims(&run).await?;
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    let now = SystemClock.now();
    let told: Vec<Claimed> = claims.iter().filter(|claim| claim.holder(now).is_some()).map(Claimed::of).collect();
    let board = watch.ask(move |fold| desk::board(fold, &claims, &who.name, now)).await?;
    Ok(Json(Seen { board, claims: told }))
}

/// A thing with all that is known of it, as it stands now.
pub(crate) async fn shown(app: &App, run: &str, who: &str, gate: &str) -> Result<Work, Problem> {
    let claims = app.drivers.kit().store.claims(run).await?;
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    let (gate, who, now) = (gate.to_owned(), who.to_owned(), SystemClock.now());
    let told = watch.ask(move |fold| desk::work(fold, &gate, &claims, &who, now)).await?;
    told.map_err(|error| DeskError::from(error).into())
}

/// Gives a free thing that the caller may decide on, with all that is known of it. Two who ask are never given the same.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/next", tag = "claims", params(("run" = String, Path)),
    request_body = Next, responses((status = 200, body = Work), (status = "default", body = Problem)))]
pub(crate) async fn next(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(Next { step }): Body<Next>,
) -> Response {
    let mut what = json!({ "run": run, "step": step });
    let given = async {
        let claim = desk::next(&app, &run, &who.name, step).await?;
        what["gate"] = Value::from(claim.subject.as_str());
        shown(&app, &run, &who.name, &claim.subject).await
    };
    let given = given.await;
    acted(what, given.map(Json))
}

/// Takes a free thing by its name, or with `from` and `reason` one that is in another's hands.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/take", tag = "claims", params(("run" = String, Path)),
    request_body = Taking, responses((status = 200, body = Claimed), (status = "default", body = Problem)))]
pub(crate) async fn take(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(Taking { gate, from, reason }): Body<Taking>,
) -> Response {
    let what = json!({ "run": run, "gate": gate, "from": from, "reason": reason });
    let reason = reason.unwrap_or_default();
    let taken = match &from {
        Some(from) => desk::take_over(&app, &run, &who.name, (&gate, from), &reason).await,
        None => desk::take(&app, &run, &who.name, &gate).await,
    };
    acted(what, told(taken))
}

/// Has what is in the caller's hands stay there for another half hour.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/renew", tag = "claims", params(("run" = String, Path)),
    request_body = Renewing, responses((status = 200, body = Claimed), (status = "default", body = Problem)))]
pub(crate) async fn renew(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(Renewing { gate }): Body<Renewing>,
) -> Response {
    let renewed = desk::renew(&app, &run, &who.name, &gate).await;
    acted(json!({ "run": run, "gate": gate }), told(renewed))
}

/// Puts what is in the caller's hands into another's, with a note.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/hand-over", tag = "claims", params(("run" = String, Path)),
    request_body = HandingOver, responses((status = 200, body = Shift), (status = "default", body = Problem)))]
pub(crate) async fn hand_over(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(HandingOver { gate, to, note }): Body<HandingOver>,
) -> Response {
    let handed = desk::hand_over(&app, &run, &who.name, (&gate, &to), &note).await;
    let what = json!({ "run": run, "gate": gate, "to": to, "note": note });
    acted(what, shifted(handed.map(|()| (1, 0))))
}

/// Lets what is in the caller's hands go, for whoever takes it next.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/give-back", tag = "claims", params(("run" = String, Path)),
    request_body = GivingBack, responses((status = 200, body = Shift), (status = "default", body = Problem)))]
pub(crate) async fn give_back(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(GivingBack { gate, note }): Body<GivingBack>,
) -> Response {
    let given = desk::give_back(&app, &run, &who.name, &gate, &note).await;
    acted(json!({ "run": run, "gate": gate, "note": note }), shifted(given.map(|()| (0, 1))))
}

/// Hands over or gives back all that is in the caller's hands. What the next person may not decide on is given back; one who
/// may decide on none of it is refused, and nothing changes.
#[utoipa::path(post, path = "/api/v1/runs/{run}/claims/end-shift", tag = "claims", params(("run" = String, Path)),
    request_body = EndingShift, responses((status = 200, body = Shift), (status = "default", body = Problem)))]
pub(crate) async fn end_shift(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(EndingShift { to, note }): Body<EndingShift>,
) -> Response {
    let ended = desk::end_shift(&app, &run, &who.name, to.as_deref(), &note).await;
    acted(json!({ "run": run, "to": to, "note": note }), shifted(ended))
}

fn told(claim: Result<WorkClaim, DeskError>) -> Result<Json<Claimed>, Problem> {
    claim.map(|claim| Json(Claimed::of(&claim))).map_err(Problem::from)
}

fn shifted(done: Result<(usize, usize), DeskError>) -> Result<Json<Shift>, Problem> {
    done.map(|(handed_over, given_back)| Json(Shift { handed_over, given_back })).map_err(Problem::from)
}
