//! Making a site in the place of a deleted one, with an ID of its own, and taking it away again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::apply::{Request, Then, discount, record};
use super::estate::Estate;
use super::operations::{BIRTHPLACE, Operation, PROVISIONING, UNDELETE, find};
use super::past::past;
use super::problem::Problem;
use super::undo::running;
use crate::clock::BASE;
use crate::moves::Move;
use crate::schema::CATALOGUE;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// Position of the table of sites in the catalogue, and of two of its columns.
const SITES: usize = 0;
const HOSTNAME: usize = 2;
const REGION: usize = 4;
const STATE: usize = 5;

/// Makes the site, or takes it away; gives what the answer says beside the usual. The caller holds the transaction.
pub(super) async fn carry_out(
    estate: &Estate,
    conn: &mut Session,
    request: &Request,
) -> Result<(BTreeMap<&'static str, usize>, Json, Then), Problem> {
    if request.undo {
        return take_away(estate, conn, request).await;
    }
    let old = request.site.as_str();
    if let Some(moved) = estate.replaced(old) {
        let message = format!("{} stands in for {old} already", moved.new);
        return Err(Problem::conflict("already-done", message));
    }
    if estate.is_done(old, UNDELETE.0, UNDELETE.1) {
        return Err(Problem::conflict("undeleted", format!("{old} is back under its own ID")));
    }
    let point = request.restore_point.unwrap_or(BASE);
    let before = past(conn, &CATALOGUE, old, Some(point)).await?;
    let record_of_old = before.into_iter().next().and_then(|rows| rows.into_iter().next());
    let Some(row) = record_of_old else {
        return Err(Problem::conflict("no-record", format!("the catalogue had no record of {old} then")));
    };
    let made = sql::number(conn, "SELECT count(*) FROM lab_moves WHERE old = ?", &[old.into()]).await?;
    let moved = Move::nth(estate.seed, old, made + 1, point, estate.apps_of(old));
    let mut row: Row = moved.renamed(row);
    let hostname = row.get(HOSTNAME).and_then(Value::as_text).unwrap_or_default().to_owned();
    (row[REGION], row[STATE]) = (BIRTHPLACE.into(), PROVISIONING.into());
    sql::insert(conn, &CATALOGUE.tables[SITES], &[row]).await?;
    const SQL: &str = "INSERT INTO lab_moves (new, old, restore_point, undone) VALUES (?, ?, ?, 0)";
    sql::execute(conn, SQL, &[moved.new.as_str().into(), old.into(), Value::Int(point)]).await?;
    record(conn, request.operation, &moved.new, "", Some(point)).await?;
    let more = json!({ "id": moved.new, "hostname": hostname, "region": BIRTHPLACE });
    Ok((BTreeMap::from([("sites", 1)]), more, Then::Moved(Arc::new(moved), true)))
}

async fn take_away(
    estate: &Estate,
    conn: &mut Session,
    request: &Request,
) -> Result<(BTreeMap<&'static str, usize>, Json, Then), Problem> {
    let Some(moved) = estate.replaced(&request.site) else {
        return Ok((BTreeMap::from([("sites", 0)]), json!({}), Then::Nothing));
    };
    let new = moved.new.as_str();
    let built_on = find(UNDELETE.0, UNDELETE.1).into_iter().flat_map(Operation::dependents);
    for other in built_on {
        if estate.is_done(new, other.system, other.name) || running(estate, other, new).await? {
            let message = format!("{}/{} of {new} builds on the site", other.system, other.name);
            return Err(Problem::conflict("out-of-order", message));
        }
    }
    let rows = sql::execute(conn, "DELETE FROM sites WHERE site_id = ?", &[new.into()]).await?;
    sql::execute(conn, "UPDATE lab_moves SET undone = 1 WHERE new = ?", &[new.into()]).await?;
    discount(conn, request.operation, new, "").await?;
    sql::execute(conn, "DELETE FROM lab_restores WHERE site = ?", &[new.into()]).await?;
    Ok((BTreeMap::from([("sites", rows as usize)]), json!({ "id": new }), Then::Moved(moved, false)))
}
