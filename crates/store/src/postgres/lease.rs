//! Leases: who may drive a run, by compare-and-set with an epoch. Time is the database's, and only time frees a lease:
//! whether a process on another host lives cannot be known here.

use runtime::engine::Millis;
use runtime::{Holder, JournalError, Lease};
use sqlx::Row;

use super::PostgresStore;
use super::sql;
use crate::rows::{self, Columns};

/// The longest lease, so that no time and it together are more than a number can be.
const LONGEST: u64 = 1 << 62;

/// How a run stands.
pub(super) struct Standing {
    pub(super) id: i64,
    pub(super) epoch: i64,
    pub(super) expires_at: Millis,
    pub(super) now: Millis,
}

/// The SQL that reads a [`Standing`].
pub(super) fn standing(s: &str, run: &str) -> String {
    format!(
        "SELECT r.id, p.epoch, p.expires_at, {s}.now_ms() AS now FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id \
         WHERE r.name = {}",
        sql::text(run)
    )
}

/// The SQL that locks the row of a run until the end of the transaction, and answers with its `id`. The row is written and not
/// only locked: who waited for it on a database that keeps to one moment is told to begin again, and looks at nothing old.
pub(super) fn lock_run(s: &str, run: &str) -> String {
    format!("UPDATE {s}.runs SET plan_size = plan_size WHERE name = {} RETURNING id", sql::text(run))
}

impl Standing {
    /// Reads the answer to [`standing`].
    pub(super) fn of(answer: &sql::Answer) -> Result<Option<Self>, sqlx::Error> {
        let Some(row) = answer.rows.first() else { return Ok(None) };
        Ok(Some(Self {
            id: row.try_get("id")?,
            epoch: row.try_get("epoch")?,
            expires_at: row.try_get("expires_at")?,
            now: row.try_get("now")?,
        }))
    }
}

/// Refuses unless the run exists and the lease has its newest epoch.
pub(super) fn is_newest(standing: Option<Standing>, lease: &Lease) -> Result<Standing, JournalError> {
    rows::is_newest(lease, standing.as_ref().map(|standing| standing.epoch))?;
    standing.ok_or_else(|| JournalError::NoSuchRun(lease.run.clone()))
}

/// A time from now, by the database's clock.
pub(super) fn expiry(s: &str, ttl_ms: u64) -> String {
    format!("{s}.now_ms() + {}", sql::unsigned(ttl_ms.min(LONGEST)))
}

/// Forgets the shares of a run under this epoch and those before it.
pub(super) fn drop_shares(s: &str, run: &str, epoch: &str) -> String {
    let run = sql::text(run);
    format!("DELETE FROM {s}.shares WHERE run = (SELECT id FROM {s}.runs WHERE name = {run}) AND epoch <= {epoch}")
}

impl PostgresStore {
    pub(super) async fn take_lease(
        &self,
        run: &str,
        holder: &Holder,
        ttl_ms: u64,
        drives: bool,
    ) -> Result<Lease, JournalError> {
        let s = self.connections.schema();
        // Who holds it is read first and by itself: if it is free, that costs nothing that matters.
        loop {
            let message = format!(
                "UPDATE {s}.positions SET epoch = epoch + 1, holder = {holder}, goes_on = {drives} OR (goes_on AND expires_at > {released}), \
                 expires_at = {expiry} WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) AND expires_at <= {s}.now_ms() \
                 RETURNING epoch, goes_on;\n\
                 DELETE FROM {s}.shares q USING {s}.positions p WHERE p.run = (SELECT id FROM {s}.runs WHERE name = {name}) \
                 AND q.run = p.run AND q.epoch < p.epoch;\n\
                 SELECT encode(p.holder, 'hex') AS holder, p.expires_at > {s}.now_ms() AS live \
                 FROM {s}.runs r JOIN {s}.positions p ON p.run = r.id WHERE r.name = {name}",
                holder = sql::text(&holder.name),
                released = sql::signed(rows::RELEASED),
                expiry = expiry(s, ttl_ms),
                name = sql::text(run),
            );
            let answers = self.connections.change(message, false).await?;
            let taken = answers.first().and_then(|answer| answer.rows.first());
            if let Some(row) = taken {
                let damage = |error| self.damage(error);
                let epoch = row.count("epoch").map_err(damage)?;
                let was_left = !drives && row.flag("goes_on").map_err(damage)?;
                return Ok(Lease { run: run.to_owned(), epoch, was_left });
            }
            let Some(row) = answers.last().and_then(|answer| answer.rows.first()) else {
                return Err(JournalError::NoSuchRun(run.to_owned()));
            };
            // It may have expired between the two statements.
            if row.try_get("live").map_err(|error| self.damage(error))? {
                let holder = row.text("holder").map_err(|error| self.damage(error))?;
                return Err(JournalError::Held { run: run.to_owned(), holder });
            }
        }
    }

    /// Extends a lease, if it is the newest and was not given back: a message may come late.
    pub(super) async fn extend_lease(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        let at = expiry(self.connections.schema(), ttl_ms);
        let set = format!("expires_at = {at}");
        if !self.set(lease, &set, &format!("expires_at > {}", sql::signed(rows::HANDED_ON)), "").await? {
            self.refusal(lease).await?;
            return Err(JournalError::Fenced { run: lease.run.clone(), epoch: lease.epoch });
        }
        Ok(())
    }

    /// Ends a lease: [`RELEASED`](crate::rows::RELEASED), or left to whoever stands by.
    pub(super) async fn end_lease(&self, lease: &Lease, at: Millis) -> Result<(), JournalError> {
        let shares = drop_shares(self.connections.schema(), &lease.run, &sql::unsigned(lease.epoch));
        let goes_on = at == rows::HANDED_ON;
        let set = format!("expires_at = {}, goes_on = goes_on OR {goes_on}", sql::signed(at));
        self.set(lease, &set, "true", &shares).await.map(drop)
    }

    /// Sets something of a lease, if it is the newest and as is said; `false` if not.
    async fn set(&self, lease: &Lease, set: &str, if_so: &str, and: &str) -> Result<bool, JournalError> {
        let s = self.connections.schema();
        let message = format!(
            "UPDATE {s}.positions SET {set} WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) \
             AND epoch = {epoch} AND epoch > 0 AND {if_so};\n{and}",
            name = sql::text(&lease.run),
            epoch = sql::unsigned(lease.epoch),
        );
        let answers = self.connections.change(message, true).await?;
        Ok(answers.first().is_some_and(|answer| answer.changed == 1))
    }

    /// Says why a lease is not good enough.
    pub(super) async fn refusal(&self, lease: &Lease) -> Result<Standing, JournalError> {
        let answers = self.connections.read(standing(self.connections.schema(), &lease.run)).await?;
        let standing = answers.first().map(Standing::of).transpose().map_err(|error| self.damage(error))?;
        is_newest(standing.flatten(), lease)
    }
}
