//! The orders that a worker has: claimed, being executed, or answered and not yet acknowledged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tokio_util::sync::CancellationToken;

use crate::ports::{ClaimedOrder, OrderAnswer};

#[derive(Default)]
pub(super) struct Held {
    by_id: BTreeMap<u64, CancellationToken>,
    answers: Vec<OrderAnswer>,
}

impl Held {
    /// Takes an order, unless it is here already: a claim tells of it again if a reply was lost.
    pub(super) fn take(&mut self, claimed: &ClaimedOrder) -> Option<CancellationToken> {
        if self.by_id.contains_key(&claimed.id) {
            return None;
        }
        let cancel = CancellationToken::new();
        self.by_id.insert(claimed.id, cancel.clone());
        Some(cancel)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.by_id.keys().copied().collect()
    }

    /// Notes that an order was executed. One that was given up meanwhile has nobody to be answered.
    pub(super) fn ended(&mut self, id: u64, outcome: Vec<u8>) {
        if self.by_id.contains_key(&id) {
            self.answers.push(OrderAnswer { id, outcome });
        }
    }

    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Answers that are to be given now.
    pub(super) fn answers(&mut self) -> Vec<OrderAnswer> {
        std::mem::take(&mut self.answers)
    }

    /// Keeps answers that could not be given.
    pub(super) fn keep(&mut self, answers: Vec<OrderAnswer>) {
        self.answers.splice(0..0, answers);
    }

    /// Forgets orders whose answers were taken, or refused.
    pub(super) fn forget(&mut self, answers: &[OrderAnswer]) {
        for answer in answers {
            self.by_id.remove(&answer.id);
        }
    }

    /// Asks attempts to end; of orders that are not here, nothing is known.
    pub(super) fn cancel(&self, ids: &[u64]) {
        ids.iter().filter_map(|id| self.by_id.get(id)).for_each(CancellationToken::cancel);
    }

    /// Takes up those that are not here, with an answer: who never heard of an order can only say that it is not at it.
    pub(super) fn disown(&mut self, ids: &[u64], answer: &[u8]) {
        for &id in ids {
            if let Entry::Vacant(place) = self.by_id.entry(id) {
                place.insert(CancellationToken::new());
                self.answers.push(OrderAnswer { id, outcome: answer.to_vec() });
            }
        }
    }

    /// Asks all to end.
    pub(super) fn cancel_all(&self) {
        self.by_id.values().for_each(CancellationToken::cancel);
    }

    /// Gives all up: nobody wants an answer from here any more.
    pub(super) fn give_up(&mut self) {
        self.cancel_all();
        self.by_id.clear();
        self.answers.clear();
    }
}
