//! Comparing what a server filled by itself with the view that says what it should be, in the server.

use super::moved::Moves;
use super::{Difference, Expect, Expectations};
use crate::moves::Move;
use crate::schema::{FILLED, Filled};
use crate::sql::{self, Session};
use crate::value::Value;

/// Differences by site and table: these tables are large, and nobody but a deletion and a restore touches them.
pub(super) async fn compare(
    session: &mut Session,
    store: &str,
    expectations: &Expectations,
    moves: &Moves,
) -> Result<Vec<Difference>, sqlx::Error> {
    let lost = expectations.iter().filter(|(_, expect)| **expect == Expect::Anything);
    let lost: Vec<&str> = lost.map(|(site, _)| site.as_str()).collect();
    let ids = |id: fn(&Move) -> &str| Value::from(moves.iter().map(id).collect::<Vec<_>>().join(","));
    let (old, new) = (ids(|moved| &moved.old), ids(|moved| &moved.new));
    let values = [Value::from(lost.join(",")), old.clone(), new.clone()];
    let mut out = Vec::new();
    for filled in &FILLED {
        sql::each(session, &query(filled), &values, |row| {
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
    if moves.iter().next().is_some() {
        out.extend(moved(session, store, &[old, new]).await?);
    }
    Ok(out)
}

/// Sites that came back under another ID: the numbers of their rows are others, all else is as it was. An activity is
/// known by its detail, which says which of its site's it is.
async fn moved(session: &mut Session, store: &str, ids: &[Value]) -> Result<Vec<Difference>, sqlx::Error> {
    const ROWS: [(&str, &str, &str); 2] = [
        (
            "activities",
            "SELECT site, ROW(actor, verb, detail, happened_at)::text AS r FROM lab_activities",
            "SELECT site_id AS site, ROW(actor, verb, detail, happened_at)::text AS r FROM activities",
        ),
        (
            "activity_fields",
            "SELECT a.site, ROW(a.detail, f.field, f.old_value, f.new_value)::text AS r \
               FROM lab_activity_fields AS f JOIN lab_activities AS a ON a.id = f.activity_id",
            "SELECT a.site_id AS site, ROW(a.detail, f.field, f.old_value, f.new_value)::text AS r \
               FROM activity_fields AS f JOIN activities AS a ON a.id = f.activity_id",
        ),
    ];
    let mut out = Vec::new();
    for (table, wanted, found) in ROWS {
        let query = format!(
            "WITH m AS (SELECT * FROM unnest(string_to_array(?1, ','), string_to_array(?2, ',')) AS m(old, new)), \
               w AS (SELECT m.old, w.r FROM m JOIN ({wanted}) AS w ON w.site = m.old), \
               f AS (SELECT m.old, f.r FROM m JOIN ({found}) AS f ON f.site = m.new), \
               d AS (SELECT old, 1 AS missing, 0 AS extra FROM (SELECT * FROM w EXCEPT ALL SELECT * FROM f) AS a \
                 UNION ALL SELECT old, 0, 1 FROM (SELECT * FROM f EXCEPT ALL SELECT * FROM w) AS b) \
             SELECT old, sum(missing)::bigint, sum(extra)::bigint FROM d GROUP BY 1 ORDER BY 1"
        );
        sql::each(session, &query, ids, |row| {
            let count = |i: usize| row.get(i).and_then(Value::as_int).unwrap_or(0);
            out.push(Difference {
                site: row.first().and_then(Value::as_text).unwrap_or("").to_owned(),
                store: store.to_owned(),
                table: table.to_owned(),
                key: "...".to_owned(),
                what: format!("{} rows missing, {} that should not be there, under the new ID", count(1), count(2)),
            });
        })
        .await?;
    }
    Ok(out)
}

/// What differs, counted by site; sites of which nothing is expected, and those under another
/// ID, are left out.
fn query(Filled { name, columns, owner, .. }: &Filled) -> String {
    let all = |alias: &str| columns.iter().map(|column| format!("{alias}.{column}")).collect::<Vec<_>>().join(", ");
    let (wanted, found) = (all("w"), all("f"));
    format!(
        "SELECT coalesce(site, ''), count(*) FILTER (WHERE found IS NULL), count(*) FILTER (WHERE wanted IS NULL), \
           count(*) FILTER (WHERE found IS NOT NULL AND wanted IS NOT NULL), min(id) \
         FROM (SELECT coalesce(w.id, f.id) AS id, w.id AS wanted, f.id AS found, coalesce(w.site, {owner}) AS site \
           FROM (SELECT * FROM lab_{name} WHERE site <> ALL (string_to_array(?1, ',') || string_to_array(?2, ','))) AS w \
           FULL JOIN {name} AS f ON w.id = f.id WHERE ({wanted}) IS DISTINCT FROM ({found})) AS d \
         WHERE site IS NULL OR site <> ALL (string_to_array(?1, ',') || string_to_array(?3, ',')) GROUP BY 1 ORDER BY 1"
    )
}
