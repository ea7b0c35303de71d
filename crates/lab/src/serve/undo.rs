//! Taking an operation back: the site's rows in that store are again as the damage left them.

use std::collections::BTreeMap;

use super::apply::{Request, Then, discount};
use super::estate::{Estate, Store};
use super::moved::Subject;
use super::operations::{Operation, Way};
use super::past::past;
use super::problem::Problem;
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::Value;

type Rows = BTreeMap<&'static str, usize>;

/// Takes back what the request's operation did; nothing, if it was not done. The caller holds the transaction.
pub(super) async fn take_back(
    estate: &Estate,
    store: &Store,
    conn: &mut Session,
    request: &Request,
) -> Result<(Rows, Then), Problem> {
    let operation = request.operation;
    let (site, item) = (request.site.as_str(), request.item.as_str());
    let nothing = || operation.tables.iter().map(|table| (*table, 0)).collect::<Rows>();
    if operation.way == Way::Job {
        // One that has not begun never will.
        const SQL: &str = "UPDATE lab_jobs SET state = 'undone' WHERE site = ? AND operation = ? AND state = 'running'";
        sql::execute(conn, SQL, &[site.into(), operation.name.into()]).await?;
    }
    let known = [site.into(), operation.name.into(), item.into()];
    const DONE: &str = "SELECT count(*) FROM lab_restores WHERE site = ? AND operation = ? AND item = ?";
    if sql::number(conn, DONE, &known).await? == 0 {
        return Ok((nothing(), Then::Nothing));
    }
    for other in operation.dependents() {
        if estate.is_done(site, other.system, other.name) || running(estate, other, site).await? {
            let message =
                format!("{}/{} of {site} builds on {}/{}", other.system, other.name, operation.system, operation.name);
            return Err(Problem::conflict("out-of-order", message));
        }
    }
    let subject = estate.subject(site);
    let rows = restore_damage(conn, store.schema, operation, &subject, item).await?;
    discount(conn, operation, site, item).await?;
    sql::execute(conn, "DELETE FROM lab_restores WHERE site = ? AND operation = ? AND item = ?", &known).await?;
    // The other products or apps of the site may still be done.
    const OTHERS: &str = "SELECT count(*) FROM lab_restores WHERE site = ? AND operation = ?";
    let others = sql::number(conn, OTHERS, &known[..2]).await?;
    Ok((rows, Then::Done(others > 0)))
}

pub(super) async fn running(estate: &Estate, operation: &Operation, site: &str) -> Result<bool, Problem> {
    if operation.way != Way::Job {
        return Ok(false);
    }
    const SQL: &str = "SELECT count(*) FROM lab_jobs WHERE site = ? AND operation = ? AND state = 'running'";
    let mut conn = estate.store(operation.system)?.read.lock().await;
    Ok(sql::number(&mut conn, SQL, &[site.into(), operation.name.into()]).await? > 0)
}

/// The store's history ends with the damage, so its end is what the rows must be again.
async fn restore_damage(
    conn: &mut Session,
    schema: &'static Schema,
    operation: &Operation,
    subject: &Subject,
    item: &str,
) -> Result<Rows, Problem> {
    let site = subject.site.as_str();
    let mut out = BTreeMap::new();
    if operation.way == Way::Open {
        const SQL: &str = "UPDATE routes SET state = 'closed' WHERE site_id = ?";
        out.insert("routes", sql::execute(conn, SQL, &[site.into()]).await? as usize);
        return Ok(out);
    }
    // Of a site that stands in for another there is no history: nothing of it stays.
    let ended = past(conn, schema, site, None).await?;
    for (table, mut rows) in schema.tables.iter().zip(ended).rev() {
        if !operation.tables.contains(&table.name) {
            continue;
        }
        let mut condition = "site_id = ?".to_owned();
        let mut values: Vec<Value> = vec![site.into()];
        if let Some((column, position)) = ["app_id", "product"]
            .into_iter()
            .find_map(|name| Some((name, table.column(name)?)))
            .filter(|_| !item.is_empty())
        {
            condition.push_str(&format!(" AND {column} = ?"));
            values.push(item.into());
            rows.retain(|row| row.get(position).and_then(Value::as_text) == Some(item));
        }
        let taken = if let Way::Mark { column, before } = operation.way {
            let update = format!("UPDATE {} SET {column} = ? WHERE {condition}", table.name);
            let values: Vec<Value> = std::iter::once(before.into()).chain(values).collect();
            sql::execute(conn, &update, &values).await? as usize
        } else if schema.name == "catalogue" && subject.moved.is_none() {
            // The deletion only marked these, and marks them again.
            for row in &rows {
                sql::put(conn, table, row).await?;
            }
            rows.len()
        } else {
            let deleted = sql::execute(conn, &format!("DELETE FROM {} WHERE {condition}", table.name), &values).await?;
            sql::insert(conn, table, &rows).await?;
            deleted as usize
        };
        out.insert(table.name, taken);
    }
    Ok(out)
}
