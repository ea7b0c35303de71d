//! Comparing what a server filled by itself with the view that says what it should be, in the server.

use super::{Difference, Expect, Expectations};
use crate::schema::{FILLED, Filled};
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
    for filled in &FILLED {
        sql::each(session, &query(filled), &lost, |row| {
            let count = |i: usize| row.get(i).and_then(Value::as_int).unwrap_or(0);
            let site = row.first().and_then(Value::as_text).unwrap_or("").to_owned();
            let kinds = [(1, "missing"), (2, "that should not be there"), (3, "changed")];
            let facts = kinds.iter().filter(|(i, _)| count(*i) > 0);
            let facts: Vec<String> = facts.map(|(i, kind)| format!("{} rows {kind}", count(*i))).collect();
            out.push(Difference {
                site,
                store: store.to_owned(),
                table: filled.name.to_owned(),
                key: format!("{}...", count(4)),
                what: facts.join(", "),
            });
        })
        .await?;
    }
    Ok(out)
}

/// What differs, counted by site; sites of which nothing is expected are left out before anything is compared.
fn query(Filled { name, columns, owner, .. }: &Filled) -> String {
    let all = |alias: &str| columns.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ");
    let (wanted, found) = (all("w"), all("f"));
    format!(
        "SELECT coalesce(site, ''), count(*) FILTER (WHERE found IS NULL), count(*) FILTER (WHERE wanted IS NULL), \
           count(*) FILTER (WHERE found IS NOT NULL AND wanted IS NOT NULL), min(id) \
         FROM (SELECT coalesce(w.id, f.id) AS id, w.id AS wanted, f.id AS found, coalesce(w.site, {owner}) AS site \
           FROM (SELECT * FROM lab_{name} WHERE site <> ALL (string_to_array(?1, ','))) AS w \
           FULL JOIN {name} AS f ON w.id = f.id WHERE ({wanted}) IS DISTINCT FROM ({found})) AS d \
         WHERE site IS NULL OR site <> ALL (string_to_array(?1, ',')) GROUP BY 1 ORDER BY 1"
    )
}
