//! How a search segment derives from the product databases: one inverted index per site and product.

use std::collections::{BTreeMap, HashMap};

use crate::schema::SHARD;
use crate::value::{Row, Value};

/// Where the documents of a product come from: table and column; `None` is the Jira family, whose
/// product is a column of the project.
const SOURCES: [(Option<&str>, &str, &str); 8] = [
    (None, "issues", "summary"),
    (Some("jira-product-discovery"), "ideas", "title"),
    (Some("confluence"), "pages", "title"),
    (Some("opsgenie"), "alerts", "message"),
    (Some("statuspage"), "components", "name"),
    (Some("access"), "access_policies", "name"),
    (Some("insight"), "assets", "name"),
    (None, "projects", "name"),
];

/// Documents by site and product, each with its reference and text.
pub(crate) type Documents = HashMap<(String, String), Vec<(String, String)>>;

/// Collects the documents out of rows `(table, site, row)` of a shard.
pub(crate) fn documents<'a>(rows: impl Iterator<Item = (usize, &'a str, &'a Row)> + Clone) -> Documents {
    let projects_table = SHARD.position("projects").unwrap_or(usize::MAX);
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).unwrap_or("").to_owned();
    let projects: HashMap<i64, String> = rows
        .clone()
        .filter(|(table, _, _)| *table == projects_table)
        .filter_map(|(_, _, row)| Some((row.first()?.as_int()?, text(row, 2))))
        .collect();
    let sources: HashMap<usize, (Option<&str>, usize)> = SOURCES
        .iter()
        .filter_map(|(product, table, column)| {
            let position = SHARD.position(table)?;
            Some((position, (*product, SHARD.tables[position].column(column)?)))
        })
        .collect();
    let mut out = Documents::new();
    for (table, site, row) in rows {
        let Some((product, column)) = sources.get(&table) else {
            continue;
        };
        let Some(id) = row.first().and_then(Value::as_int) else {
            continue;
        };
        let product = match product {
            Some(product) => (*product).to_owned(),
            None if table == projects_table => text(row, 2),
            None => row
                .get(1)
                .and_then(Value::as_int)
                .and_then(|project| projects.get(&project).cloned())
                .unwrap_or_default(),
        };
        let reference = format!("{}/{id}", SHARD.tables[table].name);
        out.entry((site.to_owned(), product)).or_default().push((reference, text(row, *column)));
    }
    out
}

/// The queries that give `(reference, text)` of a product's documents of the site in `?1`.
pub(crate) fn queries(product: &str) -> Vec<String> {
    let jira = crate::population::JIRA.contains(&product);
    SOURCES
        .iter()
        .filter(|(source, _, _)| source.map_or(jira, |s| s == product))
        .filter_map(|(source, table, column)| {
            let belongs = SHARD.belongs(SHARD.position(table)?)?;
            let product = match (source, *table) {
                (Some(_), _) => "",
                (None, "projects") => " AND product = ?2",
                (None, _) => " AND project_id IN (SELECT id FROM projects WHERE site_id = ?1 AND product = ?2)",
            };
            Some(format!("SELECT '{table}/' || id, {column} FROM {table} WHERE {belongs}{product}"))
        })
        .collect()
}

/// Number of documents and the encoded index: each term with its count, and a digest of all postings.
pub(crate) fn segment(documents: &[(String, String)]) -> (i64, String) {
    let mut postings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (reference, text) in documents {
        for term in text.split_whitespace() {
            postings.entry(term).or_default().push(reference);
        }
    }
    let mut hasher = blake3::Hasher::new();
    let mut terms = String::new();
    for (term, references) in &mut postings {
        references.sort_unstable();
        references.dedup();
        terms.push_str(&format!("{term} {}\n", references.len()));
        hasher.update(term.as_bytes());
        for reference in references {
            hasher.update(b"\0");
            hasher.update(reference.as_bytes());
        }
        hasher.update(b"\n");
    }
    terms.push_str(&format!("#{}", &hasher.finalize().to_hex()[..32]));
    (documents.len() as i64, terms)
}
