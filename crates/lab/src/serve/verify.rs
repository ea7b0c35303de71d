//! What validation reads: whether a service holds of a site what its history says it should.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, json};

use super::apply::answer;
use super::estate::{Denotes, Estate};
use super::moved::due;
use super::problem::Problem;
use super::rebuild;
use crate::clock::{Millis, rfc3339};
use crate::diff::digest;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// `GET /catalogue/ids/{id}`: what an ID denotes and in what state that is.
pub(super) async fn lookup(estate: &Estate, id: &str) -> Result<Response, Problem> {
    let denotes =
        estate.denotes(id).ok_or_else(|| Problem::not_found("unknown-id", format!("nothing has the ID {id}")))?;
    let store = estate.store("catalogue")?;
    let mut conn = store.read.lock().await;
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).map(str::to_owned);
    let body = match denotes {
        Denotes::Site { shard, .. } => {
            const SQL: &str = "SELECT state, name, region, deleted_at FROM sites WHERE site_id = ?";
            let row = sql::row(&mut conn, SQL, &[id.into()]).await?.unwrap_or_default();
            let restored_to = restored_to(&mut conn, id).await?;
            json!({
                "id": id, "kind": "site", "state": text(&row, 0), "name": text(&row, 1), "shard": shard,
                "region": text(&row, 2), "deleted_at": text(&row, 3), "restored_to": restored_to.map(rfc3339),
                "replaces": estate.subject(id).moved.map(|moved| moved.old.clone()),
                "replaced_by": estate.replaced(id).map(|moved| moved.new.clone()),
            })
        }
        Denotes::App { site, vendor } => {
            let row = sql::row(&mut conn, "SELECT state FROM apps WHERE id = ?", &[id.into()]).await?;
            let state = row.and_then(|row| text(&row, 0));
            json!({ "id": id, "kind": "app", "state": state, "site": site, "vendor": vendor })
        }
    };
    Ok(answer(StatusCode::OK, body))
}

/// `GET /catalogue/count`: how many sites and apps are in use.
pub(super) async fn count(estate: &Estate) -> Result<Response, Problem> {
    let mut conn = estate.store("catalogue")?.read.lock().await;
    let sites = sql::number(&mut conn, "SELECT count(*) FROM sites WHERE state = 'active'", &[]).await?;
    let apps = sql::number(&mut conn, "SELECT count(*) FROM apps WHERE state = 'active'", &[]).await?;
    Ok(answer(StatusCode::OK, json!({ "active_sites": sites, "active_apps": apps })))
}

async fn restored_to(conn: &mut Session, site: &str) -> Result<Option<Millis>, sqlx::Error> {
    const SQL: &str = "SELECT min(restore_point) FROM lab_restores WHERE site = ? AND restore_point IS NOT NULL";
    Ok(sql::row(conn, SQL, &[site.into()]).await?.and_then(|row| row.first().and_then(Value::as_int)))
}

/// `GET /{system}/sites/{site}`: rows held and expected per table, and whether they are equal.
pub(super) async fn site(estate: &Estate, system: &str, site: &str) -> Result<Response, Problem> {
    estate.site(site)?;
    let store = estate.store(system)?;
    let mut conn = store.read.lock().await;
    let point = restored_to(&mut conn, site).await?;
    let subject = estate.subject(site);
    // Before its restore, a deleted site should hold what it held last; a rebuilt index has no point.
    let until = match &subject.moved {
        Some(moved) => point.or(Some(moved.point)),
        None => point.or_else(|| estate.deleted.get(site).map(|at| at - 1)),
    };
    let wanted = due(&mut conn, store.schema, &subject, until).await?;
    let (mut rows, mut expected, mut equal) = (Map::new(), Map::new(), Map::new());
    let mut held = Vec::new();
    for (table, wanted) in store.schema.tables.iter().zip(&wanted) {
        let order = table.names()[..table.key].join(", ");
        let query = format!("{} WHERE site_id = ? ORDER BY {order}", table.select());
        let mut found = sql::rows(&mut conn, &query, &[site.into()]).await?;
        if subject.moved.is_some() {
            found.sort();
        }
        rows.insert(table.name.to_owned(), found.len().into());
        expected.insert(table.name.to_owned(), wanted.len().into());
        // Whether the route is open is for `edge/open`; the history knows only open ones.
        let same = match system {
            "edge" | "search" => found.len() == wanted.len(),
            _ => found == *wanted,
        };
        equal.insert(table.name.to_owned(), same.into());
        held.push(found);
    }
    drop(conn);
    let mut complete = equal.values().all(|same| *same == true);
    let all: usize = held.iter().map(Vec::len).sum();
    let mut body = json!({
        "site": site, "restored_to": point.map(rfc3339), "rows": rows, "expected": expected, "equal": equal, "held": all,
    });
    match system {
        "edge" => {
            let state = held[0].first().and_then(|row| row.get(3)).and_then(Value::as_text);
            body["state"] = state.unwrap_or("closed").into();
        }
        "media" => {
            let missing = missing_objects(estate, &held[0])?;
            complete &= missing == 0;
            body["objects_missing"] = missing.into();
        }
        "search" if !held[0].is_empty() => {
            let mut stale = 0;
            for row in &held[0] {
                let product = row.get(1).and_then(Value::as_text).unwrap_or("");
                stale += usize::from(rebuild::derive(estate, site, product).await? != *row);
            }
            complete &= stale == 0;
            body["stale"] = stale.into();
        }
        "catalogue" => {
            let state = held[0].first().and_then(|row| row.get(5)).and_then(Value::as_text);
            body["state"] = state.into();
        }
        _ => {}
    }
    body["complete"] = complete.into();
    Ok(answer(StatusCode::OK, body))
}

/// `GET /edge/hosts/{hostname}`: the site to which a hostname leads.
pub(super) async fn host(estate: &Estate, hostname: &str) -> Result<Response, Problem> {
    const SQL: &str = "SELECT site_id, region, state FROM routes WHERE hostname = ?";
    let row = sql::row(&mut *estate.store("edge")?.read.lock().await, SQL, &[hostname.into()]).await?;
    let row = row.ok_or_else(|| Problem::not_found("unknown-host", format!("{hostname} leads nowhere")))?;
    let text = |i: usize| row.get(i).and_then(Value::as_text);
    let body = json!({ "hostname": hostname, "site": text(0), "region": text(1), "state": text(2) });
    Ok(answer(StatusCode::OK, body))
}

fn missing_objects(estate: &Estate, mapping: &[Row]) -> Result<usize, Problem> {
    let mut missing = 0;
    for row in mapping {
        if let (Some(path), Some(hash)) = (row[2].as_text(), row[5].as_text()) {
            let found = digest(&estate.layout.objects().join(path))?;
            missing += usize::from(found.as_deref() != Some(hash));
        }
    }
    Ok(missing)
}

/// `GET /vendors/{vendor}/apps/{app}`: the vendor's installation of an app.
pub(super) async fn installation(estate: &Estate, app: &str) -> Result<Response, Problem> {
    let store = estate.store("vendors")?;
    const SQL: &str = "SELECT vendor, version, settings FROM installations WHERE app_id = ?";
    let row = sql::row(&mut *store.read.lock().await, SQL, &[app.into()]).await?;
    let text = |i: usize| row.as_ref().and_then(|row| row.get(i)).and_then(Value::as_text);
    let state = if row.is_some() { "installed" } else { "absent" };
    let body = json!({
        "app": app, "state": state, "vendor": text(0), "version": text(1), "settings": text(2),
    });
    Ok(answer(StatusCode::OK, body))
}
