//! `sqlite/verify@1`: one tenant, both files.

use runtime::Call;
use serde_json::Value;

use super::conflict::{listed, texts};
use super::file::{Place, database};
use super::input::{Verified, Verify};
use super::pool::{Guard, Pool};
use super::tally;
use crate::answer::{Trouble, revealed};

/// Compares counts and hashes of each table, and looks for rows without their parent, in one snapshot.
pub(super) async fn apply(pool: &Pool, call: &Call) -> Result<Value, Trouble> {
    let input: Verify = revealed(&call.with, &call.secrets)?;
    let (live, from) = (Place::new(&input.to), Place::new(&input.from));
    let mut used = pool.take(&live, Some(&from), Guard::Keys).await?;
    let failed = |error: sqlx::Error| database(&live, &error);
    let plan = pool.plan(&mut used, &input.root, &input.tables, false).await?;
    sqlx::query("BEGIN").execute(&mut used.connection).await.map_err(failed)?;
    let compared = async {
        let source = tally::read(&mut used.connection, &plan.source, &input.tenant, false).await.map_err(failed)?;
        let target = tally::read(&mut used.connection, &plan.target, &input.tenant, false).await.map_err(failed)?;
        let orphans = match &plan.orphans {
            Some(orphans) => texts(&mut used.connection, &live, orphans, &input.tenant).await?,
            None => Vec::new(),
        };
        Ok::<_, Trouble>((source.tally, target.tally, orphans))
    };
    let compared = compared.await;
    if sqlx::query("ROLLBACK").execute(&mut used.connection).await.is_ok() {
        pool.keep(used);
    }
    let (source, target, orphans) = compared?;
    let differences = source.differences(&target, &plan.names());
    if !differences.is_empty() {
        return Err(Trouble::never("sqlite.differ", format!("{live}: {}: {}", input.tenant, listed(&differences)))
            .hint("restore the tenant, or find out who has changed it since"));
    }
    if !orphans.is_empty() {
        return Err(Trouble::never("sqlite.foreign_key", format!("{live}: {}: {}", input.tenant, listed(&orphans))));
    }
    let verified = Verified { rows: target.rows(), tables: target.by_table(&plan.names()), hash: target.hash() };
    serde_json::to_value(verified).map_err(|error| Trouble::retry("sqlite.failed", error.to_string()))
}
