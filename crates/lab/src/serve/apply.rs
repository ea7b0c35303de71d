//! The one way in which a service changes its store: effect, count of effects, restore point and
//! the answer to the idempotency key, all in one transaction.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as JsonValue, json};

use super::estate::{Estate, Store};
use super::moved::Subject;
use super::operations::{APPS, Operation, UNDELETE, Way};
use super::past::effect;
use super::problem::Problem;
use super::{jobs, rebuild, replace, retire, undo};
use crate::clock::{BASE, Millis, parse as parse_time, rfc3339};
use crate::moves::Move;
use crate::sql::{self, Session};
use crate::value::Value;

/// One mutating request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) operation: &'static Operation,
    pub(super) site: String,
    /// The product or app, where there is one per site and item; else empty.
    pub(super) item: String,
    pub(super) key: Option<String>,
    pub(super) restore_point: Option<Millis>,
    /// The operation is to be taken back.
    pub(super) undo: bool,
    /// The key of the request that is taken back, if the caller says so.
    pub(super) undoes: Option<String>,
}

/// What follows once a request's transaction is committed.
#[derive(Debug)]
pub(super) enum Then {
    Nothing,
    /// Starts a job that is written down.
    Job(jobs::Job),
    /// Remembers that the operation is done, or is no longer.
    Done(bool),
    /// Remembers a site that stands in for another, or that it does no longer.
    Moved(Arc<Move>, bool),
}

/// An answer that is kept under the idempotency key.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    location: Option<String>,
    body: String,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response();
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// Reads `restore_point` out of a body; it must lie between the full backup (`base`) and the deletion. A site that stands
/// in for another (`source`) must say whose records it gets.
pub(super) fn restore_point(
    body: &[u8],
    base: Millis,
    deleted_at: Millis,
    source: Option<&str>,
) -> Result<Millis, Problem> {
    let body: JsonValue =
        serde_json::from_slice(body).map_err(|e| Problem::unprocessable("malformed-body", e.to_string()))?;
    let from = body.get("from").and_then(JsonValue::as_str);
    if from != source {
        let message = match source {
            Some(source) => format!("this site stands in for {source}: the body must say `from` with that ID"),
            None => "`from` is for a site that stands in for another".to_owned(),
        };
        return Err(Problem::unprocessable("wrong-source", message));
    }
    let text = body
        .get("restore_point")
        .and_then(JsonValue::as_str)
        .ok_or_else(|| Problem::unprocessable("restore-point-missing", "the body must say `restore_point`"))?;
    let at = parse_time(text)
        .ok_or_else(|| Problem::unprocessable("restore-point-malformed", format!("`{text}` is not RFC 3339")))?;
    if at >= deleted_at {
        let message = format!("{text} is not before the deletion at {}", rfc3339(deleted_at));
        return Err(Problem::unprocessable("restore-point-after-deletion", message));
    }
    if at < base {
        let message = format!("{text} is before the history of this service, which begins at {}", rfc3339(base));
        return Err(Problem::unprocessable("restore-point-too-early", message));
    }
    Ok(at)
}

/// Carries out a request, once per idempotency key.
///
/// Runs in a task of its own: a client that goes away does not cut the transaction in two.
pub(super) async fn perform(estate: &Arc<Estate>, request: Request) -> Result<Reply, Problem> {
    let estate = Arc::clone(estate);
    let task = estate.tasks.clone().spawn(async move { transact(&estate, &request).await });
    task.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

async fn transact(estate: &Arc<Estate>, request: &Request) -> Result<Reply, Problem> {
    let operation = request.operation;
    let store = estate.store(operation.system)?;
    // The segment is computed from a shard; no need to hold the store meanwhile.
    let mut conn = store.write.lock().await;
    sql::begin(&mut conn).await?;
    let outcome = decide(estate, store, &mut conn, request).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sql::script(&mut conn, end.to_owned()).await?;
    drop(conn);
    let (reply, then) = outcome?;
    match then {
        Then::Job(job) => jobs::start(estate, job),
        Then::Done(done) => estate.set_done(&request.site, operation.system, operation.name, done),
        Then::Moved(moved, there) => {
            estate.set_done(&moved.new, operation.system, operation.name, there);
            estate.set_moved(moved, there);
        }
        Then::Nothing => {}
    }
    Ok(reply)
}

async fn decide(
    estate: &Estate,
    store: &Store,
    conn: &mut Session,
    request: &Request,
) -> Result<(Reply, Then), Problem> {
    let operation = request.operation;
    if let Some(reply) = stored(conn, request).await? {
        return Ok((reply, Then::Nothing));
    }
    if matches!(operation.way, Way::Retire | Way::Replace) || request.undo {
        let (rows, more, then) = match operation.way {
            Way::Retire => (retire::carry_out(estate, conn, request).await?, json!({}), Then::Nothing),
            Way::Replace => replace::carry_out(estate, conn, request).await?,
            _ => {
                let (rows, then) = undo::take_back(estate, store, conn, request).await?;
                (rows, json!({}), then)
            }
        };
        if let Some(undoes) = &request.undoes {
            forbid(conn, undoes).await?;
        }
        let name = if request.undo { format!("undo/{}", operation.name) } else { operation.name.to_owned() };
        let mut body = json!({ "site": request.site, "operation": name, "item": request.item, "rows": rows });
        if let (Some(body), JsonValue::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let reply = Reply { status: 200, location: None, body: body.to_string() };
        keep(conn, request, &reply).await?;
        return Ok((reply, then));
    }
    let subject = estate.subject(&request.site);
    possible(estate, operation, &subject)?;
    for (system, name) in operation.needs_of(subject.moved.is_some()) {
        if !estate.is_done(&request.site, system, name) {
            let message =
                format!("{}/{} comes after {system}/{name} of {}", operation.system, operation.name, request.site);
            return Err(Problem::conflict("out-of-order", message));
        }
    }
    let known = [request.site.as_str().into(), operation.name.into(), request.item.as_str().into()];
    const DONE: &str = "SELECT count(*) FROM lab_restores WHERE site = ? AND operation = ? AND item = ?";
    if sql::number(conn, DONE, &known).await? > 0 {
        let message = format!("{}/{} of {} was done before", operation.system, operation.name, request.site);
        return Err(Problem::conflict("already-done", message));
    }
    let point = request.restore_point.unwrap_or(BASE);
    if operation.way == Way::Job {
        let job = jobs::insert(conn, operation, &request.site, point).await?;
        let body = json!({ "job": job.id, "state": "running" });
        let location = Some(format!("{}/identity/jobs/{}", estate.base_url, job.id));
        let reply = Reply { status: 202, location, body: body.to_string() };
        keep(conn, request, &reply).await?;
        return Ok((reply, Then::Job(job)));
    }
    let rows = if operation.name == "rebuild" {
        rebuild::segment(estate, conn, &request.site, &request.item).await?
    } else {
        effect(conn, store.schema, operation, &subject, &request.item, point).await?
    };
    record(conn, operation, &request.site, &request.item, request.restore_point).await?;
    let mut body = json!({
        "site": request.site, "operation": operation.name,
        "restore_point": request.restore_point.map(rfc3339), "rows": rows,
    });
    if let Some(moved) = &subject.moved {
        body["from"] = moved.old.as_str().into();
        if (operation.system, operation.name) == APPS {
            body["ids"] = json!(moved.apps);
        }
    }
    let reply = Reply { status: 200, location: None, body: body.to_string() };
    keep(conn, request, &reply).await?;
    Ok((reply, Then::Done(true)))
}

/// Insists that the operation makes sense for the site.
fn possible(estate: &Estate, operation: &Operation, subject: &Subject) -> Result<(), Problem> {
    let site = &subject.site;
    if operation.is_for_moved() && subject.moved.is_none() {
        let message = format!("{}/{} is for sites that stand in for another", operation.system, operation.name);
        return Err(Problem::conflict("not-a-stand-in", message));
    }
    if (operation.system, operation.name) == UNDELETE {
        if subject.moved.is_some() {
            return Err(Problem::conflict(
                "never-deleted",
                format!("{site} stands in for another and was never deleted"),
            ));
        }
        if let Some(moved) = estate.replaced(site) {
            return Err(Problem::conflict("replaced", format!("{} stands in for {site}", moved.new)));
        }
    }
    Ok(())
}

/// Counts the effect and remembers the restore point. The caller holds the transaction.
pub(super) async fn record(
    conn: &mut Session,
    operation: &Operation,
    site: &str,
    item: &str,
    point: Option<Millis>,
) -> Result<(), sqlx::Error> {
    const EFFECT: &str = "INSERT INTO lab_effects (system, operation, site, item, count) VALUES (?, ?, ?, ?, 1) \
        ON CONFLICT DO UPDATE SET count = count + 1";
    const POINT: &str =
        "INSERT OR REPLACE INTO lab_restores (site, operation, item, restore_point) VALUES (?, ?, ?, ?)";
    let name = Value::from(operation.name);
    let effect = [operation.system.into(), name.clone(), site.into(), item.into()];
    sql::execute(conn, EFFECT, &effect).await?;
    sql::execute(conn, POINT, &[site.into(), name, item.into(), point.into()]).await?;
    Ok(())
}

/// Takes an effect out of the count: it was taken back. The caller holds the transaction.
pub(super) async fn discount(
    conn: &mut Session,
    operation: &Operation,
    site: &str,
    item: &str,
) -> Result<(), sqlx::Error> {
    const LESS: &str =
        "UPDATE lab_effects SET count = count - 1 WHERE system = ? AND operation = ? AND site = ? AND item = ?";
    let effect = [operation.system.into(), operation.name.into(), site.into(), item.into()];
    sql::execute(conn, LESS, &effect).await?;
    sql::execute(conn, "DELETE FROM lab_effects WHERE site = ? AND count <= 0", &[site.into()]).await.map(drop)
}

/// Whatever was or will be asked under this key is refused from now on: it was taken back.
async fn forbid(conn: &mut Session, key: &str) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO lab_replies (key, request, status, location, body) VALUES (?, ?, 409, NULL, ?) \
        ON CONFLICT (key) DO UPDATE SET request = excluded.request, status = 409, location = NULL, body = excluded.body";
    let message = format!("what was asked under the key `{key}` was taken back");
    let body = json!({ "error": { "code": "undone", "message": message } }).to_string();
    sql::execute(conn, SQL, &[key.into(), ANY.into(), body.into()]).await.map(drop)
}

/// Stands for every request under a key.
const ANY: &str = "*";

async fn stored(conn: &mut Session, request: &Request) -> Result<Option<Reply>, Problem> {
    let Some(key) = &request.key else {
        return Ok(None);
    };
    const SQL: &str = "SELECT request, status, location, body FROM lab_replies WHERE key = ?";
    let Some(row) = sql::row(conn, SQL, &[key.as_str().into()]).await? else {
        return Ok(None);
    };
    let text = |i: usize| row.get(i).and_then(Value::as_text).map(str::to_owned);
    if text(0) != Some(fingerprint(request)) && text(0).as_deref() != Some(ANY) {
        let message = format!("the key `{key}` was used for another request");
        return Err(Problem::unprocessable("key-reused", message));
    }
    let status = row.get(1).and_then(Value::as_int).and_then(|n| u16::try_from(n).ok()).unwrap_or(200);
    Ok(Some(Reply { status, location: text(2), body: text(3).unwrap_or_default() }))
}

async fn keep(conn: &mut Session, request: &Request, reply: &Reply) -> Result<(), sqlx::Error> {
    let Some(key) = &request.key else {
        return Ok(());
    };
    const SQL: &str = "INSERT INTO lab_replies (key, request, status, location, body) VALUES (?, ?, ?, ?, ?)";
    let values = [
        key.as_str().into(),
        fingerprint(request).into(),
        Value::Int(i64::from(reply.status)),
        reply.location.clone().into(),
        reply.body.as_str().into(),
    ];
    sql::execute(conn, SQL, &values).await.map(drop)
}

fn fingerprint(request: &Request) -> String {
    let operation = request.operation;
    let point = request.restore_point.map(rfc3339).unwrap_or_default();
    let undo = if request.undo { "undo " } else { "" };
    format!("{undo}{}/{} {} {} {point}", operation.system, operation.name, request.site, request.item)
}

/// A JSON answer that is not kept.
pub(super) fn answer(status: StatusCode, body: JsonValue) -> Response {
    (status, Json(body)).into_response()
}
