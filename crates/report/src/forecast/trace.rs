//! What is kept while virtual time goes on: when units started and ended, why they started when they did, and the
//! earliest time at which each could have.
//!
//! 24 bytes a unit, 24 a node. Each need of a node is looked at once, when its first unit starts.

use std::collections::BTreeMap;

use engine::{BatchIx, KeyIx, Millis, NodeIx, NodeState, Plan, Run, Scope, SiteIx, StepIx, UnitIx};

use crate::fold::{each_shared, gate_of, gated};
use crate::forecast::pools::{Held, Pools};

pub(super) const UNSET: Millis = Millis::MIN;

/// When something was there, and the earliest time at which it could have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) actual: Millis,
    pub(super) floor: Millis,
}

impl Times {
    fn later(self, other: Self) -> Self {
        Self { actual: self.actual.max(other.actual), floor: self.floor.max(other.floor) }
    }
}

/// The record of one forecast run.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) from: Millis,
    pub(super) units: Vec<UnitTimes>,
    nodes: Vec<NodeTimes>,
    gated: Vec<bool>,
    last: Vec<Option<(NodeIx, Times)>>,
    pub(super) pools: Pools,
    pub(super) batches: Vec<BatchTimes>,
    open: Option<usize>,
    /// When everything but `finally` was done, and the last unit by then.
    pub(super) closed: Option<(Times, Option<UnitIx>)>,
    /// Time of attempts that fell short, and of the waits after them, by unit.
    fell_short: BTreeMap<UnitIx, i64>,
    /// When sites came back, in order.
    pub(super) back: Vec<(Millis, SiteIx)>,
    pub(super) last_unit: Option<UnitIx>,
    /// Latest of all earliest ends.
    pub(super) floor: Millis,
}

/// Times of a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitTimes {
    pub(super) started: Millis,
    pub(super) ended: Millis,
    /// Instance and unit that it waited for, packed; [`Held::FREE`] if for neither.
    cause: u64,
}

/// Times of a node; `start` is the earliest start of its units, `floor` of its end.
#[derive(Clone, Copy, Debug)]
struct NodeTimes {
    settled: Millis,
    start: Millis,
    floor: Millis,
}

/// Times of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchTimes {
    pub(super) opened: Option<Times>,
    pub(super) settled: Option<Times>,
    /// Latest of the earliest ends of its nodes.
    floor: Millis,
    pub(super) last_unit: Option<UnitIx>,
    /// A skipped node whose needs settled it, if that came after the last unit.
    pub(super) last_skipped: Option<NodeIx>,
}

impl Trace {
    pub(super) fn new(run: &Run, from: Millis) -> Self {
        let plan = run.plan();
        let pools = Pools::new(run);
        let unit = UnitTimes { started: UNSET, ended: UNSET, cause: Held::FREE };
        let node = |node| NodeTimes {
            settled: if run.node_state(NodeIx(node)).is_settled() { from } else { UNSET },
            start: from,
            floor: from,
        };
        let mut batches: Vec<BatchTimes> = Vec::new();
        let mut open = None;
        for batch in (0..plan.batch_count() as usize).map(BatchIx::from) {
            let (opened, settled) = run.batch_times(batch);
            let clamped = |at: Millis| Times { actual: at.max(from), floor: at.max(from) };
            if opened.is_some() && settled.is_none() {
                open = Some(batch.ix());
            }
            batches.push(BatchTimes {
                opened: opened.map(clamped),
                // Kept as it was: the soak counts from it.
                settled: settled.map(|at| Times { actual: at, floor: at }),
                floor: from,
                last_unit: None,
                last_skipped: None,
            });
        }
        Self {
            from,
            units: vec![unit; plan.unit_count() as usize],
            nodes: (0..plan.node_count()).map(node).collect(),
            gated: gated(plan),
            last: vec![None; plan.spec().steps.len()],
            pools,
            batches,
            open,
            closed: None,
            fell_short: BTreeMap::new(),
            back: Vec::new(),
            last_unit: None,
            floor: from,
        }
    }

    /// An attempt started; called after the event was applied.
    pub(super) fn started(&mut self, run: &Run, unit: UnitIx, at: Millis) {
        let Some((node, _)) = run.unit_at(unit) else { return };
        let plan = run.plan();
        let place = plan.node_at(node);
        if self.units.len() <= unit.ix() {
            self.units.resize(unit.ix() + 1, UnitTimes { started: UNSET, ended: UNSET, cause: Held::FREE });
        }
        let first = self.units[unit.ix()].started == UNSET;
        let ready = self.ready(run, node);
        // What is ready before the forecast begins waits from there on.
        let waited = first.then(|| at.saturating_sub(ready.actual.max(self.from)));
        let held = self.pools.start(plan, place, unit, at, waited, ready.floor);
        if first {
            self.nodes[node.ix()].start = ready.floor;
            self.units[unit.ix()] = UnitTimes { started: at, ended: UNSET, cause: held.pack() };
        }
    }

    /// An attempt ended that had started at a time; called after the event was applied.
    pub(super) fn ended(&mut self, run: &Run, unit: UnitIx, started: Millis, at: Millis, done: bool) {
        let Some((node, _)) = run.unit_at(unit) else { return };
        let plan = run.plan();
        let (step, key) = plan.node_at(node);
        let from = started.max(self.from);
        let batch = match plan.step(step).scope {
            _ if plan.step(step).finally => None,
            Scope::Site => Some(plan.batch_of(SiteIx(key.0)).ix()),
            Scope::Batch => Some(key.ix()),
            Scope::Run | Scope::Group(_) => None,
        };
        let opened = batch.and_then(|batch| self.batches[batch].opened);
        let in_batch = batch == self.open && opened.is_some_and(|opened| from >= opened.actual);
        self.pools.end(plan, (step, key), unit, (from, at), in_batch);
        if !done {
            *self.fell_short.entry(unit).or_default() += at - from;
            return;
        }
        if self.units.len() <= unit.ix() {
            self.units.resize(unit.ix() + 1, UnitTimes { started: UNSET, ended: UNSET, cause: Held::FREE });
        }
        let times = &mut self.units[unit.ix()];
        if times.started == UNSET {
            times.started = from;
        }
        times.ended = at;
        let worked = at - from + self.fell_short.remove(&unit).unwrap_or(0);
        let row = &mut self.nodes[node.ix()];
        row.settled = row.settled.max(at);
        row.floor = row.floor.max(row.start.saturating_add(worked));
        self.floor = self.floor.max(row.floor);
        self.last_unit = Some(unit);
        if let Some(batch) = batch {
            self.batches[batch].floor = self.batches[batch].floor.max(row.floor);
            self.batches[batch].last_unit = Some(unit);
        }
    }

    /// A unit whose attempt fell short has waited for so long because it had to: no order of the units makes that shorter.
    pub(super) fn backed_off(&mut self, unit: UnitIx, ms: i64) {
        *self.fell_short.entry(unit).or_default() += ms.max(0);
    }

    /// A batch opened.
    pub(super) fn batch_opened(&mut self, plan: &Plan, batch: BatchIx, at: Millis) {
        let soak = i64::try_from(plan.spec().batches.soak_ms).unwrap_or(i64::MAX);
        let before = batch.ix().checked_sub(1).and_then(|before| self.batches[before].settled);
        let floor = before.map_or(self.from, |before| before.floor.saturating_add(soak)).max(self.from);
        self.batches[batch.ix()].opened = Some(Times { actual: at, floor });
        self.open = Some(batch.ix());
        self.floor = self.floor.max(floor);
    }

    /// A batch settled; called after the event was applied.
    pub(super) fn batch_settled(&mut self, run: &Run, batch: BatchIx, at: Millis) {
        let last = self.batches[batch.ix()].last_unit;
        if last.is_none_or(|last| self.units[last.ix()].ended < at) {
            self.note_skipped(run, batch, at);
        }
        let work = self.pools.close_batch();
        let row = &mut self.batches[batch.ix()];
        let opened = row.opened.map_or(self.from, |opened| opened.floor);
        let floor = row.floor.max(opened.saturating_add(work));
        row.settled = Some(Times { actual: at, floor });
        self.open = None;
        self.floor = self.floor.max(floor);
    }

    /// Looks for what a batch waited for that ran nothing of its own: skipped nodes settle with their needs.
    fn note_skipped(&mut self, run: &Run, batch: BatchIx, at: Millis) {
        let plan = run.plan().clone();
        for step in plan.steps().filter(|&step| !plan.step(step).finally) {
            let keys = match plan.step(step).scope {
                Scope::Site => plan.batch_sites(batch),
                Scope::Batch => u32::from(batch.0)..u32::from(batch.0) + 1,
                Scope::Run | Scope::Group(_) => continue,
            };
            for node in keys.map(|key| plan.node(step, KeyIx(key))) {
                if run.node_state(node) != NodeState::Skipped {
                    continue;
                }
                let times = self.ready(run, node);
                let row = &mut self.batches[batch.ix()];
                row.floor = row.floor.max(times.floor);
                if times.actual == at {
                    row.last_skipped = Some(node);
                }
            }
        }
    }

    /// Only `finally` is left.
    pub(super) fn closing(&mut self, at: Millis) {
        self.closed = Some((Times { actual: at, floor: self.floor }, self.last_unit));
    }

    /// What a unit waited for although its needs were settled.
    pub(super) fn cause(&self, unit: UnitIx) -> Held {
        Held::unpack(self.units[unit.ix()].cause)
    }

    /// When a node's needs were settled and its batch open, not before the forecast begins.
    pub(super) fn ready(&mut self, run: &Run, node: NodeIx) -> Times {
        let plan = run.plan();
        let step = plan.node_at(node).0.ix();
        if let Some((_, times)) = self.last[step].filter(|&(last, _)| last == node) {
            return times;
        }
        // A list, not recursion: a node stays listed until the nodes are known that settled without a unit of their own.
        let mut open = vec![node];
        let mut times = Times { actual: self.from, floor: self.from };
        while let Some(&current) = open.last() {
            let (step, key) = plan.node_at(current);
            let listed = open.len();
            times = self.gate(plan, step, key);
            for need in &plan.step(step).needs {
                each_shared(plan, plan.step(step).scope, key, plan.step(need.step).scope, |key| {
                    let needed = plan.node(need.step, key);
                    match self.settled(run, needed) {
                        Some(at) => times = times.later(at),
                        None => open.push(needed),
                    }
                });
            }
            if open.len() > listed {
                continue;
            }
            open.pop();
            if !open.is_empty() {
                let row = &mut self.nodes[current.ix()];
                (row.settled, row.floor) = (times.actual, times.floor);
            }
        }
        self.last[step] = Some((node, times));
        times
    }

    /// When a node settled; `None` if that has to be worked out from its needs.
    pub(super) fn settled(&self, run: &Run, node: NodeIx) -> Option<Times> {
        let row = &self.nodes[node.ix()];
        let never = Some(Times { actual: self.from, floor: self.from });
        match run.node_state(node) {
            // Cancelled nodes settle when their site goes out, before their needs: they hold nobody back.
            NodeState::Cancelled | NodeState::Undoing | NodeState::Undone => never,
            NodeState::Waiting | NodeState::Undecided | NodeState::Active => never,
            _ if row.settled == UNSET => None,
            _ => Some(Times { actual: row.settled, floor: row.floor }),
        }
    }

    /// When the batch opened that a node waits for.
    pub(super) fn gate(&self, plan: &Plan, step: StepIx, key: KeyIx) -> Times {
        let opened = match self.gating(plan, step, key) {
            Gating::Batch(batch) => self.batches[batch].opened,
            Gating::End => self.closed.map(|(times, _)| times),
            Gating::Nothing => None,
        };
        opened.unwrap_or(Times { actual: self.from, floor: self.from })
    }

    /// What a node waits for beside its needs.
    pub(super) fn gating(&self, plan: &Plan, step: StepIx, key: KeyIx) -> Gating {
        if !self.gated[step.ix()] {
            return Gating::Nothing;
        }
        if plan.step(step).finally {
            return Gating::End;
        }
        match gate_of(plan, plan.step(step).scope, key).ix() {
            batch if batch < self.batches.len() => Gating::Batch(batch),
            _ => Gating::Nothing,
        }
    }
}

/// What a node waits for beside its needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gating {
    /// The opening of a batch.
    Batch(usize),
    /// The end of everything but `finally`.
    End,
    Nothing,
}
