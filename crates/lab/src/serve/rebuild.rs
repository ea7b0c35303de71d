//! The search service: rebuilds the segment of one product out of the product databases.

use std::collections::BTreeMap;

use super::estate::Estate;
use super::problem::Problem;
use crate::schema::SEARCH;
use crate::search;
use crate::sql::{self, Session};
use crate::value::{Row, Value};

/// Rebuilds and stores the segment. The caller holds the search store's transaction.
pub(super) async fn segment(
    estate: &Estate,
    conn: &mut Session,
    site: &str,
    product: &str,
) -> Result<BTreeMap<&'static str, usize>, Problem> {
    let row = derive(estate, site, product).await?;
    sql::put(conn, &SEARCH.tables[0], &row).await?;
    Ok(BTreeMap::from([("segments", 1)]))
}

/// The segment as the product databases have it now.
pub(super) async fn derive(estate: &Estate, site: &str, product: &str) -> Result<Row, Problem> {
    let shard = estate.site(site)?;
    let shard =
        estate.shards.get(&shard).ok_or_else(|| Problem::not_found("unknown-shard", format!("no shard {shard}")))?;
    let mut line = shard.lock().await;
    let conn = line.tested().await?;
    const ROOT: &str = "SELECT count(*) FROM sites WHERE site_id = ?";
    if sql::number(conn, ROOT, &[site.into()]).await? == 0 {
        let message = format!("the product databases do not hold {site}");
        return Err(Problem::conflict("product-database-missing", message));
    }
    let mut documents = Vec::new();
    for query in search::queries(product) {
        let mut values: Vec<Value> = vec![site.into()];
        if query.contains("?2") {
            values.push(product.into());
        }
        for row in sql::rows(conn, &query, &values).await? {
            if let [Value::Text(reference), Value::Text(text)] = row.as_slice() {
                documents.push((reference.clone(), text.clone()));
            }
        }
    }
    let (count, terms) = search::segment(&documents);
    Ok(vec![site.into(), product.into(), count.into(), terms.into()])
}
