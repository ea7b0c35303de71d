//! Pools that runs share. A call that changes nothing that others see is a read; the rest divides an estate one at a time.

use async_trait::async_trait;
use runtime::{Grant, JournalError, Lease, Party, SharedPools, Want};

use super::PostgresStore;
use super::lease::{self, Standing};
use super::sql::{self, Answer};
use super::trouble::Failure;
use super::work::{Transaction, Work};
use crate::shares::{Asker, Share, Weighed, weigh};

/// The SQL that reads how the run stands, and the live shares of the pools that it names.
fn shares(s: &str, lease: &Lease, estate: &str, wants: &[Want]) -> String {
    format!(
        "{standing};\n\
         SELECT asked.place, s.run, s.slots, s.held, s.want, s.unit \
         FROM unnest({pools}, {keys}) WITH ORDINALITY AS asked(pool, key, place) \
         JOIN {s}.shares s ON s.estate = {estate} AND s.pool = decode(asked.pool, 'hex') AND s.key = decode(asked.key, 'hex') \
         JOIN {s}.positions p ON p.run = s.run AND p.epoch = s.epoch \
         WHERE p.expires_at > (SELECT {s}.now_ms()) OR s.run = (SELECT id FROM {s}.runs WHERE name = {run}) \
         ORDER BY asked.place, s.run",
        standing = lease::standing(s, &lease.run),
        pools = sql::hexes(wants.iter().map(|want| want.pool.as_str())),
        keys = sql::hexes(wants.iter().map(|want| want.key.as_str())),
        estate = sql::text(estate),
        run = sql::text(&lease.run),
    )
}

/// Weighs what the answer to [`shares`] says; its two answers are the last ones.
fn weighed<'a>(answers: &[Answer], lease: &Lease, wants: &'a [Want]) -> Result<Weighed<'a>, Failure> {
    let [.., standing, shares] = answers else { return Err(sqlx::Error::RowNotFound.into()) };
    let Standing { id: run, expires_at, now, .. } = lease::is_newest(Standing::of(standing)?, lease)?;
    let shares: Vec<Share> = shares.rows.iter().map(|row| Share::of(row, 1)).collect::<Result<_, _>>()?;
    Ok(weigh(&Asker { run, expires_at, now }, &shares, wants))
}

/// Divides while nobody else divides pools of the estate: its row is written first, and what counts is read after that.
pub(super) async fn share(
    transaction: &mut Transaction<'_>,
    lease: &Lease,
    estate: &str,
    wants: &[Want],
) -> Result<Vec<Grant>, Failure> {
    let s = transaction.schema;
    let message = format!(
        "{begin}INSERT INTO {s}.estates (estate, turn) VALUES ({name}, 0) \
         ON CONFLICT (estate) DO UPDATE SET turn = estates.turn + 1;\n{shares}",
        begin = sql::begin(),
        name = sql::text(estate),
        shares = shares(s, lease, estate, wants),
    );
    let answers = transaction.send(message).await?;
    let Weighed { run, grants, rows } = weighed(&answers, lease, wants)?;
    if rows.is_empty() {
        return Ok(grants);
    }
    let (estate, epoch) = (sql::text(estate), sql::unsigned(lease.epoch));
    let column = |of: fn(&Party) -> u32| sql::numbers(rows.iter().map(|(_, party)| i64::from(of(party))));
    // A process that was taken over in this very moment must not replace what its successor said.
    let message = format!(
        "INSERT INTO {s}.shares (estate, pool, key, run, epoch, slots, held, want, unit) \
         SELECT {estate}, decode(pool, 'hex'), decode(key, 'hex'), {run}, {epoch}, slots, held, want, unit \
         FROM unnest({pools}, {keys}, {slots}, {held}, {want}, {unit}) AS said(pool, key, slots, held, want, unit) \
         ON CONFLICT (estate, pool, key, run) DO UPDATE SET epoch = excluded.epoch, slots = excluded.slots, \
         held = excluded.held, want = excluded.want, unit = excluded.unit WHERE shares.epoch <= excluded.epoch;\n\
         DELETE FROM {s}.shares WHERE run = {run} AND estate = {estate} AND epoch = {epoch} AND held = 0 AND want = 0",
        pools = sql::hexes(rows.iter().map(|(want, _)| want.pool.as_str())),
        keys = sql::hexes(rows.iter().map(|(want, _)| want.key.as_str())),
        slots = column(|party| party.limit),
        held = column(|party| party.held),
        want = column(|party| party.want),
        unit = column(|party| party.unit),
    );
    transaction.send(message).await?;
    Ok(grants)
}

#[async_trait]
impl SharedPools for PostgresStore {
    async fn share(&self, lease: &Lease, estate: &str, wants: &[Want]) -> Result<Vec<Grant>, JournalError> {
        let look = shares(self.connections.schema(), lease, estate, wants);
        let seen = self.asked(look, |answers| {
            let weighed = weighed(&answers, lease, wants)?;
            Ok(weighed.rows.is_empty().then_some(weighed.grants))
        });
        match seen.await? {
            Some(grants) => Ok(grants),
            None => self.transact(Work::Share { lease, estate, wants }).await.map(|done| done.grants),
        }
    }

    async fn leave(&self, lease: &Lease) -> Result<(), JournalError> {
        let shares = lease::drop_shares(self.connections.schema(), &lease.run, &sql::unsigned(lease.epoch));
        self.connections.change(shares, true).await.map(drop)
    }
}
