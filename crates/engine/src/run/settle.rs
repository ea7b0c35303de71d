//! How the end of one thing lets others start: units settle nodes, nodes let their dependents go, failures put sites
//! out. Each step is a constant number of moves per unit of the run, spread over its events.

use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, SiteIx, StepIx, UnitIx};
use crate::plan::{ForEach, OnFailure, Scope, When};
use crate::run::tables::{BLOCKED, CANCELLED, DEGRADED, FAILED, NodeState, UnitState};
use crate::run::{Halt, Run};

impl Run {
    /// Lets the nodes go that wait for nothing: front-loaded ones, and those whose needs have no key.
    pub(super) fn open(&mut self, at: Millis) {
        self.opened_at = Some(at);
        for node in (0..self.plan.node_count()).map(NodeIx) {
            if self.nodes[node.ix()].count == 0 && self.nodes[node.ix()].state == NodeState::Waiting {
                self.admit(node);
            }
        }
    }

    /// Lets a batch's nodes go.
    pub(super) fn open_batch(&mut self, batch: BatchIx, at: Millis) {
        self.batches[batch.ix()].opened_at = Some(at);
        let plan = self.plan.clone();
        for step in plan.steps().filter(|step| plan.gated[step.ix()]) {
            let scope = plan.step(step).scope;
            let keys = plan.keys.shared(Scope::Batch, KeyIx(u32::from(batch.0)), scope);
            for ix in 0..keys.len() {
                let key = keys.get(ix);
                if plan.gate_of(scope, key) == batch {
                    self.satisfy(plan.node(step, key));
                }
            }
        }
        for site in plan.batch_sites(batch).map(SiteIx) {
            self.close_if_done(site);
        }
    }

    /// Counts one need of a node as settled.
    fn satisfy(&mut self, node: NodeIx) {
        let row = &mut self.nodes[node.ix()];
        row.count = row.count.saturating_sub(1);
        if row.count == 0 && row.state == NodeState::Waiting {
            self.admit(node);
        }
    }

    /// A node's needs are all settled: it runs, is decided, is skipped or cancelled.
    fn admit(&mut self, node: NodeIx) {
        let (step, key) = self.plan.node_at(node);
        if self.nodes[node.ix()].marks & BLOCKED != 0 {
            self.settle(node, NodeState::Cancelled);
        } else if !self.plan.planned_to_run(step, key) {
            self.settle(node, NodeState::Skipped);
        } else if matches!(self.plan.step(step).when, When::Later(_))
            || matches!(self.plan.step(step).for_each, ForEach::Later(_))
        {
            self.nodes[node.ix()].state = NodeState::Undecided;
            self.undecided.insert(node);
        } else {
            self.activate(node);
        }
    }

    /// Skips a node whose condition turned out false.
    pub(super) fn skip(&mut self, node: NodeIx) {
        self.settle(node, NodeState::Skipped);
    }

    /// Makes the units of a node ready; without units it is skipped.
    pub(super) fn activate(&mut self, node: NodeIx) {
        let units = self.units_of(node);
        if units.is_empty() {
            self.settle(node, NodeState::Skipped);
            return;
        }
        self.nodes[node.ix()].state = NodeState::Active;
        self.nodes[node.ix()].count = units.end - units.start;
        for unit in units {
            self.make_ready(UnitIx(unit));
        }
    }

    /// Puts a unit among those that wait for slots only.
    pub(super) fn make_ready(&mut self, unit: UnitIx) {
        let (step, key) = self.step_key(unit);
        self.units[unit.ix()].state = UnitState::Ready;
        self.list_probe(unit);
        self.ready.push(&self.plan, step, key, unit);
    }

    /// Ends a unit that has failed for good, by its step's `on_failure`.
    pub(super) fn give_up(&mut self, unit: UnitIx) {
        let (step, key) = self.step_key(unit);
        match self.plan.step(step).on_failure {
            OnFailure::Degrade => {
                self.mark_degraded(step, key);
                self.settle_unit(unit, UnitState::Degraded);
            }
            OnFailure::Pause => {
                self.units[unit.ix()].state = UnitState::Stuck;
                self.waiting_for_operator.insert(unit);
                self.pause_for(step, key);
            }
            OnFailure::Abort => {
                self.abort();
                self.fail_unit(unit, step, key);
            }
            // A plan with `undo` is not admitted by this version; its safe reading is to keep the site out.
            OnFailure::Quarantine | OnFailure::Undo => self.fail_unit(unit, step, key),
        }
    }

    fn pause_for(&mut self, step: StepIx, key: KeyIx) {
        if self.halt.is_none() {
            let scope = self.plan.step(step).scope;
            let actor = format!("step {}", self.plan.step(step).name);
            let reason = format!("failed for {}", self.plan.key_name(scope, key));
            self.halt = Some(Halt::Paused { actor: actor.into(), reason: reason.into() });
        }
    }

    /// Fails a unit and puts the sites of its node out.
    pub(super) fn fail_unit(&mut self, unit: UnitIx, step: StepIx, key: KeyIx) {
        let node = self.plan.node(step, key);
        self.units[unit.ix()].state = UnitState::Failed;
        self.nodes[node.ix()].marks |= FAILED;
        self.put_out(node, step, key);
        self.cancel_rest(node);
        self.count_unit(node);
    }

    /// Fails a node that never got to its units.
    pub(super) fn fail_node(&mut self, node: NodeIx) {
        let (step, key) = self.plan.node_at(node);
        self.undecided.remove(&node);
        match self.plan.step(step).on_failure {
            OnFailure::Degrade => {
                self.mark_degraded(step, key);
                self.settle(node, NodeState::Degraded);
                return;
            }
            OnFailure::Abort => self.abort(),
            OnFailure::Pause => self.pause_for(step, key),
            OnFailure::Quarantine | OnFailure::Undo => {}
        }
        self.settle(node, NodeState::Failed);
        self.put_out(node, step, key);
    }

    /// Puts every site that a failed node covers out, unless it is already.
    fn put_out(&mut self, node: NodeIx, step: StepIx, key: KeyIx) {
        let plan = self.plan.clone();
        let scope = plan.step(step).scope;
        for site in plan.sites_of(scope, key) {
            if self.sites[site.ix()].out_by != u32::MAX {
                continue;
            }
            self.sites[site.ix()].out_by = node.0;
            let batch = plan.batch_of(site);
            let row = &mut self.batches[batch.ix()];
            row.failures += 1;
            if row.failures > plan.spec().batches.max_failures[batch.ix()] && !row.noted {
                self.over_budget.insert(batch);
            }
            self.cancel_site(site, node);
            self.close_if_done(site);
        }
    }

    /// A step of a site that is in will not run: the site does not come back whole. In a run that goes on it is out; in
    /// one that is being ended it stays unfinished, since nothing of its own failed.
    fn cut_off(&mut self, site: SiteIx, node: NodeIx) {
        if self.sites[site.ix()].out_by != u32::MAX {
            return;
        }
        self.sites[site.ix()].cut_off = true;
        if !self.is_ending() {
            let (step, key) = self.plan.node_at(node);
            self.put_out(node, step, key);
        }
    }

    /// Whether the run is being aborted or cancelled.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.halt, Some(Halt::Aborting | Halt::Cancelling))
    }

    /// Starts to end the run as failed, unless it is ending already.
    pub(super) fn abort(&mut self) {
        if !self.is_ending() {
            self.halt = Some(Halt::Aborting);
        }
    }

    /// Cancels what a site that is out has not started.
    fn cancel_site(&mut self, site: SiteIx, cause: NodeIx) {
        let plan = self.plan.clone();
        for step in plan.steps().filter(|&step| plan.step(step).scope == Scope::Site) {
            let node = plan.node(step, KeyIx(site.0));
            if node == cause {
                continue;
            }
            match self.nodes[node.ix()].state {
                NodeState::Waiting | NodeState::Undecided => {
                    self.undecided.remove(&node);
                    self.settle(node, NodeState::Cancelled);
                }
                NodeState::Active => self.cancel_rest(node),
                NodeState::Succeeded
                | NodeState::Skipped
                | NodeState::Degraded
                | NodeState::Failed
                | NodeState::Cancelled => {}
            }
        }
    }

    /// Cancels the units of a node that wait to start. One whose next call is a probe goes on: its truth is wanted.
    fn cancel_rest(&mut self, node: NodeIx) {
        for unit in self.units_of(node).map(UnitIx) {
            let row = self.units[unit.ix()];
            let waits = matches!(row.state, UnitState::Ready | UnitState::Backoff);
            if waits && row.next_mode() == crate::event::Mode::Apply {
                self.unlist(unit);
                self.settle_unit(unit, UnitState::Cancelled);
            }
        }
    }

    /// Keeps the list of units to probe: in it while ready or backing off before a probe.
    pub(super) fn list_probe(&mut self, unit: UnitIx) {
        let row = self.units[unit.ix()];
        let waits = matches!(row.state, UnitState::Ready | UnitState::Backoff);
        if waits && row.next_mode() == crate::event::Mode::Probe {
            self.to_probe.insert(unit);
        } else {
            self.to_probe.remove(&unit);
        }
    }

    /// Takes a unit out of the index that it is in.
    pub(super) fn unlist(&mut self, unit: UnitIx) {
        self.to_probe.remove(&unit);
        let (step, key) = self.step_key(unit);
        match self.units[unit.ix()].state {
            UnitState::Ready => self.ready.remove(&self.plan, step, key, unit),
            UnitState::Backoff => {
                if let Some(due) = self.due.remove(&unit) {
                    self.backoff.remove(&(due, unit));
                }
            }
            UnitState::Parked | UnitState::Stuck => {
                self.waiting_for_operator.remove(&unit);
            }
            UnitState::Waiting
            | UnitState::Running
            | UnitState::Succeeded
            | UnitState::Degraded
            | UnitState::Failed
            | UnitState::Cancelled => {}
        }
    }

    fn mark_degraded(&mut self, step: StepIx, key: KeyIx) {
        let plan = self.plan.clone();
        for site in plan.sites_of(plan.step(step).scope, key) {
            self.sites[site.ix()].degraded = true;
            self.close_if_done(site);
        }
    }

    /// Ends a unit and, with the last of them, its node.
    pub(super) fn settle_unit(&mut self, unit: UnitIx, state: UnitState) {
        let Some((node, _)) = self.unit_at(unit) else { return };
        self.units[unit.ix()].state = state;
        match state {
            UnitState::Degraded => self.nodes[node.ix()].marks |= DEGRADED,
            UnitState::Cancelled => self.nodes[node.ix()].marks |= CANCELLED,
            UnitState::Waiting
            | UnitState::Ready
            | UnitState::Running
            | UnitState::Backoff
            | UnitState::Parked
            | UnitState::Stuck
            | UnitState::Succeeded
            | UnitState::Failed => {}
        }
        self.count_unit(node);
    }

    fn count_unit(&mut self, node: NodeIx) {
        let row = &mut self.nodes[node.ix()];
        row.count = row.count.saturating_sub(1);
        if row.count > 0 || row.state != NodeState::Active {
            return;
        }
        let state = if row.marks & FAILED != 0 {
            NodeState::Failed
        } else if row.marks & CANCELLED != 0 {
            NodeState::Cancelled
        } else if row.marks & DEGRADED != 0 {
            NodeState::Degraded
        } else {
            NodeState::Succeeded
        };
        self.settle(node, state);
    }

    /// Ends a node; `propagate` then counts it for everyone who waits for it.
    fn settle(&mut self, node: NodeIx, state: NodeState) {
        let (step, key) = self.plan.node_at(node);
        self.nodes[node.ix()].state = state;
        self.settled_nodes += 1;
        if !matches!(state, NodeState::Succeeded | NodeState::Skipped) {
            self.flawed_nodes += 1;
        }
        match self.plan.step(step).scope {
            Scope::Site => {
                self.sites[key.ix()].open -= 1;
                if state == NodeState::Cancelled {
                    self.cut_off(SiteIx(key.0), node);
                }
                self.close_if_done(SiteIx(key.0));
            }
            Scope::Batch => self.batches[key.ix()].open_nodes -= 1,
            Scope::Run | Scope::Group(_) => {}
        }
        self.settled.push(node);
    }

    /// Counts every newly settled node for its dependents, which may settle in turn; a list, not recursion, so that
    /// the depth of a runbook costs no stack.
    pub(super) fn propagate(&mut self) {
        let plan = self.plan.clone();
        while let Some(node) = self.settled.pop() {
            let (step, key) = plan.node_at(node);
            let satisfied = self.nodes[node.ix()].state.is_satisfied();
            let scope = plan.step(step).scope;
            for dependent in &plan.dependents[step.ix()] {
                let keys = plan.keys.shared(scope, key, plan.step(dependent.step).scope);
                for ix in 0..keys.len() {
                    let waiting = plan.node(dependent.step, keys.get(ix));
                    if !satisfied && (dependent.covers || dependent.require_all) {
                        self.nodes[waiting.ix()].marks |= BLOCKED;
                    }
                    self.satisfy(waiting);
                }
            }
        }
    }

    /// Lists a site whose end can be decided, or whose end changed.
    fn close_if_done(&mut self, site: SiteIx) {
        let row = self.sites[site.ix()];
        let opened = self.batches[self.plan.batch_of(site).ix()].opened_at.is_some();
        let out = row.out_by != u32::MAX;
        if row.cut_off && !out {
            return;
        }
        if row.open == 0 && (opened || out) && row.end != Some(self.end_of(site)) {
            self.to_close.insert(site);
        }
    }

    /// How a site that has nothing left to do ends.
    pub(super) fn end_of(&self, site: SiteIx) -> crate::event::SiteEnd {
        let row = self.sites[site.ix()];
        if row.out_by != u32::MAX {
            crate::event::SiteEnd::Quarantined
        } else if row.degraded {
            crate::event::SiteEnd::Degraded
        } else {
            crate::event::SiteEnd::Returned
        }
    }
}
