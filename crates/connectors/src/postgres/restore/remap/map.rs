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

/// Name of the temporary table of all domains: `domain`, `old`, `new`. IDs are texts there, whatever their types.
pub(super) const TABLE: &str = "pg_temp.reinstate_map";

/// Makes the kept map where there is none.
pub(in super::super) async fn make(connection: &mut PgConnection) -> Result<(), RestoreError> {
    ledger::make_table(connection, "reinstate.id_map", CREATE).await
}

/// Whether new IDs are taken for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draw {
    /// Sequences give numbers out.
    Real,
    /// They are only looked at: nothing will be written.
    Pretended,
}

/// Makes the maps of all domains from staged rows: all of them before any row is rewritten, since references lead around.
pub(super) async fn draw(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    stages: &[Stage<'_>],
    ids: &Ids,
    draw: Draw,
) -> Result<(), RestoreError> {
    let drawn = |domain: &Domain| {
        let twin = stages.iter().find(|stage| stage.sheet.place == domain.place).map(|stage| stage.twin.as_str());
        let staged = twin.map(|twin| {
            let column = name(&domain.column);
            format!("SELECT DISTINCT s.{column} AS old FROM {twin} AS s WHERE s.{column} IS NOT NULL")
        });
        match (&domain.source, staged) {
            (Source::Sequence { schema, name, increment }, Some(staged)) => {
                let sequence = qualified(schema, name);
                // In their order, so that what was newer still looks newer.
                match draw {
                    Draw::Real => {
                        let next = literal(&sequence);
                        format!("SELECT k.old::text, nextval({next})::text FROM ({staged} ORDER BY 1) AS k")
                    }
                    Draw::Pretended => format!(
                        "SELECT k.old::text, (q.last_value + {increment} * row_number() OVER (ORDER BY k.old))::text \
                         FROM ({staged}) AS k, {sequence} AS q"
                    ),
                }
            }
            (Source::Uuid, Some(staged)) => format!("SELECT k.old::text, gen_random_uuid()::text FROM ({staged}) AS k"),
            _ => known(pair, domain, ids),
        }
    };
    create(live, plan, drawn, "ON COMMIT DROP").await
}

/// Reads the maps of all domains back from the live database, for as long as the session lasts.
pub(super) async fn recall(live: &mut PgConnection, plan: &Plan, pair: &Pair, ids: &Ids) -> Result<(), RestoreError> {
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
    create(live, plan, |domain| known(pair, domain, ids), "").await
}

/// What is known of a domain without rows: the tenant's own IDs, and what an earlier restore has kept.
fn known(pair: &Pair, domain: &Domain, ids: &Ids) -> String {
    if domain.source == Source::Tenant {
        return format!("SELECT {}, {}", literal(&ids.was), literal(&ids.tenant));
    }
    format!(
        "SELECT DISTINCT k.old, k.new FROM reinstate.id_map AS k WHERE k.root = {} AND k.tenant = {} AND k.was = {} \
         AND k.\"table\" = {} AND k.\"column\" = {}",
        literal(&pair.label(pair.closure.root)),
        literal(&ids.tenant),
        literal(&ids.was),
        literal(&domain.table),
        literal(&domain.column)
    )
}

/// Makes the temporary table. No old ID of a domain is there twice, and no new one: else rows could not be told apart.
async fn create(
    live: &mut PgConnection,
    plan: &Plan,
    rows: impl Fn(&Domain) -> String,
    until: &str,
) -> Result<(), RestoreError> {
    let mut script = format!("CREATE TEMP TABLE reinstate_map (domain int, old text, new text) {until};");
    for (at, domain) in plan.domains.iter().enumerate() {
        let insert =
            format!("INSERT INTO reinstate_map SELECT {at}, r.old, r.new FROM ({}) AS r(old, new);", rows(domain));
        script.push_str(&insert);
    }
    script.push_str(
        "CREATE UNIQUE INDEX ON reinstate_map (domain, old); CREATE UNIQUE INDEX ON reinstate_map (domain, new); \
         ANALYZE reinstate_map",
    );
    run(live, &script, "give new IDs").await
}

/// Writes the new IDs into the live database; returns how many each table got.
pub(super) async fn keep(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    ids: &Ids,
    ticket: Ticket<'_>,
) -> Result<BTreeMap<String, u64>, RestoreError> {
    // What an earlier restore has kept is its own.
    let own = plan.domains.iter().enumerate().filter(|(_, domain)| domain.source != Source::Earlier);
    let (mut places, mut tables, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (at, domain) in own {
        places.push(i32::try_from(at).unwrap_or(i32::MAX));
        tables.push(domain.table.clone());
        names.push(domain.column.clone());
    }
    let insert = format!(
        "WITH kept AS (INSERT INTO reinstate.id_map (key, run, root, tenant, was, \"table\", \"column\", old, new) \
           SELECT $1, $2, $3, $4, $5, d.t, d.c, m.old, m.new FROM {TABLE} AS m \
           JOIN unnest($6::int4[], $7::text[], $8::text[]) AS d(place, t, c) ON d.place = m.domain RETURNING \"table\") \
         SELECT \"table\", count(*) FROM kept GROUP BY 1"
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
