//! All routes, and the document made of them.

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use http::header;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::access::Who;
use crate::api::{
    Problem, amend, attempts, claims, drills, events, launch, look, plan, report, runs, session, sites, verbs,
};
use crate::app::App;

/// Longest body of a request that is no plan.
const BODY_MAX: usize = 1 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "reinstate",
        description = "Runs that bring deleted sites back: look, plan, launch, steer. Answers that are not what was asked \
                       for have a stable code, the fact, and a hint."
    ),
    components(schemas(Problem))
)]
struct Document;

/// The routes with the document of them.
pub(crate) fn routes() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(events::events))
        .routes(routes!(look::grid))
        .routes(routes!(look::steps))
        .routes(routes!(look::batches))
        .routes(routes!(look::pools))
        .routes(routes!(look::waits))
        .routes(routes!(look::approvals))
        .routes(routes!(look::why))
        .routes(routes!(report::log))
        .routes(routes!(attempts::log))
        .routes(routes!(report::report))
        .routes(routes!(sites::list))
        .routes(routes!(sites::show))
        .routes(routes!(plan::home))
        .routes(routes!(plan::plan).layer(DefaultBodyLimit::max(plan::BODY_MAX)))
        .routes(routes!(launch::launch))
        .routes(routes!(launch::resume))
        .routes(routes!(amend::difference))
        .routes(routes!(amend::amend))
        .routes(routes!(verbs::pause))
        .routes(routes!(verbs::go_on))
        .routes(routes!(verbs::cancel))
        .routes(routes!(verbs::approve))
        .routes(routes!(verbs::reject))
        .routes(routes!(verbs::validate))
        .routes(routes!(verbs::retry))
        .routes(routes!(verbs::skip))
        .routes(routes!(verbs::mark_done))
        .routes(routes!(verbs::resolve))
        .routes(routes!(verbs::pool_set))
        .routes(routes!(verbs::undo))
        .routes(routes!(verbs::quarantine))
        .routes(routes!(verbs::exclude))
        .routes(routes!(verbs::release))
        .routes(routes!(verbs::adopt))
        .routes(routes!(claims::list))
        .routes(routes!(claims::next))
        .routes(routes!(claims::take))
        .routes(routes!(claims::renew))
        .routes(routes!(claims::hand_over))
        .routes(routes!(claims::give_back))
        .routes(routes!(claims::end_shift))
        .routes(routes!(drills::list))
        .routes(routes!(drills::show))
        .routes(routes!(drills::run))
        .routes(routes!(session::open, session::close))
        .routes(routes!(session::audit))
        .routes(routes!(document))
        .routes(routes!(me))
        .routes(routes!(metrics))
        .routes(routes!(health))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .split_for_parts()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "daemon",
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
async fn document(State(app): State<Arc<App>>) -> Response {
    runs::json(app.document.clone())
}

/// Says who asks, as the daemon knows them.
#[utoipa::path(get, path = "/api/v1/me", tag = "daemon",
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
async fn me(Extension(who): Extension<Who>) -> Response {
    let value = serde_json::json!({ "name": who.name, "role": who.role, "from": who.from });
    runs::json(value.to_string())
}

/// What is measured, as Prometheus reads it.
#[utoipa::path(get, path = "/metrics", tag = "daemon",
    responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem)))]
async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut troubles = app.drivers.remembered();
    // A store that cannot be asked leaves all of them.
    if !troubles.is_empty()
        && let Ok(list) = app.drivers.kit().store.list().await
    {
        troubles = app.drivers.troubles(&list).await;
    }
    let text = crate::metrics::render(&app.metrics, &app.followers.views(), &troubles, &app.drills.shown());
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "daemon", responses((status = 200, content_type = "text/plain", body = String)))]
async fn health() -> &'static str {
    "ok\n"
}
