//! The paths of the services and what they take out of a request.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::apply::{Request, answer, perform, restore_point};
use super::estate::{Denotes, Estate};
use super::operations::{Operation, REBUILD, REINSTALL, find};
use super::problem::Problem;
use super::vendors::{Mood, unavailable};
use super::{jobs, verify};

type Shared = State<Arc<Estate>>;
type Answer = Result<Response, Problem>;

pub(super) fn router(estate: Arc<Estate>) -> Router {
    Router::new()
        .route("/", get(async || answer(StatusCode::OK, json!({ "estate": "lab", "state": "up" }))))
        .route("/catalogue/ids/{id}", get(lookup))
        .route("/{system}/sites/{site}", get(verify_site))
        .route("/{system}/sites/{site}/{operation}", post(operate))
        .route("/search/sites/{site}/rebuild/{product}", post(rebuild))
        .route("/identity/jobs/{job}", get(poll))
        .route("/vendors/apps/{app}", get(installation))
        .route("/vendors/apps/{app}/reinstall", post(reinstall_by_gateway))
        .route("/vendors/{vendor}/apps/{app}", get(installation_at_vendor))
        .route("/vendors/{vendor}/apps/{app}/reinstall", post(reinstall))
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

async fn operate(
    State(estate): Shared,
    Path((system, site, operation)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let operation = find(&system, &operation)
        .ok_or_else(|| Problem::not_found("unknown-operation", format!("`{system}` cannot `{operation}`")))?;
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
    let point = if wants_point { Some(restore_point(body, deleted_at)?) } else { None };
    let request = Request { operation, site, item, key: key(headers)?, restore_point: point };
    Ok(perform(estate, request).await?.into_response())
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Problem::unprocessable("malformed-key", "Idempotency-Key wants 1 to 255 visible characters")),
    }
}

fn app<'a>(estate: &'a Estate, id: &str) -> Result<(&'a str, &'a str), Problem> {
    match estate.ids.get(id) {
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
    let (site, vendor) = app(&estate, &id)?;
    let mood = estate.vendors.admit(vendor, &headers).await?;
    if mood == Mood::Down {
        return Err(unavailable());
    }
    let deleted_at = estate.deleted_site(site)?;
    let request = Request {
        operation: &REINSTALL,
        site: site.to_owned(),
        restore_point: Some(restore_point(&body, deleted_at)?),
        key: key(&headers)?,
        item: id,
    };
    let reply = perform(&estate, request).await?;
    if mood == Mood::LostReply {
        return Err(unavailable());
    }
    Ok(reply.into_response())
}

async fn installation(State(estate): Shared, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let (_, vendor) = app(&estate, &id)?;
    match estate.vendors.admit(vendor, &headers).await? {
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
