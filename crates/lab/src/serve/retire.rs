//! Retiring an app of a site in use: softly in the catalogue, then at its vendor, and back.
//!
//! Every change is a transaction of the estate's life and is logged, so what was retired on purpose is no difference.

use std::collections::BTreeMap;

use super::apply::{Request, discount, record};
use super::estate::Estate;
use super::problem::Problem;
use crate::log::{Change, Entry, Kind, encode, parse, record as write_log, tail};
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// Position of `state` in the catalogue's table of apps.
const STATE: usize = 4;
/// Position of that table in the catalogue.
const APPS: usize = 2;

/// Carries out a retirement or takes it back; gives the number of rows per table. The caller holds the transaction.
pub(super) async fn carry_out(
    estate: &Estate,
    conn: &mut Session,
    request: &Request,
) -> Result<BTreeMap<&'static str, usize>, Problem> {
    let (system, app) = (request.operation.system, request.item.as_str());
    let schema = estate.store(system)?.schema;
    let change = match (system, request.undo) {
        ("catalogue", undo) => mark(estate, conn, app, undo).await?,
        (_, false) => uninstall(estate, conn, app).await?,
        (_, true) => reinstall(conn, schema, app, &request.site).await?,
    };
    let table = request.operation.tables.first().copied().unwrap_or_default();
    let Some(change) = change else { return Ok(BTreeMap::from([(table, 0)])) };
    match &change {
        Change::Put { table, row } => sql::put(conn, &schema.tables[*table], row).await?,
        Change::Delete { table, key } => {
            let table = &schema.tables[*table];
            sql::execute(conn, &format!("DELETE FROM {} WHERE {}", table.name, table.key_match()), key).await?;
        }
    }
    let (seq, at) = tail(conn).await?;
    let changes = encode(schema, &[change]);
    let entry = Entry { seq: seq + 1, at, site: Some(request.site.clone()), kind: Kind::Life, changes };
    write_log(conn, &entry).await?;
    if request.undo {
        discount(conn, request.operation, &request.site, app).await?;
        const SQL: &str = "DELETE FROM lab_restores WHERE site = ? AND operation = ? AND item = ?";
        let done = [request.site.as_str().into(), request.operation.name.into(), app.into()];
        sql::execute(conn, SQL, &done).await?;
    } else {
        record(conn, request.operation, &request.site, app, None).await?;
    }
    Ok(BTreeMap::from([(table, 1)]))
}

/// Between `active` and `retired`; every other state is not for this call.
async fn mark(estate: &Estate, conn: &mut Session, app: &str, undo: bool) -> Result<Option<Change>, Problem> {
    let table = &crate::schema::CATALOGUE.tables[APPS];
    let row = sql::row(conn, &format!("{} WHERE id = ?", table.select()), &[app.into()]).await?;
    let mut row = row.ok_or_else(|| Problem::not_found("unknown-id", format!("no app {app}")))?;
    match (row.get(STATE).and_then(Value::as_text).unwrap_or_default(), undo) {
        ("active", false) => row[STATE] = "retired".into(),
        ("active", true) => return Ok(None),
        ("retired", true) => {
            if installed(&mut *estate.store("vendors")?.read.lock().await, app).await?.is_none() {
                let message = format!("the vendor does not have {app}: reinstall it first");
                return Err(Problem::conflict("out-of-order", message));
            }
            row[STATE] = "active".into();
        }
        ("retired", false) => {
            return Err(Problem::conflict("already-done", format!("{app} was retired before")));
        }
        (state, _) => return Err(Problem::conflict("app-not-in-use", format!("{app} is {state}"))),
    }
    Ok(Some(Change::Put { table: APPS, row }))
}

async fn installed(conn: &mut Session, app: &str) -> Result<Option<Row>, sqlx::Error> {
    sql::row(conn, "SELECT app_id FROM installations WHERE app_id = ?", &[app.into()]).await
}

async fn uninstall(estate: &Estate, conn: &mut Session, app: &str) -> Result<Option<Change>, Problem> {
    const SQL: &str = "SELECT count(*) FROM apps WHERE id = ? AND state = 'retired'";
    if sql::number(&mut *estate.store("catalogue")?.read.lock().await, SQL, &[app.into()]).await? == 0 {
        let message = format!("the catalogue has not retired {app}");
        return Err(Problem::conflict("out-of-order", message));
    }
    match installed(conn, app).await? {
        Some(key) => Ok(Some(Change::Delete { table: 0, key })),
        None => Err(Problem::conflict("already-done", format!("{app} was uninstalled before"))),
    }
}

/// As the vendor had it last.
async fn reinstall(
    conn: &mut Session,
    schema: &'static Schema,
    app: &str,
    site: &str,
) -> Result<Option<Change>, Problem> {
    if installed(conn, app).await?.is_some() {
        return Ok(None);
    }
    const SQL: &str = "SELECT changes FROM lab_log WHERE site = ? ORDER BY seq DESC";
    for entry in sql::rows(conn, SQL, &[site.into()]).await? {
        let changes = entry.first().and_then(Value::as_text).unwrap_or("[]");
        let changes = parse(schema, changes, schema.name)?;
        let last = changes.into_iter().rev().find(
            |change| matches!(change, Change::Put { row, .. } if row.first().and_then(Value::as_text) == Some(app)),
        );
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}
