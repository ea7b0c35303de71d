//! When nodes could have started, worked out from when others settled.

use engine::{KeyIx, Millis, NodeIx, Plan, Run, StepIx};

use crate::fold::needs::{each_shared, gate_of, gated};
use crate::fold::times::Offsets;

/// When each node settled: 4 bytes a node.
///
/// Nodes that settle without an event of their own (skipped, cancelled) get the time of their last need when someone
/// asks; each is worked out once, so the sum over a run stays in proportion to its dependencies.
#[derive(Clone, Debug)]
pub(super) struct ReadyTimes {
    settled: Offsets,
    /// Whether a step's nodes wait for their batch.
    gated: Vec<bool>,
    /// The last answer of each step: the units of one node start one after another.
    last: Vec<Option<(NodeIx, u32)>>,
    /// When units might start at all: at once, or when the whole run was approved.
    begun: u32,
    /// When everything but `finally` was over.
    closing: u32,
}

impl ReadyTimes {
    pub(super) fn new(plan: &Plan) -> Self {
        let last = vec![None; plan.spec().steps.len()];
        let settled = Offsets::new(plan.node_count() as usize);
        Self { settled, last, gated: gated(plan), begun: 0, closing: 0 }
    }

    /// Notes the time of an event that may have settled a node, perhaps not for the first time.
    pub(super) fn note(&mut self, run: &Run, node: NodeIx, at: Millis) {
        if run.node_state(node).is_settled() {
            self.settled.set(node.ix(), i64::from(offset(run, at)));
        }
    }

    /// The same for an amended plan, in which nodes may have other numbers.
    pub(super) fn renumbered(&self, plan: &Plan, mut new: impl FnMut(NodeIx) -> Option<NodeIx>) -> Self {
        let mut times = Self { begun: self.begun, closing: self.closing, ..Self::new(plan) };
        for old in (0..self.settled.len()).map(NodeIx::from) {
            if let (Some(ms), Some(node)) = (self.settled.get(old.ix()), new(old)) {
                times.settled.set(node.ix(), i64::from(ms));
            }
        }
        times
    }

    /// Notes that the whole run was approved.
    pub(super) fn begin(&mut self, run: &Run, at: Millis) {
        self.begun = offset(run, at);
    }

    /// Notes that only `finally` is left.
    pub(super) fn close(&mut self, run: &Run, at: Millis) {
        self.closing = offset(run, at);
    }

    /// Forgets what was worked out for nodes that may have gone back to the start.
    pub(super) fn forget_answers(&mut self) {
        self.last.fill(None);
    }

    /// When a node's needs were settled and its batch open, in milliseconds from the run's opening.
    pub(super) fn ready_at(&mut self, run: &Run, node: NodeIx) -> u32 {
        let plan = run.plan().clone();
        let asked = plan.node_at(node).0.ix();
        if let Some((_, answer)) = self.last[asked].filter(|&(last, _)| last == node) {
            return answer;
        }
        // A list, not recursion: the depth of a runbook costs no stack. A node stays listed until its needs are known.
        let mut open = vec![node];
        let mut answer = 0;
        while let Some(&current) = open.last() {
            let (step, key) = plan.node_at(current);
            let mut latest = self.gate(run, &plan, step, key);
            let listed = open.len();
            for need in &plan.step(step).needs {
                each_shared(&plan, plan.step(step).scope, key, plan.step(need.step).scope, |key| {
                    let needed = plan.node(need.step, key);
                    match self.settled.get(needed.ix()) {
                        Some(at) => latest = latest.max(at),
                        None if run.node_state(needed).is_settled() => open.push(needed),
                        None => {}
                    }
                });
            }
            if open.len() > listed {
                continue;
            }
            open.pop();
            answer = latest;
            if !open.is_empty() {
                self.settled.set_first(current.ix(), i64::from(latest));
            }
        }
        self.last[asked] = Some((node, answer));
        answer
    }

    fn gate(&self, run: &Run, plan: &Plan, step: StepIx, key: KeyIx) -> u32 {
        if plan.step(step).finally {
            return self.closing;
        }
        if !self.gated[step.ix()] {
            return self.begun;
        }
        let batch = gate_of(plan, plan.step(step).scope, key);
        if batch.ix() >= plan.batch_count() as usize {
            return self.begun;
        }
        run.batch_times(batch).0.map_or(self.begun, |opened| offset(run, opened))
    }
}

/// Milliseconds from the run's opening to a time.
fn offset(run: &Run, at: Millis) -> u32 {
    let ms = run.opened_at().map_or(0, |opened| at.saturating_sub(opened));
    u32::try_from(ms.max(0)).unwrap_or(u32::MAX).min(u32::MAX - 1)
}
