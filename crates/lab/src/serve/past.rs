//! What a store held of a site at an instant, and bringing it back.

use std::collections::BTreeMap;

use super::moved::{Subject, due};
use super::operations::{INACTIVE, Operation, Way};
use super::problem::Problem;
use crate::clock::Millis;
use crate::log::{Change, parse};
use crate::schema::Schema;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// Brings the rows of an operation back; gives their number per table. The caller holds the transaction.
pub(super) async fn effect(
    conn: &mut Session,
    schema: &'static Schema,
    operation: &Operation,
    subject: &Subject,
    item: &str,
    point: Millis,
) -> Result<BTreeMap<&'static str, usize>, Problem> {
    let site = subject.site.as_str();
    let mut out = BTreeMap::new();
    match operation.way {
        Way::Open => {
            const SQL: &str = "UPDATE routes SET state = 'open' WHERE site_id = ?";
            let changed = sql::execute(conn, SQL, &[site.into()]).await?;
            out.insert("routes", changed as usize);
        }
        Way::Replay => {
            const SQL: &str = "INSERT INTO counters (site_id, name, value) \
                SELECT ?, name, sum(delta) FROM events WHERE site_id = ? AND at <= ? GROUP BY name";
            let values = [site.into(), subject.source().into(), Value::Int(point)];
            let changed = sql::execute(conn, SQL, &values).await?;
            out.insert("counters", changed as usize);
        }
        // An app of a site in use, and a new site: see `retire` and `replace`.
        Way::Retire | Way::Replace => {}
        Way::Mark { column, .. } => {
            let point = subject.moved.as_ref().map(|moved| moved.point);
            for (table, rows) in schema.tables.iter().zip(due(conn, schema, subject, point).await?) {
                let position = table.column(column).filter(|_| operation.tables.contains(&table.name));
                let Some(position) = position else { continue };
                let rows: Vec<Row> = rows.into_iter().filter(|row| is_item(row, item)).collect();
                let key = table.key_match();
                for row in &rows {
                    let values: Vec<Value> = row.get(position).into_iter().chain(&row[..table.key]).cloned().collect();
                    let update = format!("UPDATE {} SET {column} = ? WHERE {key}", table.name);
                    sql::execute(conn, &update, &values).await?;
                }
                out.insert(table.name, rows.len());
            }
        }
        Way::Rows | Way::Job | Way::Route => {
            for (position, table) in schema.tables.iter().enumerate() {
                if !operation.tables.contains(&table.name) {
                    continue;
                }
                // Asked for table by table: rows refer to the numbers that the table before has just given.
                let mut rows = due(conn, schema, subject, Some(point)).await?.swap_remove(position);
                if !item.is_empty() {
                    rows.retain(|row| row.first().and_then(Value::as_text) == Some(item));
                }
                if operation.way == Way::Route {
                    rows.iter_mut().for_each(|row| row[3] = "closed".into());
                }
                if subject.moved.is_some() && table.name == "site_products" {
                    rows.iter_mut().for_each(|row| row[3] = INACTIVE.into());
                }
                if subject.moved.is_some() && table.is_numbered() {
                    for row in &rows {
                        sql::insert_next(conn, table, row[1..].to_vec()).await?;
                    }
                } else if schema.name == "catalogue" {
                    // The deletion only marked these.
                    for row in &rows {
                        sql::put(conn, table, row).await?;
                    }
                } else {
                    sql::insert(conn, table, &rows).await?;
                }
                out.insert(table.name, rows.len());
            }
        }
    }
    Ok(out)
}

/// Whether a row is that of a product; every row is, if none is asked for.
fn is_item(row: &Row, item: &str) -> bool {
    item.is_empty() || row.get(1).and_then(Value::as_text) == Some(item)
}

/// The rows of a site per table as the store's history says, at an instant or at its end.
pub(super) async fn past(
    conn: &mut Session,
    schema: &'static Schema,
    site: &str,
    at: Option<Millis>,
) -> Result<Vec<Vec<Row>>, Problem> {
    const SQL: &str = "SELECT changes FROM lab_log WHERE site = ? AND at <= ? ORDER BY seq";
    let until = Value::Int(at.unwrap_or(Millis::MAX));
    let mut tables: Vec<BTreeMap<Row, Row>> = vec![BTreeMap::new(); schema.tables.len()];
    for entry in sql::rows(conn, SQL, &[site.into(), until]).await? {
        let changes = entry.first().and_then(Value::as_text).unwrap_or("[]");
        for change in parse(schema, changes, schema.name)? {
            match change {
                Change::Put { table, row } => {
                    tables[table].insert(row[..schema.tables[table].key].to_vec(), row);
                }
                Change::Delete { table, key } => {
                    tables[table].remove(&key);
                }
            }
        }
    }
    Ok(tables.into_iter().map(|table| table.into_values().collect()).collect())
}
