//! The paths of the services and what they take out of a request.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::apply::{Request, answer, perform, restore_point};
use super::estate::{Denotes, Estate};
use super::operations::{ACTIVATE, Operation, REBUILD, REINSTALL, RETIRE, UNINSTALL, find};
use super::problem::Problem;
use super::vendors::{Mood, lost, unavailable};
use super::{jobs, tickets, verify};
use crate::clock::Millis;

type Shared = State<Arc<Estate>>;
type Answer = Result<Response, Problem>;

pub(super) fn router(estate: Arc<Estate>) -> Router {
    Router::new()
        .route("/", get(async || answer(StatusCode::OK, json!({ "estate": "lab", "state": "up" }))))
        .route("/catalogue/ids/{id}", get(lookup))
        .route("/{system}/sites/{site}", get(verify_site))
        .route("/{system}/sites/{site}/{operation}", post(operate))
        .route("/{system}/sites/{site}/undo/{operation}", post(undo))
        .route("/search/sites/{site}/rebuild/{product}", post(rebuild))
        .route("/search/sites/{site}/undo/rebuild/{product}", post(undo_rebuild))
        .route("/catalogue/sites/{site}/activate/{product}", post(activate))
        .route("/catalogue/sites/{site}/undo/activate/{product}", post(undo_activate))
        .route("/edge/hosts/{hostname}", get(host))
        .route("/catalogue/count", get(count))
        .route("/catalogue/apps/{app}/retire", post(retire))
        .route("/catalogue/apps/{app}/restore", post(unretire))
        .route("/support/tickets", get(tickets))
        .route("/lab/tickets", post(raise))
        .route("/lab/latency", get(latency).post(phase))
        .route("/identity/jobs/{job}", get(poll))
        .route("/vendors/apps/{app}", get(installation))
        .route("/vendors/apps/{app}/reinstall", post(reinstall_by_gateway))
        .route("/vendors/apps/{app}/uninstall", post(uninstall_by_gateway))
        .route("/vendors/{vendor}/apps/{app}", get(installation_at_vendor))
        .route("/vendors/{vendor}/apps/{app}/reinstall", post(reinstall))
        .route("/vendors/{vendor}/apps/{app}/uninstall", post(uninstall))
        .fallback(async || Problem::not_found("unknown-path", "no service has this path"))
        .with_state(estate)
}

async fn lookup(State(estate): Shared, Path(id): Path<String>) -> Answer {
    verify::lookup(&estate, &id).await
}

async fn verify_site(State(estate): Shared, Path((system, site)): Path<(String, String)>) -> Answer {
    verify::site(&estate, &system, &site).await
}

async fn poll(State(estate): Shared, Path(job): Path<String>) -> Answer {
    jobs::poll(&estate, &job).await
}

async fn count(State(estate): Shared) -> Answer {
    verify::count(&estate).await
}

async fn tickets(State(estate): Shared, RawQuery(query): RawQuery) -> Answer {
    tickets::list(&estate, query.as_deref()).await
}

async fn raise(State(estate): Shared, body: Bytes) -> Answer {
    tickets::raise(&estate, &body).await
}

async fn latency(State(estate): Shared) -> Response {
    answer(StatusCode::OK, estate.latency.summary())
}

async fn phase(State(estate): Shared, body: Bytes) -> Answer {
    let body: serde_json::Value =
        serde_json::from_slice(&body).map_err(|e| Problem::unprocessable("malformed-body", e.to_string()))?;
    match body.get("phase").and_then(serde_json::Value::as_str) {
        Some(name) if (1..=80).contains(&name.len()) => {
            estate.latency.phase(name);
            Ok(answer(StatusCode::OK, estate.latency.summary()))
        }
        _ => Err(Problem::unprocessable("malformed-phase", "the body must say `phase`, a name of 1 to 80 characters")),
    }
}

async fn operate(
    State(estate): Shared,
    Path((system, site, operation)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let operation = named(&system, &operation)?;
    site_request(&estate, operation, site, String::new(), &headers, &body).await
}

async fn rebuild(
    State(estate): Shared,
    Path((site, product)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    site_request(&estate, &REBUILD, site, product, &headers, &body).await
}

async fn undo(
    State(estate): Shared,
    Path((system, site, operation)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let operation = named(&system, &operation)?;
    undo_request(&estate, operation, site, String::new(), &headers).await
}

async fn activate(
    State(estate): Shared,
    Path((site, product)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    site_request(&estate, &ACTIVATE, site, product, &headers, &body).await
}

async fn undo_activate(
    State(estate): Shared,
    Path((site, product)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    undo_request(&estate, &ACTIVATE, site, product, &headers).await
}

async fn host(State(estate): Shared, Path(hostname): Path<String>) -> Answer {
    verify::host(&estate, &hostname).await
}

async fn undo_rebuild(
    State(estate): Shared,
    Path((site, product)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    undo_request(&estate, &REBUILD, site, product, &headers).await
}

fn named(system: &str, operation: &str) -> Result<&'static Operation, Problem> {
    find(system, operation)
        .ok_or_else(|| Problem::not_found("unknown-operation", format!("`{system}` cannot `{operation}`")))
}

async fn site_request(
    estate: &Arc<Estate>,
    operation: &'static Operation,
    site: String,
    item: String,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let deleted_at = estate.deleted_site(&site)?;
    // A rebuild has no point of its own: it takes what the databases hold.
    let wants_point = operation.has_point() && operation.name != REBUILD.name;
    let point = if wants_point { Some(point_of(estate, &site, body, deleted_at)?) } else { None };
    let key = key(headers, KEY)?;
    let request = Request { operation, site, item, key, restore_point: point, undo: false, undoes: None };
    Ok(perform(estate, request).await?.into_response())
}

fn point_of(estate: &Estate, site: &str, body: &[u8], deleted_at: Millis) -> Result<Millis, Problem> {
    let moved = estate.subject(site).moved;
    restore_point(body, estate.base, deleted_at, moved.as_ref().map(|moved| moved.old.as_str()))
}

async fn undo_request(
    estate: &Arc<Estate>,
    operation: &'static Operation,
    site: String,
    item: String,
    headers: &HeaderMap,
) -> Answer {
    // A site that was never deleted has nothing that could be taken back.
    estate.undeletable_site(&site)?;
    Ok(perform(estate, back(operation, site, item, headers)?).await?.into_response())
}

/// The request that takes an operation back.
fn back(operation: &'static Operation, site: String, item: String, headers: &HeaderMap) -> Result<Request, Problem> {
    let (key, undoes) = (key(headers, KEY)?, key(headers, UNDOES)?);
    Ok(Request { operation, site, item, key, restore_point: None, undo: true, undoes })
}

/// Names this request: asked again with it, it is answered from memory.
const KEY: &str = "idempotency-key";
/// Names the request that this one takes back: nothing is done under that key any more.
const UNDOES: &str = "idempotency-undoes";

fn key(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Problem::unprocessable("malformed-key", format!("{name} wants 1 to 255 visible characters"))),
    }
}

/// The site and the vendor of an app.
fn app(estate: &Estate, id: &str) -> Result<(String, String), Problem> {
    match estate.denotes(id) {
        Some(Denotes::App { site, vendor }) => Ok((site, vendor)),
        Some(Denotes::Site { .. }) => {
            Err(Problem::unprocessable("wrong-kind", format!("{id} is the ID of a site, not of an app")))
        }
        None => Err(Problem::not_found("unknown-id", format!("no app {id}"))),
    }
}

fn at_vendor(estate: &Estate, vendor: &str, id: &str) -> Result<(), Problem> {
    let (_, owner) = app(estate, id)?;
    if owner == vendor {
        Ok(())
    } else {
        Err(Problem::unprocessable("wrong-vendor", format!("{id} is an app of {owner}, not of {vendor}")))
    }
}

async fn reinstall(
    State(estate): Shared,
    Path((vendor, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    at_vendor(&estate, &vendor, &id)?;
    reinstall_by_gateway(State(estate), Path(id), headers, body).await
}

async fn reinstall_by_gateway(
    State(estate): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let site = app(&estate, &id)?.0;
    if !estate.comes_back(&site) {
        // Of a site in use: the app was retired, and comes back.
        return at_its_vendor(&estate, &id, &headers, back(&UNINSTALL, site, id.clone(), &headers)?).await;
    }
    let request = Request {
        operation: &REINSTALL,
        restore_point: Some(point_of(&estate, &site, &body, estate.deleted_site(&site)?)?),
        undo: false,
        undoes: None,
        ..back(&REINSTALL, site, id.clone(), &headers)?
    };
    at_its_vendor(&estate, &id, &headers, request).await
}

async fn uninstall(State(estate): Shared, Path((vendor, id)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    at_vendor(&estate, &vendor, &id)?;
    uninstall_by_gateway(State(estate), Path(id), headers).await
}

async fn uninstall_by_gateway(State(estate): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let site = app(&estate, &id)?.0;
    let request = if estate.comes_back(&site) {
        back(&REINSTALL, site, id.clone(), &headers)?
    } else {
        Request { undo: false, ..back(&UNINSTALL, site, id.clone(), &headers)? }
    };
    at_its_vendor(&estate, &id, &headers, request).await
}

/// Carries a request out at the app's vendor, in whatever mood that is.
async fn at_its_vendor(estate: &Arc<Estate>, id: &str, headers: &HeaderMap, request: Request) -> Answer {
    let (_, vendor) = app(estate, id)?;
    let mood = estate.vendors.admit(&vendor, headers).await?;
    if mood == Mood::Down {
        return Err(unavailable());
    }
    let reply = perform(estate, request).await?;
    if mood == Mood::LostReply {
        return Err(lost());
    }
    Ok(reply.into_response())
}

async fn retire(State(estate): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let request = Request { undo: false, ..retirement(&estate, id, &headers)? };
    Ok(perform(&estate, request).await?.into_response())
}

async fn unretire(State(estate): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let request = retirement(&estate, id, &headers)?;
    Ok(perform(&estate, request).await?.into_response())
}

fn retirement(estate: &Estate, id: String, headers: &HeaderMap) -> Result<Request, Problem> {
    let site = app(estate, &id)?.0;
    if estate.comes_back(&site) {
        let message = format!("the site of {id} was deleted: its apps come back with it, or not at all");
        return Err(Problem::conflict("site-deleted", message));
    }
    back(&RETIRE, site, id, headers)
}

async fn installation(State(estate): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let (_, vendor) = app(&estate, &id)?;
    match estate.vendors.admit(&vendor, &headers).await? {
        Mood::Fine => verify::installation(&estate, &id).await,
        Mood::Down | Mood::LostReply => Err(unavailable()),
    }
}

async fn installation_at_vendor(
    State(estate): Shared,
    Path((vendor, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    at_vendor(&estate, &vendor, &id)?;
    installation(State(estate), Path(id), headers).await
}
