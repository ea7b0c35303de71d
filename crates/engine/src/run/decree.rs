//! Settling by decree: an operator says that something is done, or is not to be done. Neither is ever shown as if the
//! engine had seen it.

use crate::event::Decree;
use crate::ids::{NodeIx, UnitIx};
use crate::run::Run;
use crate::run::tables::{DECREED, DEGRADED, NodeState, UnitState};

impl Run {
    /// Why a node cannot be settled by decree, if so.
    pub(super) fn why_no_decree(&self, node: NodeIx, item: Option<u32>, how: &Decree) -> Option<&'static str> {
        let Some(row) = self.nodes.get(node.ix()) else { return Some("there is no such step") };
        let (step, _) = self.plan.node_at(node);
        let units = self.units_of(node);
        if self.plan.action(step).is_none() {
            return Some("an approval is approved or rejected, not decreed");
        }
        if item.is_some_and(|item| item >= units.end - units.start) {
            return Some("the step has no such item");
        }
        let chosen = |unit: &u32| item.is_none_or(|item| *unit == units.start + item);
        if units.clone().filter(chosen).any(|unit| self.units[unit as usize].state == UnitState::Running) {
            return Some("an attempt of it is in flight; wait until it has landed");
        }
        let outputs = matches!(how, Decree::Done { outputs: Some(_) });
        if outputs && item.is_none() && units.end - units.start != 1 {
            return Some("outputs are given for one unit, so name the item");
        }
        let spec = self.plan.step(step);
        let batch = self.batches.get(self.plan.gate_of(spec.scope, self.plan.node_at(node).1).ix());
        let shut = !spec.finally && !spec.front_load && batch.is_some_and(|batch| batch.opened_at.is_none());
        let taken_back = matches!(row.state, NodeState::Undoing | NodeState::Undone);
        if !taken_back && (shut || !self.begun || (spec.finally && self.closing.is_none())) {
            return Some("its time has not come: what it belongs to is not open");
        }
        match row.state {
            NodeState::Succeeded | NodeState::Skipped => Some("it is done already"),
            NodeState::Undone => Some("it was taken back; retry the site first"),
            NodeState::Waiting | NodeState::Undecided if item.is_some() => Some("its items are not due yet"),
            NodeState::Failed | NodeState::Cancelled | NodeState::Degraded => {
                let busy = self.is_at_work_after_node(node);
                let site = self.site_of(node).and_then(|site| self.why_not_again(site));
                site.or(busy.then_some("an attempt of it, or of a step after it, is in flight"))
            }
            _ => None,
        }
    }

    /// Settles a node, or one item of it, by decree.
    pub(super) fn decree(&mut self, node: NodeIx, item: Option<u32>, how: &Decree) {
        let state = self.nodes[node.ix()].state;
        if matches!(state, NodeState::Failed | NodeState::Cancelled | NodeState::Degraded) {
            self.again_node(node);
            self.propagate();
        }
        let units: Vec<UnitIx> = match item {
            Some(item) => vec![UnitIx(self.units_of(node).start + item)],
            None => self.units_of(node).map(UnitIx).collect(),
        };
        match self.nodes[node.ix()].state {
            NodeState::Undoing => {
                for unit in units {
                    if self.units[unit.ix()].is_undoing() {
                        self.unlist(unit);
                        if *how == Decree::Skip { self.leave(unit) } else { self.undone(unit) }
                    }
                }
            }
            NodeState::Waiting | NodeState::Undecided => self.decree_ahead(node, &units, how),
            NodeState::Active => {
                for unit in units {
                    if !self.units[unit.ix()].state.is_settled() {
                        self.decree_unit(node, unit, how);
                    }
                }
            }
            _ => {}
        }
    }

    fn decree_unit(&mut self, node: NodeIx, unit: UnitIx, how: &Decree) {
        self.unlist(unit);
        self.nodes[node.ix()].marks |= DECREED;
        match how {
            Decree::Done { outputs } => self.done(unit, outputs.clone().filter(|_| self.keeps(unit))),
            Decree::Skip => {
                let (step, key) = self.step_key(unit);
                self.mark_degraded(step, key);
                self.settle_unit(unit, UnitState::Degraded);
            }
        }
    }

    /// A node whose needs are not settled is settled before them.
    fn decree_ahead(&mut self, node: NodeIx, units: &[UnitIx], how: &Decree) {
        self.undecided.remove(&node);
        self.nodes[node.ix()].marks |= DECREED;
        let (step, key) = self.plan.node_at(node);
        for &unit in units {
            let row = &mut self.units[unit.ix()];
            match how {
                Decree::Done { outputs } => {
                    row.state = UnitState::Succeeded;
                    row.set_may_have_acted();
                    row.set_in_doubt(false);
                    if let Some(outputs) = outputs.clone().filter(|_| self.keeps(unit)) {
                        self.outputs.insert(unit, outputs);
                    }
                }
                Decree::Skip => row.state = UnitState::Degraded,
            }
        }
        match how {
            Decree::Done { .. } => self.settle(node, NodeState::Succeeded),
            Decree::Skip => {
                self.nodes[node.ix()].marks |= DEGRADED;
                self.mark_degraded(step, key);
                self.settle(node, NodeState::Degraded);
            }
        }
    }

    fn keeps(&self, unit: UnitIx) -> bool {
        self.plan.keeps_outputs(self.step_key(unit).0)
    }
}
