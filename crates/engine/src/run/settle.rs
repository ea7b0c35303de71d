//! How the end of one thing lets others start: units settle nodes, nodes let their dependents go, failures put sites
//! out. Each step is a constant number of moves per unit of the run, spread over its events.

use crate::event::{Mode, SiteEnd, TakeOut};
use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, SiteIx, StepIx, UnitIx};
use crate::plan::{ForEach, OnFailure, Scope, When};
use crate::run::tables::{BLOCKED, BY_OPERATOR, CANCELLED, DECIDED, DEGRADED, FAILED, NodeState, SiteUndo, UnitState};
use crate::run::{Halt, Run};

impl Run {
    /// Lets the run go, unless it waits for approval as a whole.
    pub(super) fn open(&mut self, at: Millis, actor: &str) {
        self.opened_at = Some(at);
        self.opened_by = actor.into();
        match self.plan.spec().extras.start {
            Some(_) => self.ask(crate::event::Gate::Start),
            None => self.begin(),
        }
    }

    /// Lets the nodes go that wait for nothing: front-loaded ones, and those whose needs have no key.
    pub(super) fn begin(&mut self) {
        self.begun = true;
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
        for step in plan.steps().filter(|step| plan.gated[step.ix()] && !plan.step(*step).finally) {
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
    pub(super) fn satisfy(&mut self, node: NodeIx) {
        let row = &mut self.nodes[node.ix()];
        // One that was settled by decree, or was past it when an amendment put the need there, does not count it.
        if row.state != NodeState::Waiting {
            return;
        }
        row.count = row.count.saturating_sub(1);
        if row.count == 0 && self.begun {
            self.admit(node);
        }
    }

    /// A node's needs are all settled: it runs, is decided, is skipped or cancelled.
    pub(super) fn admit(&mut self, node: NodeIx) {
        let (step, key) = self.plan.node_at(node);
        let marks = self.nodes[node.ix()].marks;
        let spec = self.plan.step(step);
        let open = matches!(spec.when, When::Later(_)) && marks & DECIDED == 0
            || matches!(spec.for_each, ForEach::Later(_)) && !self.has_items(node);
        if marks & BLOCKED != 0 {
            self.settle(node, NodeState::Cancelled);
        } else if !self.plan.planned_to_run(step, key) {
            self.settle(node, NodeState::Skipped);
        } else if open {
            self.set_node(node, NodeState::Undecided);
            self.undecided.insert(node);
        } else {
            self.activate(node);
        }
    }

    /// Skips a node whose condition turned out false.
    pub(super) fn skip(&mut self, node: NodeIx) {
        self.settle(node, NodeState::Skipped);
    }

    /// Lets the units of a node go that have not succeeded yet; without units it is skipped.
    pub(super) fn activate(&mut self, node: NodeIx) {
        let units = self.units_of(node);
        if units.is_empty() {
            self.settle(node, NodeState::Skipped);
            return;
        }
        let open = units.clone().filter(|&unit| !self.units[unit as usize].state.is_settled()).count();
        self.set_node(node, NodeState::Active);
        self.nodes[node.ix()].count = u32::try_from(open).unwrap_or(u32::MAX);
        if open == 0 {
            self.finish_node(node);
        }
        for unit in units.map(UnitIx) {
            if !self.units[unit.ix()].state.is_settled() {
                self.go(unit);
            }
        }
    }

    /// Lets a unit go: to people if it is an approval, and with care if something of it may be there already.
    pub(super) fn go(&mut self, unit: UnitIx) {
        let (step, _) = self.step_key(unit);
        let in_doubt = self.units[unit.ix()].in_doubt();
        match self.plan.action(step) {
            None => {
                self.units[unit.ix()].state = UnitState::Asked;
                self.ask(crate::event::Gate::Unit(unit));
            }
            Some(action) if in_doubt && action.has_probe => {
                self.units[unit.ix()].set_probe_next(true);
                self.make_ready(unit);
            }
            Some(action) if in_doubt && !action.idempotent => self.park(unit),
            Some(_) => self.make_ready(unit),
        }
    }

    /// Puts a unit among those that wait for slots only.
    pub(super) fn make_ready(&mut self, unit: UnitIx) {
        let (step, key) = self.step_key(unit);
        self.units[unit.ix()].state = UnitState::Ready;
        self.list_probe(unit);
        self.ready.push(&self.plan, step, key, unit);
    }

    /// Ends a unit that has failed for good, by its step's `on_failure`; one whose undo failed is stuck.
    pub(super) fn give_up(&mut self, unit: UnitIx) {
        let (step, key) = self.step_key(unit);
        if self.units[unit.ix()].is_undoing() {
            self.stick(unit);
            return;
        }
        match self.plan.step(step).on_failure {
            OnFailure::Degrade => {
                self.mark_degraded(step, key);
                self.settle_unit(unit, UnitState::Degraded);
            }
            OnFailure::Pause if !self.plan.step(step).finally => {
                self.stick(unit);
                self.pause_for(step, key);
            }
            OnFailure::Abort if !self.plan.step(step).finally => {
                self.abort();
                self.fail_unit(unit, step, key);
            }
            OnFailure::Undo => {
                self.fail_unit(unit, step, key);
                self.want_undo_of(step, key);
            }
            OnFailure::Quarantine | OnFailure::Pause | OnFailure::Abort => self.fail_unit(unit, step, key),
        }
    }

    fn stick(&mut self, unit: UnitIx) {
        self.units[unit.ix()].state = UnitState::Stuck;
        self.list_probe(unit);
        self.waiting_for_operator.insert(unit);
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
        let finally = self.plan.step(step).finally;
        match self.plan.step(step).on_failure {
            OnFailure::Degrade => {
                self.mark_degraded(step, key);
                self.settle(node, NodeState::Degraded);
                return;
            }
            OnFailure::Abort if !finally => self.abort(),
            OnFailure::Pause if !finally => self.pause_for(step, key),
            OnFailure::Undo => {
                self.settle(node, NodeState::Failed);
                self.put_out(node, step, key);
                self.want_undo_of(step, key);
                return;
            }
            OnFailure::Quarantine | OnFailure::Abort | OnFailure::Pause => {}
        }
        self.settle(node, NodeState::Failed);
        self.put_out(node, step, key);
    }

    /// Puts every site that a failed node covers out, unless it is already. `finally` puts nobody out.
    fn put_out(&mut self, node: NodeIx, step: StepIx, key: KeyIx) {
        let plan = self.plan.clone();
        if plan.step(step).finally {
            return;
        }
        for site in plan.sites_of(plan.step(step).scope, key) {
            self.out_site(site, node.0);
        }
    }

    /// Puts a site out, unless it is already: what it has not started is cancelled.
    pub(super) fn out_site(&mut self, site: SiteIx, by: u32) {
        if self.sites[site.ix()].is_out() {
            return;
        }
        self.sites[site.ix()].out_by = by;
        if by != BY_OPERATOR {
            let batch = self.plan.batch_of(site);
            let row = &mut self.batches[batch.ix()];
            row.failures += 1;
            if row.failures > self.plan.spec().batches.max_failures[batch.ix()] && !row.noted {
                self.over_budget.insert(batch);
            }
        }
        self.cancel_site(site, by);
        self.close_if_done(site);
    }

    /// A step of a site that is in will not run: the site does not come back whole. In a run that goes on it is out; in
    /// one that is being ended it stays unfinished, since nothing of its own failed.
    fn cut_off(&mut self, site: SiteIx, node: NodeIx) {
        if self.sites[site.ix()].is_out() {
            return;
        }
        self.sites[site.ix()].cut_off = true;
        if !self.is_ending() {
            let (step, key) = self.plan.node_at(node);
            self.put_out(node, step, key);
        }
    }

    /// Whether the run is being aborted, cancelled or unwound.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.halt, Some(Halt::Aborting | Halt::Cancelling | Halt::Unwinding))
    }

    /// Starts to end the run as failed, unless it is ending already.
    pub(super) fn abort(&mut self) {
        if !self.is_ending() {
            self.halt = Some(Halt::Aborting);
        }
    }

    /// Cancels what a site that is out has not started.
    fn cancel_site(&mut self, site: SiteIx, cause: u32) {
        for node in self.nodes_of_site(site) {
            if node.0 == cause {
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
                | NodeState::Cancelled
                | NodeState::Undoing
                | NodeState::Undone => {}
            }
        }
    }

    /// Cancels the units of a node that wait to start. One whose next call is a probe goes on: its truth is wanted.
    fn cancel_rest(&mut self, node: NodeIx) {
        for unit in self.units_of(node).map(UnitIx) {
            let row = self.units[unit.ix()];
            let waits = matches!(row.state, UnitState::Ready | UnitState::Backoff | UnitState::Asked);
            if waits && row.next_mode() == Mode::Apply {
                self.unlist(unit);
                self.settle_unit(unit, UnitState::Cancelled);
            }
        }
    }

    /// Keeps the list of units that go on even while the run is ending: in it while ready or backing off before a
    /// probe or an undo.
    pub(super) fn list_probe(&mut self, unit: UnitIx) {
        let row = self.units[unit.ix()];
        let waits = matches!(row.state, UnitState::Ready | UnitState::Backoff);
        if waits && row.next_mode() != Mode::Apply {
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
            UnitState::Asked => self.unask(crate::event::Gate::Unit(unit)),
            UnitState::Parked | UnitState::Stuck => {
                self.waiting_for_operator.remove(&unit);
            }
            UnitState::Waiting
            | UnitState::Running
            | UnitState::Succeeded
            | UnitState::Degraded
            | UnitState::Failed
            | UnitState::Cancelled
            | UnitState::Undone => {}
        }
    }

    pub(super) fn mark_degraded(&mut self, step: StepIx, key: KeyIx) {
        let plan = self.plan.clone();
        if plan.step(step).finally {
            return;
        }
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
            _ => {}
        }
        self.count_unit(node);
    }

    fn count_unit(&mut self, node: NodeIx) {
        let row = &mut self.nodes[node.ix()];
        row.count = row.count.saturating_sub(1);
        if row.count == 0 && row.state == NodeState::Active {
            self.finish_node(node);
        }
    }

    fn finish_node(&mut self, node: NodeIx) {
        let marks = self.nodes[node.ix()].marks;
        let state = if marks & FAILED != 0 {
            NodeState::Failed
        } else if marks & CANCELLED != 0 {
            NodeState::Cancelled
        } else if marks & DEGRADED != 0 {
            NodeState::Degraded
        } else {
            NodeState::Succeeded
        };
        self.settle(node, state);
    }

    /// Moves a node to a state and keeps every count that depends on it.
    pub(super) fn set_node(&mut self, node: NodeIx, state: NodeState) {
        let before = std::mem::replace(&mut self.nodes[node.ix()].state, state);
        let flawed = |state: NodeState| {
            u32::from(state.is_settled() && !matches!(state, NodeState::Succeeded | NodeState::Skipped))
        };
        self.flawed_nodes = self.flawed_nodes + flawed(state) - flawed(before);
        if before.is_settled() == state.is_settled() {
            return;
        }
        let settles = state.is_settled();
        let count = |of: &mut u32| if settles { *of += 1 } else { *of -= 1 };
        count(&mut self.settled_nodes);
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        if spec.finally {
            return;
        }
        count(&mut self.settled_work);
        match (spec.scope, settles) {
            (Scope::Site, true) => self.sites[key.ix()].open -= 1,
            (Scope::Site, false) => self.sites[key.ix()].open += 1,
            (Scope::Batch, true) => self.batches[key.ix()].open_nodes -= 1,
            (Scope::Batch, false) => self.batches[key.ix()].open_nodes += 1,
            (Scope::Run | Scope::Group(_), _) => {}
        }
    }

    /// Ends a node; `propagate` then counts it for everyone who waits for it.
    pub(super) fn settle(&mut self, node: NodeIx, state: NodeState) {
        self.set_node(node, state);
        let (step, _) = self.plan.node_at(node);
        if let Some(site) = self.site_of(node)
            && !self.plan.step(step).finally
        {
            if state == NodeState::Cancelled {
                self.cut_off(site, node);
            }
            self.close_if_done(site);
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
    pub(super) fn close_if_done(&mut self, site: SiteIx) {
        let row = self.sites[site.ix()];
        let opened = self.batches[self.plan.batch_of(site).ix()].opened_at.is_some();
        let undoing = matches!(row.undo, SiteUndo::Wanted | SiteUndo::Running);
        if undoing || (row.cut_off && !row.is_out()) {
            return;
        }
        if row.open == 0 && (opened || row.is_out()) && row.end != Some(self.end_of(site)) {
            self.to_close.insert(site);
        }
    }

    /// How a site that has nothing left to do ends.
    pub(super) fn end_of(&self, site: SiteIx) -> SiteEnd {
        let row = self.sites[site.ix()];
        match (row.is_out(), row.taken, row.undo) {
            (true, Some(TakeOut::Exclude), _) => SiteEnd::Excluded,
            (true, Some(TakeOut::Release), _) => SiteEnd::Released,
            (true, _, SiteUndo::Clean) => SiteEnd::Undone,
            (true, _, _) => SiteEnd::Quarantined,
            (false, _, _) if row.degraded => SiteEnd::Degraded,
            (false, _, _) => SiteEnd::Returned,
        }
    }
}
