//! When nodes could have started, worked out from when others settled.

use engine::{KeyIx, Millis, NodeIx, Plan, Run, StepIx};

use crate::fold::needs::{each_shared, gate_of, gated};
use crate::fold::times::Offsets;

/// When each node settled: 4 bytes a node.
///
/// Nodes that settle without an event of their own (skipped, cancelled) get the time of their last need when someone
/// asks; each is worked out once, so the sum over a run stays in proportion to its dependencies.
#[derive(Debug)]
pub(super) struct ReadyTimes {
    settled: Offsets,
    /// Whether a step's nodes wait for their batch.
    gated: Vec<bool>,
    /// The last answer of each step: the units of one node start one after another.
    last: Vec<Option<(NodeIx, u32)>>,
}

impl ReadyTimes {
    pub(super) fn new(plan: &Plan) -> Self {
        let last = vec![None; plan.spec().steps.len()];
        Self { settled: Offsets::new(plan.node_count() as usize), last, gated: gated(plan) }
    }

    /// Notes the time of an event that may have settled a node.
    pub(super) fn note(&mut self, run: &Run, node: NodeIx, at: Millis) {
        if run.node_state(node).is_settled() {
            let offset = run.opened_at().map_or(0, |opened| at.saturating_sub(opened));
            self.settled.set_first(node.ix(), offset);
        }
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
        if !self.gated[step.ix()] {
            return 0;
        }
        let batch = gate_of(plan, plan.step(step).scope, key);
        if batch.ix() >= plan.batch_count() as usize {
            return 0;
        }
        let opened = run.batch_times(batch).0.zip(run.opened_at());
        opened.map_or(0, |(batch, run)| u32::try_from((batch - run).max(0)).unwrap_or(u32::MAX - 1))
    }
}
