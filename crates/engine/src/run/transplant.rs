//! Replacing the plan of a run: what has begun is carried over by name, the rest begins as the new plan says, and every
//! index is made anew.

use std::sync::Arc;

use crate::event::Gate;
use crate::ids::{BatchIx, NodeIx, PoolIx, SiteIx, StepIx, UnitIx};
use crate::plan::{Carry, ForEach, Plan, Scope};
use crate::run::Run;
use crate::run::passed::Fate;
use crate::run::tables::{BLOCKED, BY_OPERATOR, DECIDED, IN, LATE, NodeRow, NodeState, UnitRow, UnitState, Unwind};

/// Where each unit of the old plan lies in the new one, by its number.
type Moved = Vec<Option<UnitIx>>;

impl Run {
    /// Replaces the plan; that it fits was found out before.
    pub(super) fn amend(&mut self, bytes: &[u8]) {
        let Ok(plan) = Plan::decode(bytes) else { return };
        let carry = Carry::new(&self.plan, &plan);
        let Ok(fates) = self.fates(&plan, &carry) else { return };
        let mut next = self.frame(&plan);
        let units = self.carry_nodes(&mut next, &carry, &fates);
        self.carry_units(&mut next, &carry, &units);
        self.carry_pools(&mut next);
        next.recount();
        let waiting: Vec<NodeIx> = (0..plan.node_count())
            .map(NodeIx)
            .filter(|node| next.nodes[node.ix()].state == NodeState::Waiting)
            .collect();
        *self = next;
        self.wait_anew(&waiting);
    }

    /// A run over the new plan with everything that does not depend on steps.
    fn frame(&self, plan: &Arc<Plan>) -> Self {
        let mut next = Self::new(plan.clone());
        next.opened_at = self.opened_at;
        next.opened_by.clone_from(&self.opened_by);
        next.begun = self.begun;
        next.now = self.now;
        next.epoch = self.epoch;
        next.halt.clone_from(&self.halt);
        next.sites.clone_from(&self.sites);
        next.batches.clone_from(&self.batches);
        next.adopted.clone_from(&self.adopted);
        next.settled_batches = self.settled_batches;
        next.ended_sites = self.ended_sites;
        next.undo_wanted.clone_from(&self.undo_wanted);
        next
    }

    /// Carries the states of nodes, and makes the units of `for_each` that were found while it ran; answers where each
    /// unit of the old plan lies now.
    fn carry_nodes(&self, next: &mut Self, carry: &Carry, fates: &[Option<Vec<Fate>>]) -> Moved {
        let plan = next.plan.clone();
        let mut units: Moved = vec![None; self.units.len()];
        for node in (0..plan.node_count()).map(NodeIx) {
            let (step, key) = plan.node_at(node);
            let Some(before) = carry.node_before(node) else {
                let fate = fates[step.ix()].as_ref().and_then(|fates| fates.get(key.ix()));
                let state = match fate {
                    Some(Fate::Waits) | None => NodeState::Waiting,
                    Some(Fate::Passed | Fate::Ended) => NodeState::Skipped,
                    Some(Fate::Out) => NodeState::Cancelled,
                };
                let marks = if state == NodeState::Skipped { LATE } else { 0 };
                next.nodes[node.ix()] = NodeRow { state, marks, count: 0 };
                continue;
            };
            let touched = self.is_touched(before);
            let old = self.nodes[before.ix()];
            let (was, is) = (self.plan.step(self.plan.node_at(before).0), plan.step(step));
            let stands = old.state.is_settled() || (old.state == NodeState::Active && touched);
            let other = was.when != is.when || was.for_each != is.for_each;
            let freed = self.lost_needs(carry, &plan, step);
            let late = match old.state {
                NodeState::Skipped if other => LATE,
                NodeState::Cancelled if freed => LATE,
                _ => 0,
            };
            next.nodes[node.ix()] = if stands {
                NodeRow { marks: old.marks | late, ..old }
            } else {
                let marks = if was.when == is.when { old.marks & DECIDED } else { 0 };
                NodeRow { state: NodeState::Waiting, marks, count: 0 }
            };
            let later = matches!(is.for_each, ForEach::Later(_));
            if later && self.grown_of.contains_key(&before) && (stands || touched || was.for_each == is.for_each) {
                let items =
                    self.units_of(before).map(|unit| self.grown[(unit - self.plan.unit_count()) as usize].1.clone());
                next.grow(node, items.collect());
            }
            // What nobody has touched may have other items now: its units are new.
            let same = touched || stands || was.for_each == is.for_each;
            for (old, new) in self.units_of(before).zip(next.units_of(node)).filter(|_| same) {
                units[old as usize] = Some(UnitIx(new));
            }
        }
        units
    }

    /// Whether a step needs less than before.
    fn lost_needs(&self, carry: &Carry, plan: &Plan, step: StepIx) -> bool {
        let Some(before) = carry.step_before(step) else { return false };
        let needs = &plan.step(step).needs;
        self.plan.step(before).needs.iter().any(|need| {
            let now = carry.step(need.step).and_then(|now| needs.iter().find(|other| other.step == now));
            now.is_none_or(|now| need.require_all && !now.require_all)
        })
    }

    /// Makes units for the items of a node.
    fn grow(&mut self, node: NodeIx, items: Vec<Box<str>>) {
        let start = self.plan.unit_count() + u32::try_from(self.grown.len()).unwrap_or(0);
        let len = u32::try_from(items.len()).unwrap_or(0);
        self.grown_of.insert(node, (start, len));
        self.grown.extend(items.into_iter().map(|item| (node, item)));
        self.units.resize((start + len) as usize, UnitRow::NEW);
    }

    fn carry_units(&self, next: &mut Self, carry: &Carry, units: &Moved) {
        for (old, new) in units.iter().enumerate().filter_map(|(old, new)| Some((old, (*new)?))) {
            let row = &mut next.units[new.ix()];
            *row = self.units[old];
            let waits = next.unit_at(new).is_some_and(|(node, _)| next.nodes[node.ix()].state == NodeState::Waiting);
            if waits && !row_is_done(next.units[new.ix()].state) {
                next.units[new.ix()].state = UnitState::Waiting;
            }
        }
        let unit = |old: &UnitIx| units.get(old.ix()).copied().flatten();
        next.flights = self.flights.sorted().iter().filter_map(|(old, flight)| Some((unit(old)?, *flight))).collect();
        next.outputs = self.outputs.iter().filter_map(|(old, text)| Some((unit(old)?, text.clone()))).collect();
        next.failures = self.failures.iter().filter_map(|(old, why)| Some((unit(old)?, why.clone()))).collect();
        next.lives = self.lives.iter().filter_map(|(old, &life)| Some((unit(old)?, life))).collect();
        next.due = self.due.iter().filter_map(|(old, &due)| Some((unit(old)?, due))).collect();
        next.backoff = next.due.iter().map(|(&unit, &due)| (due, unit)).collect();
        next.unevaluable =
            self.unevaluable.iter().filter_map(|(&old, why)| Some((carry.node(old)?, why.clone()))).collect();
        for (&gate, ask) in &self.asks {
            let gate = match gate {
                Gate::Start | Gate::Batch(_) => Some(gate),
                Gate::Unit(old) => unit(&old).map(Gate::Unit),
            };
            if let Some(gate) = gate {
                // Who approved did so under the plan as it was.
                next.asks.insert(gate, crate::run::tables::Ask { by: Vec::new(), ..ask.clone() });
                if ask.due != crate::ids::Millis::MAX {
                    next.asks_due.insert((ask.due, gate));
                }
            }
        }
        for row in &mut next.sites {
            if row.out_by != IN && row.out_by != BY_OPERATOR {
                row.out_by = carry.node(NodeIx(row.out_by)).map_or(BY_OPERATOR, |node| node.0);
            }
        }
        next.undos = self
            .undos
            .iter()
            .map(|(&site, unwind)| (site, carried(unwind, carry, next.plan.spec().steps.len())))
            .collect();
    }

    /// Sizes that an operator set stay where the amendment says nothing else of the pool; what is in flight is in use.
    fn carry_pools(&self, next: &mut Self) {
        let plan = next.plan.clone();
        next.ready.take_over(&plan, &self.ready, &self.plan);
        for (&pool, &slots) in &self.pool_sizes {
            let old = &self.plan.spec().pools[pool.ix()];
            let Some(ix) = plan.spec().pools.iter().position(|other| other == old) else { continue };
            let pool = PoolIx::from(ix);
            if slots >= plan.largest_use(pool).max(1) {
                next.pool_sizes.insert(pool, slots);
                next.ready.resize(&plan, pool, slots);
            }
        }
        for unit in next.flights.units() {
            let (step, key) = next.step_key(unit);
            next.ready.occupy(&plan, step, key);
        }
    }

    /// Makes every count and list anew from the states.
    fn recount(&mut self) {
        let plan = self.plan.clone();
        self.sites.iter_mut().for_each(|site| site.open = 0);
        self.batches.iter_mut().for_each(|batch| batch.open_nodes = 0);
        for node in (0..plan.node_count()).map(NodeIx) {
            let row = self.nodes[node.ix()];
            let (step, key) = plan.node_at(node);
            let spec = plan.step(step);
            if row.state.is_settled() {
                self.settled_nodes += 1;
                self.settled_work += u32::from(!spec.finally);
                self.flawed_nodes += u32::from(!matches!(row.state, NodeState::Succeeded | NodeState::Skipped));
            } else if !spec.finally {
                match spec.scope {
                    Scope::Site => self.sites[key.ix()].open += 1,
                    Scope::Batch => self.batches[key.ix()].open_nodes += 1,
                    Scope::Run | Scope::Group(_) => {}
                }
            }
        }
        for unit in (0..self.units.len()).map(UnitIx::from) {
            match self.units[unit.ix()].state {
                UnitState::Ready => self.make_ready(unit),
                UnitState::Backoff => self.list_probe(unit),
                UnitState::Parked | UnitState::Stuck => drop(self.waiting_for_operator.insert(unit)),
                _ => {}
            }
        }
        let budgets = plan.spec().batches.max_failures.iter();
        for (ix, (row, &most)) in self.batches.iter().zip(budgets).enumerate() {
            if row.failures > most && !row.noted {
                self.over_budget.insert(BatchIx::from(ix));
            }
        }
    }

    /// Recounts what nodes wait for, lets those go that wait for nothing, and lists sites that have nothing left to do.
    fn wait_anew(&mut self, waiting: &[NodeIx]) {
        for &node in waiting {
            self.nodes[node.ix()].count = self.waits_now(node);
            if self.is_blocked(node) {
                self.nodes[node.ix()].marks |= BLOCKED;
            }
        }
        for &node in waiting {
            let row = self.nodes[node.ix()];
            if self.begun && row.count == 0 && row.state == NodeState::Waiting {
                self.admit(node);
            }
        }
        for site in (0..self.plan.site_count()).map(SiteIx) {
            self.close_if_done(site);
        }
    }
}

/// Whether a unit keeps its state although its node waits again.
fn row_is_done(state: UnitState) -> bool {
    state == UnitState::Succeeded
}

/// How far a taking back is, by the steps of the new plan.
fn carried(unwind: &Unwind, carry: &Carry, steps: usize) -> Unwind {
    let mut next = Unwind { pending: vec![0; steps], released: vec![false; steps] };
    for (ix, (&pending, &released)) in unwind.pending.iter().zip(&unwind.released).enumerate() {
        if let Some(step) = carry.step(crate::ids::StepIx::from(ix)) {
            next.pending[step.ix()] = pending;
            next.released[step.ix()] = released;
        }
    }
    next
}
