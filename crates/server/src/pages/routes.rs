//! Where pages are.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::app::App;
use crate::pages::acts::ACTS;
use crate::pages::work::Deed;
use crate::pages::{
    act, amend, assets, audit, desk, drills, guide, history, launch, log, provider, queue, run, runs, sign_in, site,
    sites, stream, work,
};

/// Longest form: a reason and a few names.
const FORM_MAX: usize = 64 * 1024;

/// The routes of all pages. What each asks for is in the rules, as for the API.
pub(crate) fn routes() -> Router<Arc<App>> {
    let mut router = Router::new()
        .route("/", get(runs::home))
        .route("/assets/{file}", get(assets::asset))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-in/oidc", get(provider::begin))
        .route("/sign-in/oidc/back", get(provider::back))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/runs", get(runs::runs))
        .route("/queue", get(queue::of_all))
        .route("/audit", get(audit::audit))
        .route("/drills", get(drills::list))
        .route("/drills/{drill}", get(drills::drill))
        .route("/drills/{drill}/run", post(drills::run))
        .route("/guide", get(guide::list))
        .route("/guide/{topic}", get(guide::topic))
        .route("/launch/run", post(launch::go))
        .route("/runs/{run}", get(run::run))
        .route("/runs/{run}/live", get(stream::live))
        .route("/runs/{run}/queue", get(queue::of_run))
        .route("/runs/{run}/report", get(run::report))
        .route("/runs/{run}/sites", get(sites::sites))
        .route("/runs/{run}/sites/{site}", get(site::site))
        .route("/runs/{run}/sites/{site}/history", get(history::history))
        .route("/runs/{run}/log", get(log::log))
        .route("/runs/{run}/amend/go", post(amend::go))
        .route("/runs/{run}/act", get(act::form))
        .route("/runs/{run}/desk", get(desk::desk))
        .route("/runs/{run}/desk/next", post(desk::next))
        .route("/runs/{run}/desk/end-shift", post(desk::end_shift))
        .route("/runs/{run}/desk/work", get(work::work));
    for (last, deed) in Deed::ALL {
        let path = format!("/runs/{{run}}/desk/{last}");
        router = router.route(&path, post(move |app, who, run, form| work::done((last, deed), app, who, run, form)));
    }
    // One path for each act, so that the guard knows what it asks for.
    for one in ACTS {
        let path = format!("/runs/{{run}}/act/{}", one.verb);
        router = router.route(&path, post(move |app, who, run, form| act::act(one, app, who, run, form)));
    }
    // Files come with it.
    let launch = Router::new()
        .route("/launch", get(launch::form).post(launch::plan))
        .route("/runs/{run}/amend", get(amend::form).post(amend::plan))
        .layer(DefaultBodyLimit::max(crate::api::PLAN_MAX));
    router.layer(DefaultBodyLimit::max(FORM_MAX)).merge(launch)
}
