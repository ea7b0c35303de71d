//! Whether earlier restores have given all the IDs that are counted on: rows that refer to tables of another restore.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::plan::{Domain, Plan, Source};
use super::{Ids, RemapError, map};
use crate::postgres::quote::name;
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::origin::Origin;
use crate::postgres::restore::pair::Pair;

/// IDs that are looked up at once.
const PART: usize = 10_000;

/// Checks that the map has every ID of the tenant that rows may refer to and that this restore does not give itself; from
/// files, that it has as many as there are.
///
/// What it has not would stay an old ID: in JSON, in text and where a condition says what a column means, nothing else
/// would notice.
///
/// # Errors
/// Names the column whose IDs nothing has given.
pub(super) async fn find(
    live: &mut PgConnection,
    origin: &mut Origin,
    plan: &Plan,
    pair: &Pair,
    ids: &Ids,
) -> Result<(), RestoreError> {
    for at in used(plan) {
        let domain = &plan.domains[at];
        let missing = match origin {
            Origin::Server(backup) => missing(live, backup, pair, ids, (at, domain)).await?,
            Origin::Files(extracted) => {
                let rows = extracted.manifest(&ids.was)?.and_then(|it| it.tables.get(&domain.table).map(|it| it.rows));
                let given = given(live, at).await?;
                match rows {
                    // They are a key of their table: as many IDs as rows. Which ones they are the files of the tables at
                    // hand would say; fewer than there are is what another restore, or another copy, leaves.
                    Some(rows) => rows.saturating_sub(given),
                    // Of a table that was not taken out nothing is known: any at all is taken for all.
                    None => u64::from(given == 0),
                }
            }
        };
        if missing > 0 {
            let column = format!("{}.{}", domain.table, domain.column);
            return Err(RemapError::Unrestored { column, ids: missing, tenant: ids.tenant.clone() }.into());
        }
    }
    Ok(())
}

/// Domains of tables of other restores that rows of this one refer to.
fn used(plan: &Plan) -> BTreeSet<usize> {
    let columns = plan.tables.iter().flat_map(|changes| changes.columns.iter().map(|change| change.domain));
    let spots = plan.tables.iter().flat_map(|changes| changes.json.iter().chain(&changes.text).map(|spot| spot.domain));
    columns.chain(spots).filter(|at| plan.domains[*at].source == Source::Earlier).collect()
}

/// Returns how many IDs of the backup the map has not.
async fn missing(
    live: &mut PgConnection,
    backup: &mut PgConnection,
    pair: &Pair,
    ids: &Ids,
    (at, domain): (usize, &Domain),
) -> Result<u64, RestoreError> {
    let doing = || failed(format!("look for new IDs of {}.{}", domain.table, domain.column));
    let Some(rows) = pair.closure.rows(&pair.backup, domain.place, &pair.wanted([ids.was.as_str()])) else {
        return Ok(0);
    };
    let column = name(&domain.column);
    let select =
        format!("SELECT r.id FROM ({}) AS r WHERE r.id IS NOT NULL", rows.select(&format!("t.{column}::text AS id")));
    let mut all = sqlx::query_as::<_, (String,)>(AssertSqlSafe(select)).fetch(backup).try_chunks(PART);
    let lookup = format!(
        "SELECT count(*) FROM unnest($1::text[]) AS v(id) WHERE NOT EXISTS \
         (SELECT FROM {} AS m WHERE m.domain = {at} AND m.old = v.id)",
        map::TABLE
    );
    let mut missing = 0;
    while let Some(part) = all.try_next().await.map_err(|error| doing()(error.1))? {
        let part: Vec<String> = part.into_iter().map(|(id,)| id).collect();
        let (none,): (i64,) =
            sqlx::query_as(AssertSqlSafe(lookup.clone())).bind(part).fetch_one(&mut *live).await.map_err(doing())?;
        missing += u64::try_from(none).unwrap_or(0);
    }
    Ok(missing)
}

/// Returns how many IDs of a domain the map has.
async fn given(live: &mut PgConnection, at: usize) -> Result<u64, RestoreError> {
    let select = format!("SELECT count(*) FROM {} AS m WHERE m.domain = {at}", map::TABLE);
    let (given,): (i64,) =
        sqlx::query_as(AssertSqlSafe(select)).fetch_one(live).await.map_err(failed("read the map of IDs"))?;
    Ok(u64::try_from(given).unwrap_or(0))
}
