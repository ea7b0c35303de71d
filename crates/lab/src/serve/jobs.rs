//! The identity service's slow synchronisations: accepted at once, done later, surviving a restart.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::apply::{answer, record};
use super::estate::Estate;
use super::moved::Subject;
use super::operations::{Operation, find};
use super::past::effect;
use super::problem::Problem;
use crate::clock::Millis;
use crate::random::Random;
use crate::sql::{self, Session};
use crate::value::Value;

/// An accepted synchronisation.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: i64,
    operation: &'static Operation,
    site: String,
    point: Millis,
}

/// Writes the job down; the caller holds the transaction and calls [`start`] after its commit.
pub(super) async fn insert(
    conn: &mut Session,
    operation: &'static Operation,
    site: &str,
    point: Millis,
) -> Result<Job, Problem> {
    const OTHER: &str = "SELECT id FROM lab_jobs WHERE site = ? AND operation = ? AND state = 'running'";
    let which = [site.into(), operation.name.into()];
    if let Some([Value::Int(id)]) = sql::row(conn, OTHER, &which).await?.as_deref() {
        let message = format!("job {id} is doing {} of {site}", operation.name);
        return Err(Problem::conflict("already-running", message));
    }
    const SQL: &str =
        "INSERT INTO lab_jobs (site, operation, restore_point, state) VALUES (?, ?, ?, 'running') RETURNING id";
    let values = [site.into(), operation.name.into(), Value::Int(point)];
    let id = sql::number(conn, SQL, &values).await?;
    Ok(Job { id, operation, site: site.to_owned(), point })
}

/// Starts a job that is written down.
pub(super) fn start(estate: &Arc<Estate>, job: Job) {
    let estate = Arc::clone(estate);
    estate.tasks.clone().spawn(async move {
        let pause = 30 + Random::new(estate.seed, &format!("job {}", job.id)).below(90);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            // It is written down and starts again with the next server.
            () = estate.cancel.cancelled() => return,
        }
        match finish(&estate, &job).await {
            Ok(true) => estate.set_done(&job.site, "identity", job.operation.name, true),
            Ok(false) => tracing::debug!(job = job.id, "a job was taken back before it began"),
            Err(problem) => tracing::error!(job = job.id, ?problem, "a job failed"),
        }
    });
}

/// Starts again whatever was running when the last server ended.
pub(super) async fn restart(estate: &Arc<Estate>) -> Result<(), Problem> {
    const SQL: &str = "SELECT id, site, operation, restore_point FROM lab_jobs WHERE state = 'running'";
    let store = estate.store("identity")?;
    let rows = sql::rows(&mut *store.write.lock().await, SQL, &[]).await?;
    for row in rows {
        if let [Value::Int(id), Value::Text(site), Value::Text(name), Value::Int(point)] = row.as_slice()
            && let Some(operation) = find("identity", name)
        {
            start(estate, Job { id: *id, operation, site: site.clone(), point: *point });
        }
    }
    Ok(())
}

/// Carries a job out, unless it was taken back meanwhile.
async fn finish(estate: &Estate, job: &Job) -> Result<bool, Problem> {
    let store = estate.store("identity")?;
    let mut conn = store.write.lock().await;
    sql::begin(&mut conn).await?;
    let outcome = run(&mut conn, store.schema, &estate.subject(&job.site), job).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sql::script(&mut conn, end.to_owned()).await?;
    if let Err(problem) = &outcome {
        const SQL: &str = "UPDATE lab_jobs SET state = 'failed', body = ? WHERE id = ?";
        let body = json!({ "error": format!("{problem:?}") }).to_string();
        sql::execute(&mut conn, SQL, &[body.into(), Value::Int(job.id)]).await?;
    }
    outcome
}

async fn run(
    conn: &mut Session,
    schema: &'static crate::schema::Schema,
    subject: &Subject,
    job: &Job,
) -> Result<bool, Problem> {
    const STATE: &str = "SELECT count(*) FROM lab_jobs WHERE id = ? AND state = 'running'";
    if sql::number(conn, STATE, &[Value::Int(job.id)]).await? == 0 {
        return Ok(false);
    }
    let rows = effect(conn, schema, job.operation, subject, "", job.point).await?;
    record(conn, job.operation, &job.site, "", Some(job.point)).await?;
    const SQL: &str = "UPDATE lab_jobs SET state = 'done', body = ? WHERE id = ?";
    let body = json!(rows).to_string();
    sql::execute(conn, SQL, &[body.into(), Value::Int(job.id)]).await?;
    Ok(true)
}

/// 202 while the job runs, 200 when it is done, 409 when it failed or was taken back.
pub(super) async fn poll(estate: &Estate, id: &str) -> Result<Response, Problem> {
    let missing = || Problem::not_found("unknown-job", format!("no job {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    let store = estate.store("identity")?;
    const SQL: &str = "SELECT site, operation, state, body FROM lab_jobs WHERE id = ?";
    let row = sql::row(&mut *store.read.lock().await, SQL, &[Value::Int(number)]).await?;
    let row = row.ok_or_else(missing)?;
    let text = |i: usize| row.get(i).and_then(Value::as_text);
    let rows: Json = text(3).and_then(|body| serde_json::from_str(body).ok()).unwrap_or(Json::Null);
    let status = match text(2) {
        Some("running") => StatusCode::ACCEPTED,
        Some("done") => StatusCode::OK,
        _ => StatusCode::CONFLICT,
    };
    let body = json!({
        "job": number, "site": text(0), "operation": text(1), "state": text(2), "rows": rows,
    });
    Ok(answer(status, body))
}
