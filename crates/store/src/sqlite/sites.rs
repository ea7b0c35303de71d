//! Locks on sites. A list of them comes as one JSON parameter, so that 100,000 cost one statement, not 100,000.

use async_trait::async_trait;
use runtime::{HeldSite, JournalError, RunCopy, RunHead, SiteLocks};
use sqlx::types::Json;
use sqlx::{Row, SqliteConnection};

use super::SqliteJournal;
use super::lease;
use super::trouble::Failure;
use super::work::Work;
use crate::named::Named;
use crate::rows;

/// Refuses if a run other than this one holds one of the sites.
pub(super) async fn free(connection: &mut SqliteConnection, run: Option<i64>, named: &Named) -> Result<(), Failure> {
    let row = sqlx::query(
        "SELECT h.site, r.name, count(*) OVER () - 1 AS more \
         FROM json_each($2) j CROSS JOIN held_sites h ON h.estate = $1 AND h.site = j.value JOIN runs r ON r.id = h.run \
         WHERE h.run IS NOT $3 ORDER BY j.key LIMIT 1",
    )
    .bind(&named.estate)
    .bind(Json(&named.sites))
    .bind(run)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let more: i64 = row.try_get("more")?;
    let (site, run) = (row.try_get("site")?, row.try_get("name")?);
    Err(JournalError::SiteHeld { site, run, more: more.unsigned_abs() }.into())
}

/// Holds sites that are free.
pub(super) async fn hold(connection: &mut SqliteConnection, run: i64, named: &Named) -> Result<u64, Failure> {
    let held = sqlx::query(
        "INSERT INTO held_sites (estate, site, run) SELECT $1, value, $3 FROM json_each($2) WHERE true \
         ON CONFLICT (estate, site) DO NOTHING",
    )
    .bind(&named.estate)
    .bind(Json(&named.sites))
    .bind(run)
    .execute(connection)
    .await?;
    Ok(held.rows_affected())
}

/// Lets some sites of a run go, or all.
pub(super) async fn let_go(
    connection: &mut SqliteConnection,
    run: &str,
    named: Option<&Named>,
) -> Result<u64, Failure> {
    let id = lease::run_id(connection, run).await?;
    let gone = match named {
        Some(named) => {
            let statement = "DELETE FROM held_sites \
                 WHERE estate = $1 AND site IN (SELECT value FROM json_each($2)) AND run = $3";
            sqlx::query(statement).bind(&named.estate).bind(Json(&named.sites)).bind(id).execute(connection).await?
        }
        None => sqlx::query("DELETE FROM held_sites WHERE run = $1").bind(id).execute(connection).await?,
    };
    Ok(gone.rows_affected())
}

#[async_trait]
impl SiteLocks for SqliteJournal {
    async fn create_holding(
        &self,
        head: &RunHead,
        plan: &[u8],
        estate: &str,
        sites: &[String],
    ) -> Result<(), JournalError> {
        let hold = Some(Named::new(estate, sites));
        self.change(Work::Create { head: head.clone(), plan: plan.to_vec(), hold }).await.map(drop)
    }

    async fn create_copy(&self, copy: &RunCopy) -> Result<(), JournalError> {
        let sites = Named::new(&copy.estate, &copy.sites);
        self.change(Work::Copy { copy: Box::new(copy.clone()), sites }).await.map(drop)
    }

    async fn hold_sites(&self, run: &str, estate: &str, sites: &[String]) -> Result<(), JournalError> {
        self.change(Work::Hold { run: run.to_owned(), sites: Named::new(estate, sites) }).await.map(drop)
    }

    async fn let_go(&self, run: &str, estate: &str, sites: &[String]) -> Result<u64, JournalError> {
        let sites = Some(Named::new(estate, sites));
        self.change(Work::LetGo { run: run.to_owned(), sites }).await.map(|done| done.number)
    }

    async fn let_go_all(&self, run: &str) -> Result<u64, JournalError> {
        self.change(Work::LetGo { run: run.to_owned(), sites: None }).await.map(|done| done.number)
    }

    async fn holders(&self, estate: &str, sites: &[String]) -> Result<Vec<HeldSite>, JournalError> {
        let named = Named::new(estate, sites);
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_shared(&self.path, self.lock_wait).await? else { return Ok(Vec::new()) };
        let answer = holders(connection, &named).await;
        self.judge(&mut reader, answer)
    }
}

async fn holders(connection: &mut SqliteConnection, named: &Named) -> Result<Vec<HeldSite>, Failure> {
    let found = sqlx::query(
        "SELECT h.site, r.name AS run \
         FROM json_each($2) j CROSS JOIN held_sites h ON h.estate = $1 AND h.site = j.value JOIN runs r ON r.id = h.run \
         ORDER BY j.key",
    )
    .bind(&named.estate)
    .bind(Json(&named.sites))
    .fetch_all(connection)
    .await?;
    Ok(found.iter().map(rows::held_site).collect::<Result<_, _>>()?)
}
