//! The reference of orders and workers.

mod kept;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::MemoryJournal;
use super::runs::expiry;
use crate::ports::{
    ClaimedOrder, Dispatch, JournalError, Lease, LeftOrder, LivingWorker, Order, OrderAnswer, OrderFate, Settled,
    WaitingOrders, Worker,
};
pub(super) use kept::Orders;
use kept::{Enlisted, Kept, Stands};

#[async_trait]
impl Dispatch for MemoryJournal {
    async fn dispatch(&self, lease: &Lease, orders: &[Order]) -> Result<(), JournalError> {
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        state.orders.withdraw(run, lease.epoch, 0);
        for order in orders {
            state.orders.send(run, lease.epoch, order);
        }
        Ok(())
    }

    async fn collect(&self, lease: &Lease, done: &[u64], limit: u32) -> Result<Vec<Settled>, JournalError> {
        let now = self.now();
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        let orders = &mut state.orders;
        let is_mine = |kept: &Kept| kept.run == run && kept.epoch == lease.epoch;
        orders.by_id.retain(|_, kept| !(is_mine(kept) && kept.fate().is_some() && done.contains(&kept.order.number)));
        orders.lose(run, lease.epoch, now);
        orders.forget_withdrawn(run, now);
        let settled = orders
            .by_id
            .values()
            .filter(|kept| is_mine(kept))
            .filter_map(|kept| kept.fate().map(|fate| Settled { number: kept.order.number, fate }));
        Ok(settled.take(limit as usize).collect())
    }

    async fn take_back(&self, lease: &Lease, numbers: &[u64]) -> Result<(), JournalError> {
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        for kept in state.orders.by_id.values_mut() {
            let is_meant = kept.run == run && kept.epoch == lease.epoch && numbers.contains(&kept.order.number);
            if is_meant && kept.stands == Stands::Waiting {
                kept.stands = Stands::TakenBack;
            }
        }
        Ok(())
    }

    async fn left_orders(&self, lease: &Lease, below: u64) -> Result<Vec<LeftOrder>, JournalError> {
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        let mut left = Vec::new();
        for kept in state.orders.by_id.values_mut() {
            if kept.run != run || kept.epoch == lease.epoch && kept.order.number >= below {
                continue;
            }
            if kept.stands == Stands::Waiting {
                kept.stands = Stands::TakenBack;
            }
            if let Some(fate) = kept.fate().filter(|fate| *fate != OrderFate::Lost) {
                let Order { unit, attempt, mode, .. } = kept.order.clone();
                left.push(LeftOrder { unit, attempt, mode, fate });
            }
        }
        Ok(left)
    }

    async fn withdraw_orders(&self, lease: &Lease, below: u64) -> Result<u64, JournalError> {
        let now = self.now();
        let state = &mut *self.state();
        let run = state.runs.newest_at(lease)?;
        state.orders.withdraw(run, lease.epoch, below);
        state.orders.forget_withdrawn(run, now);
        let held = state.orders.by_id.values();
        Ok(held.filter(|kept| kept.run == run && matches!(kept.stands, Stands::Withdrawn(_))).count() as u64)
    }

    async fn waiting_orders(&self, run: &str) -> Result<Vec<WaitingOrders>, JournalError> {
        let now = self.now();
        let state = self.state();
        let at = state.runs.at(run)?;
        let epoch = state.runs.get(run)?.epoch;
        let mut counts = BTreeMap::new();
        for kept in state.orders.by_id.values() {
            if kept.run == at && kept.epoch == epoch && kept.stands == Stands::Waiting {
                *counts.entry(kept.order.labels.clone()).or_insert(0) += 1;
            }
        }
        let fits = |labels: &BTreeSet<String>| {
            state
                .orders
                .workers
                .values()
                .any(|one| one.lives(now) && !one.drains && one.worker.labels.is_superset(labels))
        };
        Ok(counts.into_iter().map(|(labels, orders)| WaitingOrders { fits: fits(&labels), labels, orders }).collect())
    }

    async fn enlist(&self, worker: &Worker, ttl_ms: u64) -> Result<u64, JournalError> {
        let now = self.now();
        let orders = &mut self.state().orders;
        orders.workers.retain(|_, one| one.lives(now));
        orders.last_worker += 1;
        let id = orders.last_worker;
        let enlisted = Enlisted { worker: worker.clone(), drains: false, expires_at: expiry(now, ttl_ms) };
        orders.workers.insert(id, enlisted);
        Ok(id)
    }

    async fn beat(&self, worker: u64, ttl_ms: u64) -> Result<Vec<u64>, JournalError> {
        let now = self.now();
        let orders = &mut self.state().orders;
        orders.living(worker, now)?.expires_at = expiry(now, ttl_ms);
        let is_over = |stands: &Stands| *stands == Stands::Lost(worker) || *stands == Stands::Withdrawn(worker);
        Ok(orders.by_id.iter().filter(|(_, kept)| is_over(&kept.stands)).map(|(&id, _)| id).collect())
    }

    async fn drain(&self, worker: u64) -> Result<(), JournalError> {
        let now = self.now();
        self.state().orders.living(worker, now)?.drains = true;
        Ok(())
    }

    async fn retire(&self, worker: u64) -> Result<(), JournalError> {
        self.state().orders.workers.remove(&worker);
        Ok(())
    }

    async fn claim_orders(&self, worker: u64, holds: &[u64]) -> Result<Vec<ClaimedOrder>, JournalError> {
        let now = self.now();
        let state = &mut *self.state();
        let (runs, orders) = (&state.runs, &mut state.orders);
        let me = orders.living(worker, now)?.clone();
        let free = u64::from(me.worker.slots).saturating_sub(orders.held_by(worker));
        let free = if me.drains { 0 } else { usize::try_from(free).unwrap_or(usize::MAX) };
        let mut told = Vec::new();
        let fits = |kept: &&mut Kept| {
            let sender = runs.in_order.get(kept.run);
            kept.stands == Stands::Waiting
                && sender.is_some_and(|run| run.epoch == kept.epoch && run.live(now).is_some())
                && me.worker.labels.is_superset(&kept.order.labels)
        };
        orders.by_id.values_mut().filter(fits).take(free).for_each(|kept| kept.stands = Stands::Claimed(worker));
        for (&id, kept) in &orders.by_id {
            if kept.stands == Stands::Claimed(worker)
                && !holds.contains(&id)
                && let Some(run) = runs.in_order.get(kept.run)
            {
                let (run, order) = (run.head.run.clone(), kept.order.clone());
                told.push(ClaimedOrder { id, run, epoch: kept.epoch, order });
            }
        }
        Ok(told)
    }

    async fn answer_orders(&self, worker: u64, answers: &[OrderAnswer]) -> Result<Vec<bool>, JournalError> {
        let now = self.now();
        let orders = &mut self.state().orders;
        let lives = orders.living(worker, now).is_ok();
        Ok(answers.iter().map(|answer| lives && orders.answer(worker, answer)).collect())
    }

    async fn workers(&self) -> Result<Vec<LivingWorker>, JournalError> {
        let now = self.now();
        let orders = &self.state().orders;
        let living = orders.workers.iter().filter(|(_, one)| one.lives(now));
        Ok(living
            .map(|(&id, one)| LivingWorker {
                id,
                worker: one.worker.clone(),
                drains: one.drains,
                holds: orders.held_by(id),
                until: one.expires_at,
            })
            .collect())
    }
}
