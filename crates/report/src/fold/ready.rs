//! When nodes could have started, worked out from when others settled.

use engine::{BatchIx, KeyIx, Millis, NodeIx, Plan, Run, Scope, SiteIx, StepIx};

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
        let steps = &plan.spec().steps;
        let gated = steps
            .iter()
            .map(|step| {
                let held = step.needs.iter().map(|need| &steps[need.step.ix()]);
                !step.front_load && !held.clone().any(|needed| needed.scope == step.scope && !needed.front_load)
            })
            .collect();
        Self { settled: Offsets::new(plan.node_count() as usize), last: vec![None; steps.len()], gated }
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
        let batch = match plan.step(step).scope {
            Scope::Run => BatchIx(0),
            Scope::Batch => BatchIx::from(key.ix()),
            Scope::Site => plan.batch_of(SiteIx(key.0)),
            scope @ Scope::Group(_) => plan.sites_of(scope, key).next().map_or(BatchIx(0), |site| plan.batch_of(site)),
        };
        if batch.ix() >= plan.batch_count() as usize {
            return 0;
        }
        let opened = run.batch_times(batch).0.zip(run.opened_at());
        opened.map_or(0, |(batch, run)| u32::try_from((batch - run).max(0)).unwrap_or(u32::MAX - 1))
    }
}

/// Calls for each key of `to` that shares a site with a key of `from`; a key may come more than once.
fn each_shared(plan: &Plan, from: Scope, key: KeyIx, to: Scope, mut call: impl FnMut(KeyIx)) {
    if let Some(key) = plan.covering_key(from, key, to) {
        call(key);
        return;
    }
    let mut last = None;
    for site in plan.sites_of(from, key) {
        let key = plan.covering_key(Scope::Site, KeyIx(site.0), to);
        if let Some(key) = key.filter(|_| key != last) {
            call(key);
        }
        last = key;
    }
}
