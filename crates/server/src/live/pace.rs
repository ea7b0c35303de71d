//! How fast sites come back: over the whole run, and lately.

use std::collections::VecDeque;

use engine::{Millis, Run};

use crate::live::snapshot::Throughput;

/// What counts as lately.
const LATELY: Millis = 300_000;
/// Least time between two samples.
const BETWEEN: Millis = 5_000;
const HOUR: f64 = 3_600_000.0;

/// How many sites were back at some points in time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    samples: VecDeque<(Millis, u32)>,
}

impl Pace {
    /// Notes how the run stands by its own time: times of the journal, so that a journal that is read late counts the same.
    pub(super) fn note(&mut self, run: &Run) {
        let Some(opened) = run.opened_at() else { return };
        let tally = run.tally();
        let (at, back) = (run.now(), tally.returned + tally.degraded);
        if self.samples.is_empty() {
            self.samples.push_back((opened, 0));
        }
        if self.samples.back().is_some_and(|(last, _)| at - last >= BETWEEN) {
            self.samples.push_back((at, back));
        }
        while self.samples.len() > 1 && self.samples.get(1).is_some_and(|(next, _)| *next <= at - LATELY) {
            self.samples.pop_front();
        }
    }

    /// Sites an hour as of `now`, which is the run's own time once it is over.
    pub(super) fn throughput(&self, run: &Run, now: Millis) -> Throughput {
        let Some(opened) = run.opened_at() else { return Throughput::default() };
        let tally = run.tally();
        let back = f64::from(tally.returned + tally.degraded);
        let rate = |sites: f64, ms: Millis| (ms > 0).then(|| sites * HOUR / ms as f64);
        let recent = self.samples.front().and_then(|&(at, then)| rate((back - f64::from(then)).max(0.0), now - at));
        Throughput { overall: rate(back, now - opened), recent }
    }
}
