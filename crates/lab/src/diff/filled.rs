//! Comparing what a server filled by itself with the view that says what it should be, in the server.

use super::{Difference, Expect, Expectations};
use crate::schema::FILLED;
use crate::sql::{self, Session};
use crate::value::Value;

/// Differences by site and table: these tables are large, and nobody but a deletion and a restore touches them.
pub(super) async fn compare(
    session: &mut Session,
    store: &str,
    expectations: &Expectations,
) -> Result<Vec<Difference>, sqlx::Error> {
    let lost = expectations.iter().filter(|(_, expect)| **expect == Expect::Anything);
    let lost: Vec<&str> = lost.map(|(site, _)| site.as_str()).collect();
    let lost = [Value::from(lost.join(","))];
    let mut out = Vec::new();
    for (position, (table, _)) in FILLED.iter().enumerate() {
        sql::each(session, &query(table, position > 0), &lost, |row| {
            let count = |i: usize| row.get(i).and_then(Value::as_int).unwrap_or(0);
            let site = row.first().and_then(Value::as_text).unwrap_or("").to_owned();
            let kinds = [(1, "missing"), (2, "that should not be there"), (3, "changed")];
            let facts = kinds.iter().filter(|(i, _)| count(*i) > 0);
            let facts: Vec<String> = facts.map(|(i, kind)| format!("{} rows {kind}", count(*i))).collect();
            out.push(Difference {
                site,
                store: store.to_owned(),
                table: (*table).to_owned(),
                key: format!("{}...", count(4)),
                what: facts.join(", "),
            });
        })
        .await?;
    }
    Ok(out)
}

/// The site of a row follows from its ID, see the views; of one with an ID that none should have, from its parents.
fn query(table: &str, is_child: bool) -> String {
    let activity = if is_child { "w.activity_id" } else { "w.id" };
    let owner = if is_child { "(SELECT site_id FROM activities WHERE id = f.activity_id)" } else { "f.site_id" };
    format!(
        "SELECT coalesce(site, ''), count(*) FILTER (WHERE found IS NULL), count(*) FILTER (WHERE wanted IS NULL), \
           count(*) FILTER (WHERE found IS NOT NULL AND wanted IS NOT NULL), min(id) \
         FROM (SELECT coalesce(w.id, f.id) AS id, w.id AS wanted, f.id AS found, \
             CASE WHEN w.id IS NULL THEN {owner} ELSE \
               (SELECT site FROM lab_fill WHERE ordinal = ({activity}) % (SELECT count(*) FROM lab_fill)) END AS site \
           FROM lab_{table} AS w FULL JOIN {table} AS f ON w.id = f.id WHERE w IS DISTINCT FROM f) AS d \
         WHERE site IS NULL OR site <> ALL (string_to_array(?1, ',')) GROUP BY 1 ORDER BY 1"
    )
}
