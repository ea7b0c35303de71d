//! Drills: how they stand, and having one take place.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::access::Who;
use crate::api::acted::acted;
use crate::api::body::{At, Body};
use crate::api::{Problem, runs};
use crate::app::App;
use crate::drills::{DrillShown, NotBegun};

/// Lists drills: when each takes place next, how it last went, whether it raises the alarm, and what is wrong with its files.
#[utoipa::path(get, path = "/api/v1/drills", tag = "drills",
    responses((status = 200, body = Vec<DrillShown>), (status = "default", body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<DrillShown>> {
    Json(crate::drills::shown(&app))
}

/// Shows a drill with its history: judgements newest first, the trend of its numbers, and what it has proved of its runbook:
/// steps and undos that no drill has ever run are named.
#[utoipa::path(get, path = "/api/v1/drills/{drill}", tag = "drills", params(("drill" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn show(State(app): State<Arc<App>>, At(drill): At<String>) -> Result<Response, Problem> {
    match app.drills.detail(&drill).await? {
        Some(detail) => Ok(runs::json(serde_json::to_vec(&detail).unwrap_or_default())),
        None => Err(NotBegun::Unknown(report::plain(&drill)).into()),
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakingPlace {
    /// Draws sites and restore point as the drill with this seed did.
    seed: Option<u64>,
}

/// A drill that began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Began {
    /// Name of its run, which begins when the set-up is done.
    run: String,
}

/// Has a drill take place now, whatever its schedule says.
#[utoipa::path(post, path = "/api/v1/drills/{drill}/run", tag = "drills", params(("drill" = String, Path)),
    request_body = TakingPlace, responses((status = 200, body = Began), (status = "default", body = Problem)))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(drill): At<String>,
    Body(asked): Body<TakingPlace>,
) -> Response {
    let what = json!({ "drill": drill, "seed": asked.seed });
    let began = app.drills.take_place(&drill, &who.name, asked.seed);
    acted(what, began.map(|run| Json(Began { run })).map_err(Problem::from))
}

impl From<NotBegun> for Problem {
    fn from(why: NotBegun) -> Self {
        let fact = report::plain(&why.to_string());
        match why {
            NotBegun::Unknown(_) => Self::missing("drill-unknown", fact, "`GET /api/v1/drills` lists them").at("drill"),
            NotBegun::Unsound(..) => {
                Self::conflict("drill-unsound", fact, "`GET /api/v1/drills` has all findings; put the files right")
            }
            NotBegun::GoesOn(_) => Self::conflict("drill-goes-on", fact, "wait until it is over"),
            NotBegun::Stopping => Self::trouble("daemon-stopping", &why, "ask again when it has started"),
        }
    }
}
