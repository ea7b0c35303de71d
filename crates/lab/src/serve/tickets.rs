//! What customers report: a site that was never deleted and has lost something that it should have kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::apply::answer;
use super::estate::Estate;
use super::problem::Problem;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// The tickets lie in the catalogue's store. `raised` ones come from a test's hand and are closed by it.
pub(super) const DDL: &str = "CREATE TABLE IF NOT EXISTS lab_tickets (\
    id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, what TEXT NOT NULL, raised INTEGER NOT NULL, open INTEGER NOT NULL)";

/// `GET /support/tickets?since=N`: open tickets above number N, after a look at every site.
///
/// The books are kept in a task of its own: a client that goes away does not cut the transaction in two.
pub(super) async fn list(estate: &Arc<Estate>, query: Option<&str>) -> Result<Response, Problem> {
    let since = query.and_then(|query| query.split('&').find_map(|part| part.strip_prefix("since=")));
    let since: i64 = match since {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| {
            Problem::unprocessable("malformed-since", format!("since: `{text}` is not the `last` of an earlier answer"))
        })?,
    };
    let estate = Arc::clone(estate);
    let task = estate.tasks.clone().spawn(async move { look(&estate, since).await });
    task.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))
}

async fn look(estate: &Estate, since: i64) -> Result<Response, Problem> {
    let lost = lost(estate).await?;
    let mut conn = estate.store("catalogue")?.write.lock().await;
    sql::begin(&mut conn).await?;
    let kept = keep_books(&mut conn, &lost).await;
    let end = if kept.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sql::script(&mut conn, end.to_owned()).await?;
    kept?;
    const OPEN: &str = "SELECT id, site, what FROM lab_tickets WHERE open = 1 AND id > ? ORDER BY id";
    let open = sql::rows(&mut conn, OPEN, &[Value::Int(since)]).await?;
    let last = sql::number(&mut conn, "SELECT max(id) FROM lab_tickets", &[]).await?;
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).unwrap_or_default().to_owned();
    let tickets: Vec<Json> = open
        .iter()
        .take(20)
        .map(|row| json!({ "id": row.first().and_then(Value::as_int), "site": text(row, 1), "what": text(row, 2) }))
        .collect();
    Ok(answer(StatusCode::OK, json!({ "open": open.len(), "last": last, "tickets": tickets })))
}

/// `POST /lab/tickets` with `{"raise": n}` or `{"close": true}`: a test's hand.
pub(super) async fn raise(estate: &Estate, body: &[u8]) -> Result<Response, Problem> {
    let body: Json =
        serde_json::from_slice(body).map_err(|e| Problem::unprocessable("malformed-body", e.to_string()))?;
    let mut conn = estate.store("catalogue")?.write.lock().await;
    if body.get("close").and_then(Json::as_bool) == Some(true) {
        sql::execute(&mut conn, "UPDATE lab_tickets SET open = 0 WHERE raised = 1", &[]).await?;
    }
    const SQL: &str = "INSERT INTO lab_tickets (site, what, raised, open) VALUES ('', 'raised by hand', 1, 1)";
    for _ in 0..body.get("raise").and_then(Json::as_u64).unwrap_or_default().min(10_000) {
        sql::execute(&mut conn, SQL, &[]).await?;
    }
    let open = sql::number(&mut conn, "SELECT count(*) FROM lab_tickets WHERE open = 1", &[]).await?;
    Ok(answer(StatusCode::OK, json!({ "open": open })))
}

/// One open ticket per site that lost something; closed when it is whole again.
async fn keep_books(conn: &mut Session, lost: &BTreeMap<String, String>) -> Result<(), Problem> {
    let open = sql::rows(conn, "SELECT site, id FROM lab_tickets WHERE open = 1 AND raised = 0", &[]).await?;
    let open: HashMap<&str, &Value> =
        open.iter().filter_map(|row| Some((row.first()?.as_text()?, row.get(1)?))).collect();
    for (_, id) in open.iter().filter(|(site, _)| !lost.contains_key(**site)) {
        sql::execute(conn, "UPDATE lab_tickets SET open = 0 WHERE id = ?", std::slice::from_ref(*id)).await?;
    }
    const SQL: &str = "INSERT INTO lab_tickets (site, what, raised, open) VALUES (?, ?, 0, 1)";
    for (site, what) in lost.iter().filter(|(site, _)| !open.contains_key(site.as_str())) {
        sql::execute(conn, SQL, &[site.as_str().into(), what.as_str().into()]).await?;
    }
    Ok(())
}

/// The sites in use that lost something, each with the first thing that its customer would name.
async fn lost(estate: &Estate) -> Result<BTreeMap<String, String>, Problem> {
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).unwrap_or_default().to_owned();
    let list = async |system: &str, query: &str| -> Result<Vec<Row>, Problem> {
        Ok(sql::rows(&mut *estate.store(system)?.read.lock().await, query, &[]).await?)
    };
    let set = async |system: &str, query: &str| -> Result<HashSet<String>, Problem> {
        Ok(list(system, query).await?.iter().map(|row| text(row, 0)).collect())
    };
    let sites = list("catalogue", "SELECT site_id, state FROM sites WHERE state <> 'tombstone'").await?;
    let apps = list("catalogue", "SELECT id, site_id, state FROM apps WHERE state <> 'retired'").await?;
    let routes = set("edge", "SELECT site_id FROM routes WHERE state = 'open'").await?;
    let people = set("identity", "SELECT DISTINCT site_id FROM users").await?;
    let installed = set("vendors", "SELECT app_id FROM installations").await?;
    let mut held = HashSet::new();
    for shard in estate.shards.values() {
        let rows = sql::rows(shard.lock().await.tested().await?, "SELECT site_id FROM sites", &[]).await?;
        held.extend(rows.iter().map(|row| text(row, 0)));
    }
    let mut lost = BTreeMap::new();
    for row in &sites {
        let (site, state) = (text(row, 0), text(row, 1));
        if estate.comes_back(&site) {
            continue;
        }
        let what = if state != "active" {
            format!("the site is {state}")
        } else if !routes.contains(&site) {
            "the site is not reachable".to_owned()
        } else if !held.contains(&site) {
            "the products are gone".to_owned()
        } else if !people.contains(&site) {
            "nobody can log in".to_owned()
        } else {
            let gone = apps
                .iter()
                .find(|app| text(app, 1) == site && (text(app, 2) != "active" || !installed.contains(&text(app, 0))));
            match gone {
                Some(app) => format!("the app {} is gone", text(app, 0)),
                None => continue,
            }
        };
        lost.insert(site, what);
    }
    Ok(lost)
}
