//! Orders and workers. What is polled is a read; only where something is to be claimed or settled, the writer is asked.

mod change;
mod look;

use async_trait::async_trait;
use runtime::{
    ClaimedOrder, Dispatch, JournalError, Lease, LeftOrder, LivingWorker, Order, OrderAnswer, Settled, WaitingOrders,
    Worker,
};

use super::SqliteJournal;
use super::format::DISPATCH_SINCE;
use super::lease;
use super::work::Work;
pub(super) use change::{Change, execute};

#[async_trait]
impl Dispatch for SqliteJournal {
    async fn dispatch(&self, lease: &Lease, orders: &[Order]) -> Result<(), JournalError> {
        let change = Change::Send { lease: lease.clone(), orders: orders.to_vec() };
        self.change(Work::Dispatch(change)).await.map(drop)
    }

    async fn collect(&self, lease: &Lease, done: &[u64], limit: u32) -> Result<Vec<Settled>, JournalError> {
        let now = (self.now)();
        let is_due = !done.is_empty() || {
            let mut reader = self.reader.lock().await;
            let answer = match reader.get_since(DISPATCH_SINCE, &self.path, self.lock_wait).await? {
                Some(connection) => look::is_due(connection, lease, now).await,
                None => {
                    let connection = reader.get(&self.path, self.lock_wait).await?;
                    lease::is_newest(connection, lease).await.map(|_| false)
                }
            };
            self.judge(&mut reader, answer)?
        };
        if is_due {
            let change = Change::Settle { lease: lease.clone(), done: done.to_vec() };
            self.change(Work::Dispatch(change)).await?;
        }
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(DISPATCH_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let answer = look::settled(connection, lease, limit).await;
        self.judge(&mut reader, answer)
    }

    async fn take_back(&self, lease: &Lease, numbers: &[u64]) -> Result<(), JournalError> {
        let change = Change::TakeBack { lease: lease.clone(), numbers: numbers.to_vec() };
        self.change(Work::Dispatch(change)).await.map(drop)
    }

    async fn left_orders(&self, lease: &Lease, below: u64) -> Result<Vec<LeftOrder>, JournalError> {
        self.change(Work::Dispatch(Change::TakeBackLeft { lease: lease.clone(), below })).await?;
        let mut reader = self.reader.lock().await;
        let answer = look::left(reader.get(&self.path, self.lock_wait).await?, lease, below).await;
        self.judge(&mut reader, answer)
    }

    async fn withdraw_orders(&self, lease: &Lease, below: u64) -> Result<u64, JournalError> {
        self.change(Work::Dispatch(Change::Withdraw { lease: lease.clone(), below })).await.map(|done| done.number)
    }

    async fn waiting_orders(&self, run: &str) -> Result<Vec<WaitingOrders>, JournalError> {
        let now = (self.now)();
        let mut reader = self.reader.lock().await;
        let answer = match reader.get_since(DISPATCH_SINCE, &self.path, self.lock_wait).await? {
            Some(connection) => look::waiting(connection, run, now).await,
            None => {
                let connection = reader.get(&self.path, self.lock_wait).await?;
                lease::run_id(connection, run).await.map(|_| Vec::new())
            }
        };
        self.judge(&mut reader, answer)
    }

    async fn enlist(&self, worker: &Worker, ttl_ms: u64) -> Result<u64, JournalError> {
        let change = Change::Enlist { worker: worker.clone(), ttl_ms };
        self.change(Work::Dispatch(change)).await.map(|done| done.number)
    }

    async fn beat(&self, worker: u64, ttl_ms: u64) -> Result<Vec<u64>, JournalError> {
        self.change(Work::Dispatch(Change::Beat { worker, ttl_ms })).await.map(|done| done.ids)
    }

    async fn drain(&self, worker: u64) -> Result<(), JournalError> {
        self.change(Work::Dispatch(Change::Drain { worker })).await.map(drop)
    }

    async fn retire(&self, worker: u64) -> Result<(), JournalError> {
        self.change(Work::Dispatch(Change::Retire { worker })).await.map(drop)
    }

    async fn claim_orders(&self, worker: u64, holds: &[u64]) -> Result<Vec<ClaimedOrder>, JournalError> {
        let now = (self.now)();
        let waits = {
            let mut reader = self.reader.lock().await;
            let since = reader.get_since(DISPATCH_SINCE, &self.path, self.lock_wait).await?;
            let connection = since.ok_or(JournalError::NotEnlisted(worker))?;
            let answer = look::can_claim(connection, worker, now).await;
            self.judge(&mut reader, answer)?
        };
        if waits {
            self.change(Work::Dispatch(Change::Claim { worker })).await?;
        }
        let mut reader = self.reader.lock().await;
        let answer = look::claimed(reader.get(&self.path, self.lock_wait).await?, worker, holds).await;
        self.judge(&mut reader, answer)
    }

    async fn answer_orders(&self, worker: u64, answers: &[OrderAnswer]) -> Result<Vec<bool>, JournalError> {
        let done = self.change(Work::Dispatch(Change::Answer { worker, answers: answers.to_vec() })).await?;
        Ok(answers.iter().map(|answer| done.ids.contains(&answer.id)).collect())
    }

    async fn workers(&self) -> Result<Vec<LivingWorker>, JournalError> {
        let now = (self.now)();
        let mut reader = self.reader.lock().await;
        let Some(connection) = reader.get_since(DISPATCH_SINCE, &self.path, self.lock_wait).await? else {
            return Ok(Vec::new());
        };
        let answer = look::living(connection, now).await;
        self.judge(&mut reader, answer)
    }
}
