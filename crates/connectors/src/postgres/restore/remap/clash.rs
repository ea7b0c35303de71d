//! Values that are no old ID of the tenant and equal a new one: they could not be told from it on the way back.

use sqlx::{AssertSqlSafe, PgConnection};

use super::RemapError;
use super::map;
use super::plan::{Plan, Source};
use super::rewrite::{self, WORD, condition};
use crate::postgres::quote::{literal, name};
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::stage::Stage;

/// Looks at the staged rows of the backup before they are rewritten.
///
/// A sequence does not give out what it gave out before, so that real references never clash. Numbers in texts and JSON
/// may, and columns that only look like references.
pub(super) async fn find(live: &mut PgConnection, plan: &Plan, stages: &[Stage<'_>]) -> Result<(), RestoreError> {
    for (stage, changes) in stages.iter().zip(&plan.tables) {
        // Random IDs equal nothing.
        let given = |domain: usize| plan.domains[domain].source != Source::Uuid;
        let columns = changes.columns.iter().filter(|change| given(change.domain)).map(|change| {
            let held = held(change.domain, &format!("t.{}::text", name(&change.column)));
            (&change.column, held, change.when.as_ref(), change.domain)
        });
        let texts = changes.text.iter().filter(|spot| given(spot.domain)).map(|spot| {
            let words = format!("regexp_matches(t.{}::text, '{WORD}', 'g') AS w(part)", name(&spot.column));
            let held = format!("EXISTS (SELECT FROM {words} WHERE {})", held(spot.domain, "w.part[1]"));
            (&spot.column, held, spot.when.as_ref(), spot.domain)
        });
        let json = changes.json.iter().filter(|spot| given(spot.domain)).map(|spot| {
            let leaves = rewrite::leaves(&format!("t.{}", name(&spot.column)), &spot.path, 0);
            let held = held(spot.domain, "j.v #>> '{}'");
            let held = format!(
                "EXISTS (SELECT FROM ({leaves}) AS j(v) WHERE jsonb_typeof(j.v) IN ('number', 'string') AND {held})"
            );
            (&spot.column, held, spot.when.as_ref(), spot.domain)
        });
        let selects: Vec<String> = columns
            .chain(texts)
            .chain(json)
            .map(|(column, held, when, domain)| {
                let when = condition(when).map(|when| format!(" AND {when}")).unwrap_or_default();
                let drawn = plan.domains[domain].is_drawn();
                format!("SELECT {}, {drawn}, count(*) FROM {} AS t WHERE {held}{when}", literal(column), stage.twin)
            })
            .collect();
        if selects.is_empty() {
            continue;
        }
        let found: Vec<(String, bool, i64)> = sqlx::query_as(AssertSqlSafe(selects.join(" UNION ALL ")))
            .fetch_all(&mut *live)
            .await
            .map_err(failed(format!("compare new IDs with values of {}", stage.sheet.label)))?;
        if let Some((column, drawn, rows)) = found.into_iter().find(|(.., rows)| *rows > 0) {
            let column = format!("{}.{column}", stage.sheet.label);
            return Err(RemapError::Clash { column, rows: u64::try_from(rows).unwrap_or(0), drawn }.into());
        }
    }
    Ok(())
}

/// Whether a value is a new ID of a domain and no old one.
fn held(domain: usize, value: &str) -> String {
    let (table, is) = (map::TABLE, |column: &str| format!("m.domain = {domain} AND m.{column} = {value}"));
    format!(
        "EXISTS (SELECT FROM {table} AS m WHERE {}) AND NOT EXISTS (SELECT FROM {table} AS m WHERE {})",
        is("new"),
        is("old")
    )
}
