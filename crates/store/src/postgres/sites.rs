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

/// Sites of one message: few enough for a slow line, see `sql`.
const PIECE: usize = 4_000;
/// How often sites that were in the way and are missing afterwards are tried for.
const ROUNDS: u32 = 1_000;

/// Sites as rows: `site` and, in their order, `place`.
fn listed(sites: &[String]) -> String {
    let array = sql::hexes(sites.iter().map(String::as_str));
    format!(
        "(SELECT decode(hex, 'hex') AS site, place FROM unnest({array}) WITH ORDINALITY AS listed(hex, place)) AS asked"
    )
}

/// Holds all the sites, or refuses and says how many are in the way.
pub(super) async fn hold(transaction: &mut Transaction<'_>, run: i64, named: &Named) -> Result<(), Failure> {
    let mut refused: Option<(HeldSite, u64)> = None;
    for sites in named.sites.chunks(PIECE) {
        if let Some((held, more)) = hold_some(transaction, run, &named.estate, sites, refused.is_some()).await? {
            refused = Some(match refused {
                Some((first, before)) => (first, before + more),
                None => (held, more),
            });
        }
    }
    match refused {
        Some((HeldSite { site, run }, all)) => Err(JournalError::SiteHeld { site, run, more: all - 1 }.into()),
        None => Ok(()),
    }
}

/// Holds some sites, or gives the first that is in the way and how many are; `only_count` after a refusal. What the server says
/// after the insert counts: of two that want one site, the second waits in the insert for the end of the first.
async fn hold_some(
    transaction: &mut Transaction<'_>,
    run: i64,
    estate: &str,
    sites: &[String],
    only_count: bool,
) -> Result<Option<(HeldSite, u64)>, Failure> {
    let s = transaction.schema;
    let (estate_text, rows) = (sql::text(estate), listed(sites));
    let missing = format!(
        "SELECT encode(asked.site, 'hex') AS site, encode(r.name, 'hex') AS run, count(r.id) OVER () AS taken \
         FROM {rows} LEFT JOIN {s}.held_sites h ON h.estate = {estate_text} AND h.site = asked.site \
         LEFT JOIN {s}.runs r ON r.id = h.run WHERE h.run IS NULL OR h.run <> {run} \
         ORDER BY r.id IS NULL, asked.place LIMIT 1"
    );
    let insert = format!(
        "INSERT INTO {s}.held_sites (estate, site, run) SELECT {estate_text}, site, {run} FROM {rows} ORDER BY place \
         ON CONFLICT (estate, site) DO NOTHING"
    );
    for _ in 0..ROUNDS {
        let answers = transaction.send(missing.clone()).await?;
        let Some(row) = answers.first().and_then(|answer| answer.rows.first()) else { return Ok(None) };
        let taken = row.try_get::<i64, _>("taken")?.unsigned_abs();
        if taken > 0 {
            return Ok(Some((rows::held_site(row)?, taken)));
        }
        if only_count {
            return Ok(None);
        }
        // A site that another run lets go at the same moment may be in the way now and missing afterwards: once more.
        transaction.send(insert.clone()).await?;
    }
    let what = format!("a site of estate {estate} is held by a run that there is not");
    Err(JournalError::Corrupt(what).into())
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
        let (estate, rows) = (sql::text(estate), listed(&named.sites));
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
            rows = listed(&Named::new(estate, sites).sites),
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
