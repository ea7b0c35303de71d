//! What a store held of a site at an instant, and bringing it back.

use std::collections::BTreeMap;

use super::operations::{Operation, Way};
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
    site: &str,
    item: &str,
    point: Millis,
) -> Result<BTreeMap<&'static str, usize>, Problem> {
    let mut out = BTreeMap::new();
    match operation.way {
        Way::Open => {
            const SQL: &str = "UPDATE routes SET state = 'open' WHERE site_id = ?";
            let changed = sql::execute(conn, SQL, &[site.into()]).await?;
            out.insert("routes", changed as usize);
        }
        Way::Replay => {
            const SQL: &str = "INSERT INTO counters (site_id, name, value) \
                SELECT site_id, name, sum(delta) FROM events WHERE site_id = ? AND at <= ? GROUP BY name";
            let changed = sql::execute(conn, SQL, &[site.into(), Value::Int(point)]).await?;
            out.insert("counters", changed as usize);
        }
        // An app of a site in use: see `retire`.
        Way::Retire => {}
        Way::Rows | Way::Job | Way::Route => {
            for (position, mut rows) in past(conn, schema, site, Some(point)).await?.into_iter().enumerate() {
                let table = &schema.tables[position];
                if !operation.tables.contains(&table.name) {
                    continue;
                }
                if !item.is_empty() {
                    rows.retain(|row| row.first().and_then(Value::as_text) == Some(item));
                }
                if operation.way == Way::Route {
                    rows.iter_mut().for_each(|row| row[3] = "closed".into());
                }
                if schema.name == "catalogue" {
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
