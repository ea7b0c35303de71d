//! How long the orchestrator takes from the outcome of the last step that another waits for until the start of that one is
//! durable, in a run that is not as fast as it can be.

use engine::{Event, Plan, Record, Run, StepIx, UnitIx};
use runtime::Observer;
use serde::Serialize;

/// Delays that were measured, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct DispatchFigures {
    /// Starts that waited for others.
    pub(crate) starts: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// Counts commits, and notes delays if there are any to note.
///
/// A delay begins when the outcome was decided on, which is before it was durable: so what is told is no shorter than what
/// passes between two durable things. Times of decisions are whole milliseconds, rounded down.
pub(crate) struct Watch<C> {
    pub(crate) commits: u64,
    /// Says what time it is, in microseconds since 1970.
    clock: C,
    /// When each unit succeeded, in milliseconds since 1970; empty if no delays are noted.
    succeeded: Vec<i64>,
    delays_us: Vec<i64>,
}

impl<C: Fn() -> i64 + Send> Watch<C> {
    /// Counts commits alone.
    pub(crate) fn new(clock: C) -> Self {
        Self { commits: 0, clock, succeeded: Vec::new(), delays_us: Vec::new() }
    }

    /// Notes delays too, of a plan in which each unit is that of one site.
    pub(crate) fn of_delays(plan: &Plan, clock: C) -> Self {
        Self { succeeded: vec![0; plan.unit_count() as usize], ..Self::new(clock) }
    }

    /// What was noted, if anything was.
    pub(crate) fn figures(mut self) -> Option<DispatchFigures> {
        self.delays_us.sort_unstable();
        let ms = |percent: usize| Some(*self.delays_us.get(rank(self.delays_us.len(), percent)?)? as f64 / 1e3);
        Some(DispatchFigures { starts: self.delays_us.len(), p50_ms: ms(50)?, p99_ms: ms(99)?, max_ms: ms(100)? })
    }

    fn note(&mut self, plan: &Plan, record: &Record, now_us: i64) {
        match &record.event {
            Event::Succeeded { unit, .. } => {
                if let Some(at) = self.succeeded.get_mut(unit.ix()) {
                    *at = record.at;
                }
            }
            Event::Started { unit, .. } => {
                let last = needed(plan, *unit).filter_map(|need| self.succeeded.get(need.ix()).copied()).max();
                self.delays_us.extend(last.map(|last_ms| now_us - last_ms * 1_000));
            }
            _ => {}
        }
    }
}

impl<C: Fn() -> i64 + Send> Observer for Watch<C> {
    fn committed(&mut self, run: &Run, records: &[Record]) {
        self.commits += 1;
        if self.succeeded.is_empty() {
            return;
        }
        let now_us = (self.clock)();
        for record in records {
            self.note(run.plan(), record, now_us);
        }
    }
}

/// Units that a unit waits for: those of the steps that its own needs, for its site.
fn needed(plan: &Plan, unit: UnitIx) -> impl Iterator<Item = UnitIx> + '_ {
    let sites = plan.site_count();
    let (step, site) = (unit.0 / sites, unit.0 % sites);
    plan.step(StepIx::from(step as usize)).needs.iter().map(move |need| UnitIx(u32::from(need.step.0) * sites + site))
}

/// Which one of so many, in order, so many percent of them do not exceed; none of none.
fn rank(of: usize, percent: usize) -> Option<usize> {
    (of * percent).div_ceil(100).checked_sub(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::workload::plan;
    use engine::Mode;

    #[test]
    fn a_delay_begins_with_the_last_outcome_that_was_waited_for() {
        // The sixth of ten steps needs the second to the fifth; step by step, unit by unit.
        let plan = plan(2, 10, None).unwrap();
        let mut watch = Watch::of_delays(&plan, || 0);
        let succeeded = |unit, at| Record { at, event: Event::Succeeded { unit: UnitIx(unit), outputs: None } };
        let started =
            |unit, at| Record { at, event: Event::Started { unit: UnitIx(unit), attempt: 1, mode: Mode::Apply } };
        watch.note(&plan, &started(1, 5), 6_000);
        assert_eq!(watch.delays_us, Vec::<i64>::new(), "the first step waits for nothing");
        for (unit, at) in [(3, 10), (5, 30), (7, 20), (9, 25), (8, 99)] {
            watch.note(&plan, &succeeded(unit, at), 100_000);
        }
        watch.note(&plan, &started(11, 31), 33_500);
        assert_eq!(watch.delays_us, [3_500]);
    }

    #[test]
    fn percentiles_are_delays_that_were_measured() {
        let figures = |delays_us: Vec<i64>| Watch { delays_us, ..Watch::new(|| 0) }.figures();
        assert_eq!(figures(vec![]), None);
        let one = DispatchFigures { starts: 1, p50_ms: 2.0, p99_ms: 2.0, max_ms: 2.0 };
        assert_eq!(figures(vec![2_000]), Some(one));
        let found = figures((1..=1_000).rev().collect()).unwrap();
        assert_eq!((found.starts, found.p50_ms, found.p99_ms, found.max_ms), (1_000, 0.5, 0.99, 1.0));
    }
}
