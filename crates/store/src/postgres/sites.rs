//! Locks on sites. A list of them comes as one array, so that 100,000 cost a few statements, not 100,000.

use async_trait::async_trait;
use runtime::{HeldSite, JournalError, RunCopy, RunHead, SiteLocks};
use sqlx::Row;

use super::PostgresStore;
use super::sql;
use super::trouble::Failure;
use super::work::{Transaction, Work};
use crate::named::Named;
use crate::rows;

/// Sites as rows: `site` and, in their order, `place`.
fn listed(named: &Named) -> String {
    let array = sql::hexes(named.sites.iter().map(String::as_str));
    format!(
        "(SELECT decode(hex, 'hex') AS site, place FROM unnest({array}) WITH ORDINALITY AS listed(hex, place)) AS asked"
    )
}

/// Holds all the sites, or refuses. What the server says after the insert counts: of two that want one site, the second
/// waits in the insert for the end of the first.
pub(super) async fn hold(transaction: &mut Transaction<'_>, run: i64, named: &Named) -> Result<(), Failure> {
    let s = transaction.schema;
    let estate = sql::text(&named.estate);
    let rows = listed(named);
    let missing = format!(
        "SELECT encode(asked.site, 'hex') AS site, encode(r.name, 'hex') AS run, \
         count(*) OVER () AS missing, count(r.id) OVER () AS taken \
         FROM {rows} LEFT JOIN {s}.held_sites h ON h.estate = {estate} AND h.site = asked.site \
         LEFT JOIN {s}.runs r ON r.id = h.run WHERE h.run IS NULL OR h.run <> {run} \
         ORDER BY r.id IS NULL, asked.place LIMIT 1"
    );
    let insert = format!(
        "INSERT INTO {s}.held_sites (estate, site, run) SELECT {estate}, site, {run} FROM {rows} ORDER BY place \
         ON CONFLICT (estate, site) DO NOTHING"
    );
    loop {
        let answers = transaction.send(missing.clone()).await?;
        let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else { return Ok(()) };
        let taken: i64 = row.try_get("taken")?;
        if taken > 0 {
            let HeldSite { site, run } = rows::held_site(row)?;
            return Err(JournalError::SiteHeld { site, run, more: taken.unsigned_abs() - 1 }.into());
        }
        // A site that another run lets go at the same moment may be in the way now and missing afterwards: once more.
        transaction.send(insert.clone()).await?;
    }
}

#[async_trait]
impl SiteLocks for PostgresStore {
    async fn create_holding(
        &self,
        head: &RunHead,
        plan: &[u8],
        estate: &str,
        sites: &[String],
    ) -> Result<(), JournalError> {
        let named = Named::new(estate, sites);
        self.transact(Work::Create { head, plan, hold: Some(&named) }).await.map(drop)
    }

    async fn create_copy(&self, copy: &RunCopy) -> Result<(), JournalError> {
        let sites = Named::new(&copy.estate, &copy.sites);
        self.transact(Work::Copy { copy, sites: &sites }).await.map(drop)
    }

    async fn hold_sites(&self, run: &str, estate: &str, sites: &[String]) -> Result<(), JournalError> {
        let named = Named::new(estate, sites);
        self.transact(Work::Hold { run, sites: &named }).await.map(drop)
    }

    async fn let_go(&self, run: &str, estate: &str, sites: &[String]) -> Result<u64, JournalError> {
        let named = Named::new(estate, sites);
        let (estate, rows) = (sql::text(estate), listed(&named));
        self.let_sites_go(run, &format!("AND estate = {estate} AND site IN (SELECT site FROM {rows})")).await
    }

    async fn let_go_all(&self, run: &str) -> Result<u64, JournalError> {
        self.let_sites_go(run, "").await
    }

    async fn holders(&self, estate: &str, sites: &[String]) -> Result<Vec<HeldSite>, JournalError> {
        let s = self.connections.schema();
        let message = format!(
            "SELECT encode(h.site, 'hex') AS site, encode(r.name, 'hex') AS run FROM {rows} \
             JOIN {s}.held_sites h ON h.estate = {estate} AND h.site = asked.site JOIN {s}.runs r ON r.id = h.run \
             ORDER BY asked.place",
            rows = listed(&Named::new(estate, sites)),
            estate = sql::text(estate),
        );
        self.asked(message, |answers| {
            let rows = answers.first().map(|answer| &answer.rows[..]).unwrap_or_default();
            Ok(rows.iter().map(rows::held_site).collect::<Result<_, _>>()?)
        })
        .await
    }
}

impl PostgresStore {
    async fn let_sites_go(&self, run: &str, which: &str) -> Result<u64, JournalError> {
        let s = self.connections.schema();
        let name = sql::text(run);
        // Not done twice: how many there were would be lost.
        let message = format!(
            "DELETE FROM {s}.held_sites WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) {which};\n\
             SELECT id FROM {s}.runs WHERE name = {name}"
        );
        let answers = self.connections.change(message, false).await?;
        match &answers[..] {
            [gone, known] if !known.rows.is_empty() => Ok(gone.changed),
            _ => Err(JournalError::NoSuchRun(run.to_owned())),
        }
    }
}
