//! Old IDs that are left: in columns that refer, where numbers count too, and wherever else an ID is to be recognised.

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use super::map;
use super::plan::{Change, Changes, Domain, Plan, Source};
use super::rewrite::{self, Direction};
use super::{Ids, Remap, written};
use crate::postgres::catalog::{Catalog, Column};
use crate::postgres::quote::{literal, name};
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::session::run;

/// As PostgreSQL writes them, in whatever case.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// Old IDs of a tenant that are left in a column.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Dangling {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// How many rows.
    pub rows: u64,
    /// The key of one of them in the backup.
    pub example: String,
    /// Whether the column was declared, or refers, so that it should hold none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
}

impl std::fmt::Display for Dangling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        write!(f, "{}.{} in {} {rows}, such as {}", self.table, self.column, self.rows, self.example)
    }
}

/// Looks for old IDs in the rewritten rows of each table, given as what stands after FROM, with alias `t`.
pub(super) async fn find(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    sought: &Sought,
    from: impl Fn(usize) -> Option<String>,
) -> Result<Vec<Dangling>, RestoreError> {
    let mut found = Vec::new();
    for (at, sheet) in plan.sheets.iter().enumerate() {
        let Some(from) = from(at) else { continue };
        let mut selects = referring(plan, &pair.backup, at, &from);
        selects.extend(sought.select(plan, &pair.backup, at, &from));
        if selects.is_empty() {
            continue;
        }
        let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(AssertSqlSafe(selects.join(" UNION ALL ")))
            .fetch_all(&mut *live)
            .await
            .map_err(failed(format!("look for old IDs in {}", sheet.label)))?;
        found.extend(rows.into_iter().filter(|(_, rows, _)| *rows > 0).map(|(column, rows, example)| Dangling {
            table: sheet.label.clone(),
            rows: u64::try_from(rows).unwrap_or(0),
            example: example.unwrap_or_else(|| "a row without a key".to_owned()),
            declared: plan.tables[at].touches(&column),
            column,
        }));
    }
    Ok(found)
}

/// Tells what may be left from what may not.
pub(super) fn judge(remap: &Remap, ids: &Ids, found: Vec<Dangling>) -> Result<Vec<Dangling>, RestoreError> {
    let accepted = remap.dangling == super::OnDangling::Report && !found.iter().any(|it| it.declared);
    if found.is_empty() || accepted {
        return Ok(found);
    }
    Err(RestoreError::Dangling { tenant: ids.was.clone(), found })
}

/// Queries of columns that refer and still hold an old ID which is no new one as well.
fn referring(plan: &Plan, catalog: &Catalog, at: usize, from: &str) -> Vec<String> {
    let table = &catalog.tables[plan.sheets[at].place];
    let one = |change: &Change| {
        let (own, domain) = (format!("t.{}::text", name(&change.column)), change.domain);
        let base_type = table.column(&change.column).map_or("", |column| column.base_type.as_str());
        let alike = |value: &str| written::alike(base_type, &plan.domains[domain], value);
        let held = |column: &str| {
            format!("EXISTS (SELECT FROM {} AS o WHERE o.domain = {domain} AND o.{column} = {own})", map::TABLE)
        };
        let old = match alike(&own) {
            None => held("old"),
            Some(own) => {
                let old = alike("o.old").unwrap_or_default();
                format!("EXISTS (SELECT FROM {} AS o WHERE o.domain = {domain} AND {old} = {own})", map::TABLE)
            }
        };
        let when = rewrite::condition(change.when.as_ref()).map(|when| format!(" AND {when}")).unwrap_or_default();
        format!(
            "SELECT {}, count(*), min({}) FROM {from}{} WHERE {} AND NOT {}{when}",
            literal(&change.column),
            example(plan, catalog, at),
            rewrite::joins(plan, at, Direction::ToOld),
            old,
            held("new")
        )
    };
    plan.tables[at].columns.iter().map(one).collect()
}

/// Old IDs that are recognised wherever they stand.
pub(super) struct Sought {
    /// Whether any is a UUID; they are in a temporary table then.
    uuids: bool,
    /// The tenant's own, if it is a text that is none.
    word: Option<String>,
}

impl Sought {
    /// Gathers UUIDs, of whatever type, and the tenant's own ID unless it is a number.
    ///
    /// Makes a temporary table, which goes with the session.
    pub(super) async fn gather(live: &mut PgConnection, plan: &Plan, ids: &Ids) -> Result<Self, RestoreError> {
        let is_uuid = |domain: &&(usize, &Domain)| match domain.1.source {
            Source::Tenant => domain.1.base_type == "uuid" || looks_like_uuid(&ids.was),
            _ => domain.1.base_type == "uuid",
        };
        let all: Vec<(usize, &Domain)> = plan.domains.iter().enumerate().collect();
        let those: Vec<String> = all
            .iter()
            .filter(is_uuid)
            .map(|(at, _)| format!("SELECT lower(m.old) FROM {} AS m WHERE m.domain = {at}", map::TABLE))
            .collect();
        if !those.is_empty() {
            let script = format!(
                "CREATE TEMP TABLE reinstate_old (value) AS {}; \
                 CREATE INDEX ON reinstate_old (value); ANALYZE reinstate_old",
                those.join(" UNION ")
            );
            run(live, &script, "gather old IDs").await?;
        }
        let number = all.iter().any(|(_, domain)| {
            domain.source == Source::Tenant
                && matches!(domain.base_type.as_str(), "smallint" | "integer" | "bigint" | "numeric")
        });
        let word = (!number && !looks_like_uuid(&ids.was)).then(|| ids.was.clone());
        Ok(Self { uuids: !those.is_empty(), word })
    }

    /// One query for all columns of a table in which an ID may be written.
    fn select(&self, plan: &Plan, catalog: &Catalog, at: usize, from: &str) -> Option<String> {
        let (sheet, changes) = (&plan.sheets[at], &plan.tables[at]);
        let table = &catalog.tables[sheet.place];
        let open: Vec<String> = sheet
            .stored
            .iter()
            .filter(|column| !changes.kept.contains(column))
            .filter_map(|name| table.column(name))
            .filter(|column| may_tell(column) && !is_replaced(plan, changes, column))
            .map(|column| format!("({}, t.{}::text)", literal(&column.name), name(&column.name)))
            .collect();
        let mut hits = Vec::new();
        if self.uuids {
            hits.push(format!(
                "EXISTS (SELECT FROM regexp_matches(lower(c.value), '{UUID}', 'g') AS u(id) \
                 WHERE EXISTS (SELECT FROM pg_temp.reinstate_old AS o WHERE o.value = u.id[1]))"
            ));
        }
        if let Some(word) = &self.word {
            let pattern = format!("(^|[^[:alnum:]_-]){}($|[^[:alnum:]_-])", escaped(word));
            hits.push(format!("c.value ~ {}", literal(&pattern)));
        }
        (!open.is_empty() && !hits.is_empty()).then(|| {
            format!(
                "SELECT c.name, count(*), min({}) FROM {from}{}, LATERAL (VALUES {}) AS c(name, value) WHERE {} GROUP BY 1",
                example(plan, catalog, at),
                rewrite::joins(plan, at, Direction::ToOld),
                open.join(", "),
                hits.join(" OR ")
            )
        })
    }
}

/// The key of a row `t` in the backup, as people read it.
fn example(plan: &Plan, catalog: &Catalog, at: usize) -> String {
    let key = catalog.tables[plan.sheets[at].place].primary_key();
    if key.is_empty() {
        return "NULL::text".to_owned();
    }
    let values: Vec<String> = key
        .iter()
        .map(|column| format!("({})::text", rewrite::value(plan, catalog, at, column, Direction::ToOld)))
        .collect();
    format!("{} || concat_ws(', ', {}) || ')'", literal(&format!("({})=(", key.join(", "))), values.join(", "))
}

/// Whether every ID in a column was looked up in the map as it is written.
fn is_replaced(plan: &Plan, changes: &Changes, column: &Column) -> bool {
    let alike = |domain: &Domain| written::alike(&column.base_type, domain, "").is_none();
    changes.replaces(&column.name).is_some_and(|domain| alike(&plan.domains[domain]))
}

/// Whether IDs may be written in values of a column's type.
fn may_tell(column: &Column) -> bool {
    let base = column.base_type.trim_end_matches("[]");
    let base = base.rsplit('.').next().unwrap_or(base);
    let texts = ["text", "character varying", "character", "citext", "json", "jsonb", "xml", "hstore", "uuid", "ltree"];
    texts.contains(&base)
}

fn looks_like_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A text as a regular expression that means itself.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == '_' { c.to_string() } else { format!("\\{c}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_told_from_other_texts() {
        assert!(looks_like_uuid("0b1e5b1c-8f7a-4f0e-9d3a-1c2b3a4d5e6f"));
        for other in ["acme", "0b1e5b1c8f7a4f0e9d3a1c2b3a4d5e6f", "0b1e5b1c-8f7a-4f0e-9d3a-1c2b3a4d5eXY", ""] {
            assert!(!looks_like_uuid(other), "{other}");
        }
        assert_eq!(escaped("a.b_c-1"), "a\\.b_c\\-1");
    }
}
