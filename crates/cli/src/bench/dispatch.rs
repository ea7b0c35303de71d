//! How long the orchestrator takes from the outcome of the last step that another waits for until the start of that one is
//! durable, in a run that is not as fast as it can be.
//!
//! It is told twice. From when that outcome was durable: what the step that waits is held up by once nothing can be lost any
//! more; none if one commit holds both. From when the outcome was decided on: what a user of the step feels, up to two commits.

use engine::{Event, Plan, Record, Run, StepIx, UnitIx};
use runtime::Observer;
use serde::Serialize;

/// What was measured of starts that waited for others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct DispatchFigures {
    /// Their number.
    pub(crate) starts: usize,
    /// From the last outcome, durable, to the start, durable.
    pub(crate) from_durable: Delays,
    /// From the decision on that outcome. Its time is in whole milliseconds, rounded down.
    pub(crate) from_decided: Delays,
}

/// Delays that were measured, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Delays {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// Counts commits, and notes delays if there are any to note.
pub(crate) struct Watch<C> {
    pub(crate) commits: u64,
    /// Says what time it is, in microseconds since 1970.
    clock: C,
    /// When the success of each unit was decided on and when it was durable, in microseconds since 1970; empty if no delays
    /// are noted.
    succeeded: Vec<(i64, i64)>,
    from_decided_us: Vec<i64>,
    from_durable_us: Vec<i64>,
}

impl<C: Fn() -> i64 + Send> Watch<C> {
    /// Counts commits alone.
    pub(crate) fn new(clock: C) -> Self {
        Self { commits: 0, clock, succeeded: Vec::new(), from_decided_us: Vec::new(), from_durable_us: Vec::new() }
    }

    /// Notes delays too, of a plan in which each unit is that of one site.
    pub(crate) fn of_delays(plan: &Plan, clock: C) -> Self {
        Self { succeeded: vec![(0, 0); plan.unit_count() as usize], ..Self::new(clock) }
    }

    /// What was noted, if anything was.
    pub(crate) fn figures(self) -> Option<DispatchFigures> {
        Some(DispatchFigures {
            starts: self.from_durable_us.len(),
            from_durable: delays(self.from_durable_us)?,
            from_decided: delays(self.from_decided_us)?,
        })
    }

    fn note(&mut self, plan: &Plan, record: &Record, now_us: i64) {
        match &record.event {
            Event::Succeeded { unit, .. } => {
                if let Some(at) = self.succeeded.get_mut(unit.ix()) {
                    *at = (record.at * 1_000, now_us);
                }
            }
            Event::Started { unit, .. } => {
                let needs = || needed(plan, *unit).filter_map(|need| self.succeeded.get(need.ix()));
                self.from_decided_us.extend(needs().map(|(decided, _)| now_us - decided).min());
                self.from_durable_us.extend(needs().map(|(_, durable)| now_us - durable).min());
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

fn delays(mut us: Vec<i64>) -> Option<Delays> {
    us.sort_unstable();
    let ms = |percent: usize| Some(*us.get(rank(us.len(), percent)?)? as f64 / 1e3);
    Some(Delays { p50_ms: ms(50)?, p99_ms: ms(99)?, max_ms: ms(100)? })
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
        assert_eq!(watch.from_decided_us, Vec::<i64>::new(), "the first step waits for nothing");
        for (unit, at) in [(3, 10), (5, 30), (7, 20), (9, 25), (8, 99)] {
            watch.note(&plan, &succeeded(unit, at), at * 1_000 + 1_200);
        }
        watch.note(&plan, &started(11, 31), 33_500);
        assert_eq!((&watch.from_decided_us[..], &watch.from_durable_us[..]), (&[3_500][..], &[2_300][..]));
    }

    #[test]
    fn what_one_commit_holds_with_its_outcome_is_not_held_up_once_that_is_durable() {
        let plan = plan(1, 2, None).unwrap();
        let mut watch = Watch::of_delays(&plan, || 9_000);
        let at = 5;
        let outcome = Record { at, event: Event::Succeeded { unit: UnitIx(0), outputs: None } };
        let start = Record { at, event: Event::Started { unit: UnitIx(1), attempt: 1, mode: Mode::Apply } };
        watch.committed(&Run::new(plan), &[outcome, start]);
        let figures = watch.figures().unwrap();
        assert_eq!((figures.starts, figures.from_durable.max_ms, figures.from_decided.max_ms), (1, 0.0, 4.0));
    }

    #[test]
    fn percentiles_are_delays_that_were_measured() {
        assert_eq!(delays(vec![]), None);
        assert_eq!(delays(vec![2_000]), Some(Delays { p50_ms: 2.0, p99_ms: 2.0, max_ms: 2.0 }));
        let found = delays((1..=1_000).rev().collect());
        assert_eq!(found, Some(Delays { p50_ms: 0.5, p99_ms: 0.99, max_ms: 1.0 }));
    }
}
