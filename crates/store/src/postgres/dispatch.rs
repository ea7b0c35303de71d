//! Orders and workers. What is polled is one read; only where something is to be claimed or settled, rows are written.
//!
//! Every change is one message, and may come twice or late. Each of its statements looks at what is committed when it
//! begins; one that waits for a row looks at that row again. Why that is enough is said where it is not plain.

mod driver;
mod worker;

use async_trait::async_trait;
use runtime::{
    ClaimedOrder, Dispatch, JournalError, Lease, LeftOrder, LivingWorker, Order, OrderAnswer, Settled, WaitingOrders,
    Worker,
};
use sqlx::Row;

use super::PostgresStore;
use super::lease::{self, Standing};
use super::sql::{self, Answer};
use super::trouble::Failure;
use crate::rows::Columns;

/// Refuses unless a change found the lease to be the newest from its begin to its end: `standing` was read last, and epochs
/// only ascend.
fn was_newest(standing: Option<&Answer>, lease: &Lease) -> Result<(), Failure> {
    let standing = standing.ok_or(sqlx::Error::RowNotFound)?;
    lease::is_newest(Standing::of(standing)?, lease)?;
    Ok(())
}

/// Refuses unless a worker was found.
fn lives(found: Option<&Answer>, worker: u64) -> Result<(), JournalError> {
    match found {
        Some(found) if found.changed > 0 => Ok(()),
        _ => Err(JournalError::NotEnlisted(worker)),
    }
}

#[async_trait]
impl Dispatch for PostgresStore {
    async fn dispatch(&self, lease: &Lease, orders: &[Order]) -> Result<(), JournalError> {
        let s = self.connections.schema();
        for message in driver::send(s, lease, orders) {
            let answers = self.connections.change(message, true).await?;
            was_newest(answers.last(), lease).map_err(|failure| self.unreadable(failure))?;
        }
        Ok(())
    }

    async fn collect(&self, lease: &Lease, done: &[u64], limit: u32) -> Result<Vec<Settled>, JournalError> {
        let s = self.connections.schema();
        if done.is_empty() {
            let look = self.asked(driver::look(s, lease, limit), |answers| {
                let [standing, due, settled] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
                was_newest(Some(standing), lease)?;
                let is_due: bool = due.rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("due")?;
                if is_due { Ok(None) } else { driver::settled(settled).map(Some) }
            });
            if let Some(settled) = look.await? {
                return Ok(settled);
            }
        }
        let answers = self.connections.change(driver::settle(s, lease, done, limit), true).await?;
        let read = || {
            let [.., standing, settled] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            was_newest(Some(standing), lease)?;
            driver::settled(settled)
        };
        read().map_err(|failure| self.unreadable(failure))
    }

    async fn take_back(&self, lease: &Lease, numbers: &[u64]) -> Result<(), JournalError> {
        let message = driver::take_back(self.connections.schema(), lease, numbers);
        let answers = self.connections.change(message, true).await?;
        was_newest(answers.last(), lease).map_err(|failure| self.unreadable(failure))
    }

    async fn left_orders(&self, lease: &Lease, below: u64) -> Result<Vec<LeftOrder>, JournalError> {
        let message = driver::left(self.connections.schema(), lease, below);
        let answers = self.connections.change(message, true).await?;
        let read = || {
            let [.., left, standing] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            was_newest(Some(standing), lease)?;
            driver::read_left(left)
        };
        read().map_err(|failure| self.unreadable(failure))
    }

    async fn withdraw_orders(&self, lease: &Lease, below: u64) -> Result<u64, JournalError> {
        let message = driver::withdraw(self.connections.schema(), lease, below);
        let answers = self.connections.change(message, true).await?;
        let read = || {
            let [.., held, standing] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            was_newest(Some(standing), lease)?;
            Ok(held.rows.first().ok_or(sqlx::Error::RowNotFound)?.count("held")?)
        };
        read().map_err(|failure| self.unreadable(failure))
    }

    async fn waiting_orders(&self, run: &str) -> Result<Vec<WaitingOrders>, JournalError> {
        self.asked(driver::look_at_waiting(self.connections.schema(), run), |answers| {
            let [runs, waiting] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            if runs.rows.is_empty() {
                return Err(JournalError::NoSuchRun(run.to_owned()).into());
            }
            driver::waiting(waiting)
        })
        .await
    }

    async fn enlist(&self, worker: &Worker, ttl_ms: u64) -> Result<u64, JournalError> {
        // Done twice, it leaves a worker that expires.
        let message = worker::enlist(self.connections.schema(), worker, ttl_ms);
        let answers = self.connections.change(message, true).await?;
        let read =
            || answers.last().and_then(|answer| answer.rows.first()).ok_or(sqlx::Error::RowNotFound)?.count("id");
        read().map_err(|error| self.damage(error))
    }

    async fn beat(&self, worker: u64, ttl_ms: u64) -> Result<Vec<u64>, JournalError> {
        let message = worker::beat(self.connections.schema(), worker, ttl_ms);
        let answers = self.connections.change(message, true).await?;
        lives(answers.first(), worker)?;
        worker::ids(answers.last()).map_err(|failure| self.unreadable(failure))
    }

    async fn drain(&self, worker: u64) -> Result<(), JournalError> {
        let message = worker::drain(self.connections.schema(), worker);
        lives(self.connections.change(message, true).await?.first(), worker)
    }

    async fn retire(&self, worker: u64) -> Result<(), JournalError> {
        let (s, worker) = (self.connections.schema(), sql::unsigned(worker));
        self.connections.change(format!("DELETE FROM {s}.workers WHERE id = {worker}"), true).await.map(drop)
    }

    async fn claim_orders(&self, worker: u64, holds: &[u64]) -> Result<Vec<ClaimedOrder>, JournalError> {
        let s = self.connections.schema();
        let look = self.asked(worker::look(s, worker, holds), |answers| {
            let [me, claimed] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            let me = me.rows.first().ok_or(JournalError::NotEnlisted(worker))?;
            let can_claim: bool = me.try_get("can_claim")?;
            if can_claim { Ok(None) } else { worker::claimed(claimed).map(Some) }
        });
        if let Some(claimed) = look.await? {
            return Ok(claimed);
        }
        let answers = self.connections.change(worker::claim(s, worker, holds), true).await?;
        lives(answers.first(), worker)?;
        let claimed = answers.last().ok_or_else(|| sqlx::Error::RowNotFound.into()).and_then(worker::claimed);
        claimed.map_err(|failure| self.unreadable(failure))
    }

    async fn answer_orders(&self, worker: u64, answers: &[OrderAnswer]) -> Result<Vec<bool>, JournalError> {
        let mut counted = Vec::with_capacity(answers.len());
        for message in worker::answer(self.connections.schema(), worker, answers) {
            let said = self.connections.change(message, true).await?;
            counted.extend(worker::ids(said.get(1)).map_err(|failure| self.unreadable(failure))?);
        }
        Ok(answers.iter().map(|answer| counted.contains(&answer.id)).collect())
    }

    async fn workers(&self) -> Result<Vec<LivingWorker>, JournalError> {
        let look = worker::look_at_all(self.connections.schema());
        self.asked(look, |answers| worker::all(answers.first().ok_or(sqlx::Error::RowNotFound)?)).await
    }
}
