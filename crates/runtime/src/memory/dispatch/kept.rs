//! What is kept of orders and workers, and the steps that change it.

use std::collections::BTreeMap;

use engine::Millis;

use crate::ports::{JournalError, Order, OrderAnswer, OrderFate, Worker};

/// All orders and workers.
#[derive(Default)]
pub(in crate::memory) struct Orders {
    last_order: u64,
    pub(super) last_worker: u64,
    pub(super) by_id: BTreeMap<u64, Kept>,
    pub(super) workers: BTreeMap<u64, Enlisted>,
    /// The newest epoch that has sent or withdrawn, and the number of the last order that it sends no more, by the place of
    /// the run.
    sent: BTreeMap<usize, (u64, u64)>,
}

/// An order.
pub(super) struct Kept {
    pub(super) run: usize,
    pub(super) epoch: u64,
    pub(super) order: Order,
    pub(super) stands: Stands,
}

/// How an order stands; with the worker's number.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Stands {
    Waiting,
    Claimed(u64),
    Answered(u64, Vec<u8>),
    Lost(u64),
    TakenBack,
    Withdrawn(u64),
}

/// A worker.
#[derive(Clone)]
pub(super) struct Enlisted {
    pub(super) worker: Worker,
    pub(super) drains: bool,
    pub(super) expires_at: Millis,
}

impl Enlisted {
    pub(super) fn lives(&self, now: Millis) -> bool {
        now < self.expires_at
    }
}

impl Kept {
    /// What became of it; `None` while it is open.
    pub(super) fn fate(&self) -> Option<OrderFate> {
        match &self.stands {
            Stands::Answered(_, outcome) => Some(OrderFate::Answered(outcome.clone())),
            Stands::Lost(_) => Some(OrderFate::Lost),
            Stands::TakenBack => Some(OrderFate::TakenBack),
            Stands::Waiting | Stands::Claimed(_) | Stands::Withdrawn(_) => None,
        }
    }
}

impl Orders {
    /// Forgets all of the run at a place.
    pub(in crate::memory) fn forget(&mut self, run: usize) {
        self.by_id.retain(|_, kept| kept.run != run);
        self.sent.remove(&run);
    }

    pub(super) fn send(&mut self, run: usize, epoch: u64, order: &Order) {
        let (_, last) = self.sent.entry(run).or_insert((epoch, 0));
        if order.number <= *last {
            return;
        }
        *last = order.number;
        self.last_order += 1;
        let kept = Kept { run, epoch, order: order.clone(), stands: Stands::Waiting };
        self.by_id.insert(self.last_order, kept);
    }

    /// Withdraws what epochs below this one have sent, and this one with numbers below `below`.
    pub(super) fn withdraw(&mut self, run: usize, epoch: u64, below: u64) {
        let (newest, last) = self.sent.entry(run).or_default();
        if *newest == epoch && below == 0 {
            return;
        }
        if *newest != epoch {
            (*newest, *last) = (epoch, 0);
        }
        *last = (*last).max(below.saturating_sub(1));
        self.by_id.retain(|_, kept| {
            if kept.run != run || kept.epoch == epoch && kept.order.number >= below {
                return true;
            }
            if let Stands::Claimed(worker) = kept.stands {
                kept.stands = Stands::Withdrawn(worker);
            }
            matches!(kept.stands, Stands::Withdrawn(_))
        });
    }

    /// Gives up for lost what an epoch has sent and workers have that do not live.
    pub(super) fn lose(&mut self, run: usize, epoch: u64, now: Millis) {
        for kept in self.by_id.values_mut().filter(|kept| kept.run == run && kept.epoch == epoch) {
            if let Stands::Claimed(worker) = kept.stands
                && !self.workers.get(&worker).is_some_and(|one| one.lives(now))
            {
                kept.stands = Stands::Lost(worker);
            }
        }
    }

    /// Forgets withdrawn orders of a run that no living worker has.
    pub(super) fn forget_withdrawn(&mut self, run: usize, now: Millis) {
        let lives = |worker: &u64| self.workers.get(worker).is_some_and(|one| one.lives(now));
        self.by_id.retain(|_, kept| match &kept.stands {
            Stands::Withdrawn(worker) if kept.run == run => lives(worker),
            _ => true,
        });
    }

    /// Orders that a worker has and has not answered.
    pub(super) fn held_by(&self, worker: u64) -> u64 {
        let held = |kept: &&Kept| kept.stands == Stands::Claimed(worker) || kept.stands == Stands::Withdrawn(worker);
        self.by_id.values().filter(held).count() as u64
    }

    pub(super) fn living(&mut self, worker: u64, now: Millis) -> Result<&mut Enlisted, JournalError> {
        let found = self.workers.get_mut(&worker).filter(|one| one.lives(now));
        found.ok_or(JournalError::NotEnlisted(worker))
    }

    /// Takes the answer of a worker that lives; says whether it counts. One to a withdrawn order ends it.
    pub(super) fn answer(&mut self, worker: u64, answer: &OrderAnswer) -> bool {
        let Some(kept) = self.by_id.get_mut(&answer.id) else { return false };
        match &kept.stands {
            Stands::Claimed(by) if *by == worker => {
                kept.stands = Stands::Answered(worker, answer.outcome.clone());
                true
            }
            Stands::Answered(by, _) => *by == worker,
            Stands::Withdrawn(by) if *by == worker => {
                self.by_id.remove(&answer.id);
                false
            }
            _ => false,
        }
    }
}
