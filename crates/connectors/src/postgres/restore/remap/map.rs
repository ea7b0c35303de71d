//! Old and new IDs in a temporary table, while rows are rewritten or compared: known ones, and those that are drawn.

use sqlx::PgConnection;

use super::plan::{Domain, Plan, Source};
use super::{Ids, RemapError, kept};
use crate::postgres::quote::{literal, name, qualified};
use crate::postgres::restore::error::{RestoreError, failed};
use crate::postgres::restore::pair::Pair;
use crate::postgres::restore::sequences::Raised;
use crate::postgres::restore::session::run;
use crate::postgres::restore::stage::Stage;

/// Name of the temporary table of all domains: `domain`, `old`, `new`, and `kept`, whether an earlier restore has given
/// it. IDs are texts there, whatever their types.
pub(super) const TABLE: &str = "pg_temp.reinstate_map";

/// Whether new IDs are taken for good.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draw<'r> {
    /// Sequences give numbers out.
    Real,
    /// They are only looked at, as if these were raised: nothing will be written.
    Pretended(&'r [Raised]),
}

/// Makes the maps of all domains: what is known of the tenant under its new ID stays, and the rest of the staged rows'
/// values get new ones. All of them before any row is rewritten, since references lead around.
pub(super) async fn draw(
    live: &mut PgConnection,
    plan: &Plan,
    pair: &Pair,
    stages: &[Stage<'_>],
    ids: &Ids,
    draw: Draw<'_>,
) -> Result<(), RestoreError> {
    let drawn = |(at, domain): (usize, &Domain)| {
        let stage = stages.iter().find(|stage| stage.sheet.place == domain.place)?;
        let column = name(&domain.column);
        // In their order, so that what was newer still looks newer.
        let staged = format!(
            "SELECT DISTINCT s.{column} AS old FROM {} AS s WHERE s.{column} IS NOT NULL AND NOT EXISTS \
             (SELECT FROM {TABLE} AS m WHERE m.domain = {at} AND m.old = s.{column}::text) ORDER BY 1",
            stage.twin
        );
        match &domain.source {
            Source::Sequence { schema, name, increment } => {
                let sequence = qualified(schema, name);
                Some(match draw {
                    Draw::Real => {
                        format!("SELECT k.old::text, nextval({})::text FROM ({staged}) AS k", literal(&sequence))
                    }
                    Draw::Pretended(raised) => {
                        let raised = raised.iter().find(|it| it.sequence == format!("{schema}.{name}"));
                        let last = match raised {
                            Some(raised) => raised.to.to_string(),
                            None => format!("q.last_value - CASE WHEN q.is_called THEN 0 ELSE {increment} END"),
                        };
                        format!(
                            "SELECT k.old::text, ({last} + {increment} * row_number() OVER (ORDER BY k.old))::text \
                             FROM ({staged}) AS k, {sequence} AS q"
                        )
                    }
                })
            }
            Source::Uuid => Some(format!("SELECT k.old::text, gen_random_uuid()::text FROM ({staged}) AS k")),
            Source::Tenant | Source::Earlier => None,
        }
    };
    let is_there = kept::is_there(live).await?;
    create(live, (plan, pair, ids), is_there, drawn, "ON COMMIT DROP").await
}

/// Reads the maps of all domains back from the live database, for as long as the session lasts.
pub(super) async fn recall(live: &mut PgConnection, plan: &Plan, pair: &Pair, ids: &Ids) -> Result<(), RestoreError> {
    let none = || RemapError::NoMap { was: ids.was.clone(), tenant: ids.tenant.clone() };
    if !kept::is_there(live).await? {
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
    create(live, (plan, pair, ids), true, |_| None, "").await
}

/// Makes the temporary table. No old ID of a domain is there twice, and no new one: else rows could not be told apart.
async fn create(
    live: &mut PgConnection,
    (plan, pair, ids): (&Plan, &Pair, &Ids),
    is_kept: bool,
    drawn: impl Fn((usize, &Domain)) -> Option<String>,
    until: &str,
) -> Result<(), RestoreError> {
    let mut script = format!("CREATE TEMP TABLE reinstate_map (domain int, old text, new text, kept bool) {until};");
    for (at, domain) in plan.domains.iter().enumerate() {
        let mut add = |rows: &str, is_kept: &str| {
            script.push_str(&format!(
                "INSERT INTO reinstate_map SELECT {at}, r.old, r.new, {is_kept} FROM ({rows}) AS r(old, new);"
            ));
        };
        let known = kept::known(pair, ids, &domain.table, &domain.column);
        match domain.source {
            Source::Tenant => {
                let own = format!("SELECT {}, {}", literal(&ids.was), literal(&ids.tenant));
                add(&own, &if is_kept { format!("EXISTS ({known})") } else { "false".to_owned() });
            }
            _ if is_kept => add(&known, "true"),
            _ => {}
        }
        if let Some(drawn) = drawn((at, domain)) {
            add(&drawn, "false");
        }
    }
    script.push_str(
        "CREATE UNIQUE INDEX ON reinstate_map (domain, old); CREATE UNIQUE INDEX ON reinstate_map (domain, new); \
         ANALYZE reinstate_map",
    );
    match run(live, &script, "give new IDs").await {
        Err(RestoreError::Database { state: Some(state), .. }) if state == "23505" => {
            Err(RemapError::Twice { was: ids.was.clone(), tenant: ids.tenant.clone() }.into())
        }
        made => made,
    }
}
