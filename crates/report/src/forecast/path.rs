//! What the end of a run waited for: the way back from its last unit, over whatever each thing waited for last.

use std::collections::BTreeMap;

use engine::{NodeIx, Plan, StepIx, UnitIx};
use serde::Serialize;

use crate::duration::seconds;
use crate::fold::each_shared;
use crate::forecast::drive::Course;
use crate::forecast::pools::Held;
use crate::forecast::trace::Gating;

/// Time that one step contributed to the critical path, for one reason to start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathPart {
    /// The step; `null` for the soak between batches and for what cannot be told.
    pub step: Option<String>,
    /// Why its units on the path did not start earlier.
    pub after: After,
    /// The pool, where a pool is the reason.
    pub pool: Option<String>,
    /// Units of it on the path; batches for a soak.
    pub units: u64,
    /// Time in seconds.
    pub s: f64,
}

/// Why something on the critical path did not start earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// The run had not begun, or it was under way when the forecast began.
    Start,
    /// A step that it needs was not done.
    Need,
    /// A pool had no free slot.
    Slot,
    /// A pool's rate allowed no start yet.
    Rate,
    /// Its batch was not open.
    Batch,
    /// The batch before had just settled.
    Soak,
    /// It belongs to `finally`, and the rest of the run was not done.
    End,
    /// Something that the forecast does not model.
    Other,
}

type Key = (Option<StepIx>, After, Option<usize>);

#[derive(Default)]
struct Parts {
    parts: BTreeMap<Key, (u64, i64, usize)>,
    seen: usize,
}

impl Parts {
    fn add(&mut self, key: Key, ms: i64) {
        let part = self.parts.entry(key).or_default();
        part.0 += 1;
        part.1 = part.1.saturating_add(ms);
        self.seen += 1;
        part.2 = self.seen;
    }

    /// In the order in which the run comes to them first.
    fn told(self, plan: &Plan) -> Vec<PathPart> {
        let mut parts: Vec<_> = self.parts.into_iter().collect();
        parts.sort_by_key(|&(_, (.., seen))| std::cmp::Reverse(seen));
        let told = parts.into_iter().map(|((step, after, pool), (units, ms, _))| PathPart {
            step: step.map(|step| plan.step(step).name.clone()),
            after,
            pool: pool.map(|pool| plan.spec().pools[pool].name.clone()),
            units,
            s: seconds(ms),
        });
        told.filter(|part| part.s > 0.0).collect()
    }
}

/// What explains that something could go on at a time.
pub(super) enum Before {
    Unit(UnitIx),
    Batch(usize),
    /// The end of everything but `finally`, and the last unit by then.
    End(Option<UnitIx>),
    Nothing,
}

/// Walks back from the end. The parts add up to the whole time of the forecast.
pub(super) fn critical_path(course: &mut Course) -> Vec<PathPart> {
    let plan = course.run.plan().clone();
    let from = course.trace.from;
    let mut parts = Parts::default();
    let mut at = course.end;
    let mut next = course.trace.last_unit;
    if next.is_none_or(|unit| course.trace.units[unit.ix()].ended < at) {
        // The last batches had nothing to do.
        let batches = course.trace.batches.len();
        next = before_batch(course, &plan, batches, &mut parts, &mut at);
    }
    while let Some(unit) = next.take() {
        let started = course.trace.units[unit.ix()].started;
        let Some((node, _)) = course.run.unit_at(unit) else { break };
        let step = plan.node_at(node).0;
        let ran = (at - started).max(0);
        at = at.min(started);
        let ready = course.trace.ready(&course.run, node).actual.min(started);
        let pool = |ix| Some(course.trace.pools.pool_of(ix).0.ix());
        if ready < started {
            match course.trace.cause(unit) {
                Held::Slot(ix, cause) if course.trace.units[cause.ix()].started < at => {
                    parts.add((Some(step), After::Slot, pool(ix)), ran);
                    next = Some(cause);
                    continue;
                }
                Held::Rate(ix, cause) if course.trace.units[cause.ix()].started < at => {
                    // From one start to the next; what it waited for goes on with the one that started before.
                    let before = course.trace.units[cause.ix()].started.max(ready);
                    parts.add((Some(step), After::Rate, pool(ix)), ran + (at - before));
                    at = before;
                    if before > ready {
                        next = Some(cause);
                        continue;
                    }
                }
                Held::Slot(ix, _) | Held::Rate(ix, _) | Held::Somehow(ix) => {
                    parts.add((Some(step), After::Slot, pool(ix)), ran + (at - ready));
                    at = ready;
                }
                Held::Free => {
                    parts.add((Some(step), After::Other, None), ran + (at - ready));
                    at = ready;
                }
            }
            if at <= from {
                break;
            }
            next = go_on(course, &plan, node, &mut parts, &mut at, None);
            continue;
        }
        if at <= from {
            parts.add((Some(step), After::Start, None), ran);
            break;
        }
        next = go_on(course, &plan, node, &mut parts, &mut at, Some((step, ran)));
    }
    if at > from {
        parts.add((None, After::Other, None), at - from);
    }
    parts.told(&plan)
}

/// From the time at which a node was ready to the unit whose end made it so; tells `ran` with the reason found.
fn go_on(
    course: &mut Course,
    plan: &Plan,
    node: NodeIx,
    parts: &mut Parts,
    at: &mut i64,
    ran: Option<(StepIx, i64)>,
) -> Option<UnitIx> {
    let before = before(course, plan, node, *at);
    let after = match before {
        Before::Unit(_) => After::Need,
        Before::Batch(_) => After::Batch,
        Before::End(_) => After::End,
        Before::Nothing => After::Other,
    };
    if let Some((step, ran)) = ran {
        parts.add((Some(step), after, None), ran);
    }
    match before {
        Before::Unit(unit) => Some(unit),
        Before::Batch(batch) => before_batch(course, plan, batch, parts, at),
        Before::End(Some(last)) if course.trace.units[last.ix()].ended == *at => Some(last),
        Before::End(_) => before_batch(course, plan, course.trace.batches.len(), parts, at),
        Before::Nothing => None,
    }
}

/// From a batch's opening, over the soak, to the unit whose end settled the batch before.
fn before_batch(course: &mut Course, plan: &Plan, mut batch: usize, parts: &mut Parts, at: &mut i64) -> Option<UnitIx> {
    loop {
        batch = batch.checked_sub(1)?;
        let times = course.trace.batches[batch];
        let settled = times.settled?.actual.max(course.trace.from);
        if *at > settled {
            parts.add((None, After::Soak, None), *at - settled);
            *at = settled;
        }
        let last = times.last_unit.filter(|last| course.trace.units[last.ix()].ended == *at);
        if last.is_some() {
            return last;
        }
        if times.opened.is_some_and(|opened| opened.actual == *at) {
            // A batch without any work settles as it opens.
            continue;
        }
        match before(course, plan, times.last_skipped?, *at) {
            Before::Unit(unit) => return Some(unit),
            Before::Batch(earlier) => batch = earlier,
            Before::End(_) | Before::Nothing => return None,
        }
    }
}

/// What a node waited for last, given when that was: the last unit of a need, seen through needs that were skipped.
pub(super) fn before(course: &mut Course, plan: &Plan, node: NodeIx, at: i64) -> Before {
    let mut current = node;
    loop {
        let (step, key) = plan.node_at(current);
        let mut skipped = None;
        let mut found = None;
        for need in &plan.step(step).needs {
            each_shared(plan, plan.step(step).scope, key, plan.step(need.step).scope, |key| {
                let needed = plan.node(need.step, key);
                if found.is_some() || course.trace.settled(&course.run, needed).is_none_or(|times| times.actual != at) {
                    return;
                }
                let mut units = course.run.units_of(needed).map(UnitIx);
                found = units.find(|unit| course.trace.units.get(unit.ix()).is_some_and(|unit| unit.ended == at));
                if found.is_none() {
                    skipped = Some(needed);
                }
            });
        }
        if let Some(unit) = found {
            return Before::Unit(unit);
        }
        let gate = match course.trace.gating(plan, step, key) {
            Gating::Batch(batch) => {
                course.trace.batches[batch].opened.map(|times| (times.actual, Before::Batch(batch)))
            }
            Gating::End => course.trace.closed.map(|(times, last)| (times.actual, Before::End(last))),
            Gating::Nothing => None,
        };
        match (gate.filter(|&(opened, _)| opened == at), skipped) {
            (Some((_, gate)), _) => return gate,
            (None, Some(needed)) => {
                // Known by then, since whoever needs it has started.
                let _ = course.trace.ready(&course.run, needed);
                current = needed;
            }
            (None, None) => return Before::Nothing,
        }
    }
}
