//! Old and new IDs: in temporary tables while rows are rewritten, and kept in the live database in the commit of the rows.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::plan::{Domain, Plan, Source};
use super::{Ids, RemapError};
use crate::postgres::quote::{literal, name, qualified};
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::ledger;
use crate::postgres::restore::load::Ticket;
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::session::run;
use crate::postgres::restore::stage::Stage;

/// `tenant` is the new ID, `was` the old one.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS reinstate.id_map ( \
      key text NOT NULL, run text NOT NULL, root text NOT NULL, tenant text NOT NULL, was text NOT NULL, \
      \"table\" text NOT NULL, \"column\" text NOT NULL, old text NOT NULL, new text NOT NULL, \
      PRIMARY KEY (key, \"table\", \"column\", old)); \
    CREATE INDEX IF NOT EXISTS id_map_tenant ON reinstate.id_map (root, tenant, \"table\", \"column\")";

/// Name of the temporary table of a domain.
pub(crate) fn table(domain: usize) -> String {
    format!("pg_temp.reinstate_map_{domain}")
}

/// Makes the kept map where there is none.
pub(crate) async fn make(connection: &mut PgConnection) -> Result<(), RestoreError> {
    ledger::make_table(connection, "reinstate.id_map", CREATE).await
}

/// Whether new IDs are taken for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    /// Sequences give numbers out.
    Real,
    /// They are only looked at: nothing will be written.
    Pretended,
}

/// Makes the maps of all domains from staged rows: all of them before any row is rewritten, since references lead around.
pub(crate) async fn draw(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    stages: &[Stage<'_>],
    ids: &Ids,
    draw: Draw,
) -> Result<(), RestoreError> {
    for (at, domain) in plan.domains.iter().enumerate() {
        let data_type = &domain.data_type;
        let twin = stages.iter().find(|stage| stage.sheet.place == domain.place).map(|stage| stage.twin.as_str());
        let staged = twin.map(|twin| {
            format!("SELECT DISTINCT s.{0} AS old FROM {twin} AS s WHERE s.{0} IS NOT NULL", name(&domain.column))
        });
        let rows = match (&domain.source, staged) {
            (Source::Sequence { schema, name, increment }, Some(staged)) => {
                let sequence = qualified(schema, name);
                // In their order, so that what was newer still looks newer.
                match draw {
                    Draw::Real => format!(
                        "SELECT k.old, nextval({})::{data_type} FROM ({staged} ORDER BY 1) AS k",
                        literal(&sequence)
                    ),
                    Draw::Pretended => format!(
                        "SELECT k.old, (q.last_value + {increment} * row_number() OVER (ORDER BY k.old))::{data_type} \
                         FROM ({staged}) AS k, {sequence} AS q"
                    ),
                }
            }
            (Source::Uuid, Some(staged)) => {
                format!("SELECT k.old, gen_random_uuid()::{data_type} FROM ({staged}) AS k")
            }
            _ => known(pair, domain, ids),
        };
        create(live, at, domain, &rows, "ON COMMIT DROP").await?;
    }
    Ok(())
}

/// Reads the maps of all domains back from the live database, for as long as the session lasts.
pub(crate) async fn recall(live: &mut PgConnection, plan: &Plan, pair: &Pair, ids: &Ids) -> Result<(), RestoreError> {
    let none = || RemapError::NoMap { was: ids.was.clone(), tenant: ids.tenant.clone() };
    if !ledger::has_table(live, "reinstate.id_map").await? {
        return Err(none().into());
    }
    let any = "SELECT EXISTS (SELECT FROM reinstate.id_map WHERE root = $1 AND tenant = $2 AND was = $3)";
    let (any,): (bool,) = sqlx::query_as(any)
        .bind(pair.label(pair.closure.root))
        .bind(&ids.tenant)
        .bind(&ids.was)
        .fetch_one(&mut *live)
        .await
        .map_err(failed("read the map of IDs"))?;
    if !any {
        return Err(none().into());
    }
    for (at, domain) in plan.domains.iter().enumerate() {
        create(live, at, domain, &known(pair, domain, ids), "").await?;
    }
    Ok(())
}

/// What is known of a domain without rows: the tenant's own IDs, and what an earlier restore has kept.
fn known(pair: &Pair, domain: &Domain, ids: &Ids) -> String {
    let data_type = &domain.data_type;
    if domain.source == Source::Tenant {
        return format!("SELECT {}::{data_type}, {}::{data_type}", literal(&ids.was), literal(&ids.tenant));
    }
    format!(
        "SELECT DISTINCT k.old::{data_type}, k.new::{data_type} FROM reinstate.id_map AS k WHERE k.root = {} AND k.tenant = {} \
         AND k.was = {} AND k.\"table\" = {} AND k.\"column\" = {}",
        literal(&pair.label(pair.closure.root)),
        literal(&ids.tenant),
        literal(&ids.was),
        literal(&domain.table),
        literal(&domain.column)
    )
}

/// Makes the temporary table of a domain. No old ID is there twice, and no new one: else rows could not be told apart.
async fn create(
    live: &mut PgConnection,
    at: usize,
    domain: &Domain,
    rows: &str,
    until: &str,
) -> Result<(), RestoreError> {
    let (table, data_type) = (format!("reinstate_map_{at}"), &domain.data_type);
    let script = format!(
        "CREATE TEMP TABLE {table} (old {data_type}, new {data_type}, old_text text, new_text text) {until}; \
         INSERT INTO {table} SELECT r.old, r.new, r.old::text, r.new::text FROM ({rows}) AS r(old, new); \
         CREATE UNIQUE INDEX ON {table} (old); CREATE UNIQUE INDEX ON {table} (new); \
         CREATE UNIQUE INDEX ON {table} (old_text); CREATE UNIQUE INDEX ON {table} (new_text); ANALYZE {table}"
    );
    run(live, &script, &format!("give new IDs to {}.{}", domain.table, domain.column)).await
}

/// Writes the new IDs into the live database; returns how many each table got.
pub(crate) async fn keep(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    ids: &Ids,
    ticket: Ticket<'_>,
) -> Result<BTreeMap<String, u64>, RestoreError> {
    let mut kept = BTreeMap::new();
    for (at, domain) in plan.domains.iter().enumerate().filter(|(_, domain)| domain.source != Source::Earlier) {
        let insert = format!(
            "INSERT INTO reinstate.id_map (key, run, root, tenant, was, \"table\", \"column\", old, new) \
             SELECT $1, $2, $3, $4, $5, $6, $7, m.old_text, m.new_text FROM {} AS m",
            table(at)
        );
        let done = sqlx::query(AssertSqlSafe(insert))
            .bind(ticket.key)
            .bind(ticket.run)
            .bind(pair.label(pair.closure.root))
            .bind(&ids.tenant)
            .bind(&ids.was)
            .bind(&domain.table)
            .bind(&domain.column)
            .execute(&mut *live)
            .await
            .map_err(failed("keep the map of IDs"))?;
        if done.rows_affected() > 0 {
            *kept.entry(domain.table.clone()).or_insert(0) += done.rows_affected();
        }
    }
    Ok(kept)
}

/// Takes out what a restore has kept.
pub(crate) async fn forget(live: &mut PgConnection, key: &str) -> Result<(), RestoreError> {
    sqlx::query("DELETE FROM reinstate.id_map WHERE key = $1")
        .bind(key)
        .execute(live)
        .await
        .map(drop)
        .map_err(failed("take out the map of IDs"))
}
