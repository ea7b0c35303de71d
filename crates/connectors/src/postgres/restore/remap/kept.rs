//! The map that stays in the live database: what another restore of the tenant goes on from, and what a later check takes
//! IDs back with.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::plan::{Plan, Source};
use super::{Ids, RemapError, map};
use crate::postgres::quote::literal;
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::ledger;
use crate::postgres::restore::load::Ticket;
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::session::run;

/// Its name.
const NAME: &str = "reinstate.id_map";
/// `tenant` is the new ID, `was` the old one.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS reinstate.id_map ( \
      key text NOT NULL, run text NOT NULL, root text NOT NULL, tenant text NOT NULL, was text NOT NULL, \
      \"table\" text NOT NULL, \"column\" text NOT NULL, old text NOT NULL, new text NOT NULL, \
      PRIMARY KEY (key, \"table\", \"column\", old)); \
    CREATE INDEX IF NOT EXISTS id_map_tenant ON reinstate.id_map (root, tenant, \"table\", \"column\")";

/// Makes the kept map where there is none.
pub(in super::super) async fn make(connection: &mut PgConnection) -> Result<(), RestoreError> {
    ledger::make_table(connection, NAME, CREATE).await
}

/// Returns whether there is one.
pub(super) async fn is_there(connection: &mut PgConnection) -> Result<bool, RestoreError> {
    ledger::has_table(connection, NAME).await
}

/// Waits for whoever else restores, or takes back, under a new ID, and holds it until the transaction ends: what the map
/// says of it stays so.
pub(in super::super) async fn claim(
    connection: &mut PgConnection,
    root: &str,
    tenant: &str,
) -> Result<(), RestoreError> {
    let doing = || failed("wait for another restore under this new ID");
    let (patience,): (String,) =
        sqlx::query_as("SELECT current_setting('lock_timeout')").fetch_one(&mut *connection).await.map_err(doing())?;
    // Nobody but restores waits here: parts of a large tenant that come side by side each take their time.
    run(connection, "SET LOCAL lock_timeout = 0", "set up the session").await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))")
        .bind(format!("{tenant} in {root}"))
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
    sqlx::query("SELECT set_config('lock_timeout', $1, true)")
        .bind(patience)
        .execute(connection)
        .await
        .map(drop)
        .map_err(doing())
}

/// Checks that the new ID stands for no other tenant, and that earlier restores under it did as this one is to do: what
/// they gave new IDs gets the same ones, what they kept is kept.
pub(super) async fn agree(live: &mut PgConnection, plan: &Plan, pair: &Pair, ids: &Ids) -> Result<(), RestoreError> {
    if !is_there(live).await? {
        return Ok(());
    }
    let doing = || failed("read the map of IDs");
    let root = pair.label(pair.closure.root);
    let Ids { was, tenant } = ids;
    const OTHER: &str =
        "SELECT was, key FROM reinstate.id_map WHERE root = $1 AND tenant = $2 AND was <> $3 ORDER BY key LIMIT 1";
    let other: Option<(String, String)> =
        sqlx::query_as(OTHER).bind(&root).bind(tenant).bind(was).fetch_optional(&mut *live).await.map_err(doing())?;
    if let Some((was, key)) = other {
        return Err(RemapError::Taken { tenant: tenant.clone(), was, key }.into());
    }
    const COLUMNS: &str = "SELECT \"table\", \"column\", min(key) FROM reinstate.id_map \
        WHERE root = $1 AND tenant = $2 AND was = $3 GROUP BY 1, 2 ORDER BY 1, 2";
    let given: Vec<(String, String, String)> =
        sqlx::query_as(COLUMNS).bind(&root).bind(tenant).bind(was).fetch_all(&mut *live).await.map_err(doing())?;
    if given.is_empty() {
        return Ok(());
    }
    let is_restored = |table: &str| plan.sheets.iter().any(|sheet| sheet.label == table);
    let gives = |table: &str, column: &str| plan.domains.iter().any(|it| it.table == table && it.column == column);
    let kept_now = given.iter().find(|(table, column, _)| is_restored(table) && !gives(table, column));
    if let Some((table, column, key)) = kept_now {
        let (column, did) = (format!("{table}.{column}"), "gave its values new ones, which stay here");
        return Err(RemapError::Otherwise { column, key: key.clone(), did }.into());
    }
    const TABLES: &str = "SELECT jsonb_object_keys(detail -> 'tables'), key FROM reinstate.ledger \
        WHERE root = $1 AND tenant = $2 AND undone_by IS NULL AND detail -> 'remapped' ->> 'was' = $3 ORDER BY key";
    let restored: Vec<(String, String)> =
        sqlx::query_as(TABLES).bind(&root).bind(tenant).bind(was).fetch_all(live).await.map_err(doing())?;
    let given = |table: &str, column: &str| given.iter().any(|(t, c, _)| t == table && c == column);
    for domain in plan.domains.iter().filter(|domain| domain.is_drawn() && !given(&domain.table, &domain.column)) {
        if let Some((_, key)) = restored.iter().find(|(table, _)| *table == domain.table) {
            let (column, did) = (format!("{}.{}", domain.table, domain.column), "kept its values, which change here");
            return Err(RemapError::Otherwise { column, key: key.clone(), did }.into());
        }
    }
    Ok(())
}

/// A query of old and new IDs of a column that restores of the tenant under its new ID have kept.
pub(super) fn known(pair: &Pair, ids: &Ids, table: &str, column: &str) -> String {
    format!(
        "SELECT DISTINCT k.old, k.new FROM {NAME} AS k WHERE k.root = {} AND k.tenant = {} AND k.was = {} \
         AND k.\"table\" = {} AND k.\"column\" = {}",
        literal(&pair.label(pair.closure.root)),
        literal(&ids.tenant),
        literal(&ids.was),
        literal(table),
        literal(column)
    )
}

/// Writes new IDs into the live database that are not there yet; returns how many each table has.
///
/// Who wrote nothing keeps nothing: the map goes with the rows when their restore is taken back.
pub(super) async fn keep(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    ids: &Ids,
    (ticket, wrote): (Ticket<'_>, bool),
) -> Result<BTreeMap<String, u64>, RestoreError> {
    // What an earlier restore has kept is its own.
    let own = plan.domains.iter().enumerate().filter(|(_, domain)| domain.source != Source::Earlier);
    let (mut places, mut tables, mut names, mut roots) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, domain) in own {
        places.push(i32::try_from(at).unwrap_or(i32::MAX));
        tables.push(domain.table.clone());
        names.push(domain.column.clone());
        // Each restore with rows says whose they are.
        roots.push(domain.source == Source::Tenant && wrote);
    }
    let insert = format!(
        "WITH d AS (SELECT * FROM unnest($6::int4[], $7::text[], $8::text[], $9::bool[]) AS d(place, t, c, always)), \
           kept AS (INSERT INTO {NAME} (key, run, root, tenant, was, \"table\", \"column\", old, new) \
             SELECT $1, $2, $3, $4, $5, d.t, d.c, m.old, m.new FROM {} AS m JOIN d ON d.place = m.domain \
             WHERE d.always OR NOT m.kept) \
         SELECT d.t, count(*) FROM {} AS m JOIN d ON d.place = m.domain GROUP BY 1",
        map::TABLE,
        map::TABLE
    );
    let counted: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(insert))
        .bind(ticket.key)
        .bind(ticket.run)
        .bind(pair.label(pair.closure.root))
        .bind(&ids.tenant)
        .bind(&ids.was)
        .bind(places)
        .bind(tables)
        .bind(names)
        .bind(roots)
        .fetch_all(live)
        .await
        .map_err(failed("keep the map of IDs"))?;
    Ok(counted.into_iter().map(|(table, ids)| (table, u64::try_from(ids).unwrap_or(0))).collect())
}

/// Takes out what a restore has kept.
pub(in super::super) async fn forget(live: &mut PgConnection, key: &str) -> Result<(), RestoreError> {
    sqlx::query("DELETE FROM reinstate.id_map WHERE key = $1")
        .bind(key)
        .execute(live)
        .await
        .map(drop)
        .map_err(failed("take out the map of IDs"))
}
