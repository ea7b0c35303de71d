//! When the instances of pools had no slot left, so that a wait can be divided into what the pool caused and the rest.

use engine::{Millis, Run, UnitIx};

use crate::forecast::pools::Pools;

/// Every instance of every pool.
#[derive(Debug, Default)]
pub(super) struct Occupied(Vec<Instance>);

#[derive(Debug, Default)]
struct Instance {
    slots: Option<u32>,
    /// Milliseconds between two starts, for one with a rate.
    interval: Option<f64>,
    used: u32,
    full_since: Option<Millis>,
    /// Times without a free slot: begin, end, and the sum of those before.
    full: Vec<(Millis, Millis, i64)>,
    last_start: Option<Millis>,
}

impl Occupied {
    pub(super) fn new(pools: &Pools) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "periods are far below 2^53 ms")]
        let interval = |rate: engine::Rate| rate.per_ms as f64 / f64::from(rate.count.max(1));
        let instances = pools.rows.iter().map(|row| Instance {
            slots: row.slots,
            interval: row.rate.map(interval),
            ..Instance::default()
        });
        Self(instances.collect())
    }

    /// A unit takes its slots.
    pub(super) fn take(&mut self, run: &Run, pools: &Pools, unit: UnitIx, at: Millis) {
        for (ix, slots) in pools.held_by(run, unit) {
            let Some(row) = self.0.get_mut(ix) else { continue };
            row.used = row.used.saturating_add(slots);
            row.last_start = Some(at);
            if row.slots.is_some_and(|all| row.used >= all) {
                row.full_since.get_or_insert(at);
            }
        }
    }

    /// A unit gives its slots back.
    pub(super) fn release(&mut self, run: &Run, pools: &Pools, unit: UnitIx, at: Millis) {
        for (ix, slots) in pools.held_by(run, unit) {
            let Some(row) = self.0.get_mut(ix) else { continue };
            row.used = row.used.saturating_sub(slots);
            if let Some(since) = row.full_since.take_if(|_| row.slots.is_none_or(|all| row.used < all)) {
                let before = row.full.last().map_or(0, |(from, to, sum)| sum + (to - from));
                row.full.push((since, at, before));
            }
        }
    }

    /// Of the time in which a unit was ready, the part in which one of its pools had no slot, and the pool's number;
    /// 0 and any pool if none was in its way.
    pub(super) fn held(&self, run: &Run, pools: &Pools, unit: UnitIx, ready: Millis, at: Millis) -> (i64, usize) {
        let mut most = (0, 0);
        for (ix, _) in pools.held_by(run, unit) {
            let Some(row) = self.0.get(ix) else { continue };
            let full = row.full_until(at) - row.full_until(ready);
            // A rate spaces starts: who starts one interval after another waited for it, unless it waited for slots.
            #[expect(clippy::cast_precision_loss, reason = "lengths of a run")]
            let spaced = row.interval.zip(row.last_start).filter(|(interval, last)| {
                at > ready && *last >= ready - 1 && (at - last) as f64 <= interval * 1.5 + 1.0
            });
            let held = if spaced.is_some() && full * 2 < at - ready { at - ready } else { full };
            if held > most.0 {
                most = (held, pools.pool_of(ix).0.ix());
            }
        }
        most
    }
}

impl Instance {
    /// Time without a free slot up to a time.
    fn full_until(&self, at: Millis) -> i64 {
        let before = self.full.partition_point(|(from, ..)| *from <= at);
        let closed = before.checked_sub(1).map_or(0, |last| {
            let (from, to, sum) = self.full[last];
            sum + (to.min(at) - from)
        });
        closed + self.full_since.map_or(0, |since| (at - since).max(0))
    }
}
