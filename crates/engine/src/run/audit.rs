//! The truth about the derived indexes: everything recomputed from the columns and compared. For tests and the
//! simulator; its cost grows with the run.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{KeyIx, NodeIx, SiteIx, UnitIx};
use crate::plan::Scope;
use crate::run::Run;
use crate::run::tables::{NodeState, UnitState};

impl Run {
    /// Recomputes every derived index and counter and checks the invariants of states.
    ///
    /// # Errors
    /// Names the first thing that differs.
    pub fn audit(&self) -> Result<(), String> {
        self.audit_nodes()?;
        self.audit_units()?;
        self.audit_sites()?;
        self.audit_pools()
    }

    fn audit_nodes(&self) -> Result<(), String> {
        let (mut settled, mut work) = (0, 0);
        let mut undecided = BTreeSet::new();
        for node in (0..self.plan.node_count()).map(NodeIx) {
            let row = self.nodes[node.ix()];
            let (step, key) = self.plan.node_at(node);
            let name = || format!("{}/{}", self.plan.step(step).name, key.0);
            settled += u32::from(row.state.is_settled());
            work += u32::from(row.state.is_settled() && !self.plan.step(step).finally);
            if row.state == NodeState::Undecided {
                undecided.insert(node);
            }
            let expected = match row.state {
                NodeState::Waiting => Some(self.waits_now(node)),
                NodeState::Active => {
                    let units = self.units_of(node);
                    let open = units.filter(|&unit| !self.units[unit as usize].state.is_settled()).count();
                    Some(u32::try_from(open).unwrap_or(u32::MAX))
                }
                _ => None,
            };
            let idle = self.begun && expected == Some(0);
            if expected.is_some_and(|expected| expected != row.count) || idle {
                return Err(format!("node {} counts {} instead of {expected:?}", name(), row.count));
            }
            let needs_settled = self.waits_now(node) == 0;
            // Of a site that is out only the truth is wanted, whatever an amendment has put before the step.
            let out = self.site_of(node).is_some_and(|site| self.sites[site.ix()].is_out());
            let bound = row.marks & crate::run::tables::DECREED == 0 && !out;
            let began = bound && !row.state.is_settled() && row.state != NodeState::Waiting;
            if began && !needs_settled {
                return Err(format!("node {} is {:?} before its needs are settled", name(), row.state));
            }
        }
        if work != self.settled_work {
            return Err(format!("{} nodes of the work are settled, {work} recomputed", self.settled_work));
        }
        if settled != self.settled_nodes || undecided != self.undecided {
            return Err(format!("{} nodes are settled, {settled} recomputed", self.settled_nodes));
        }
        Ok(())
    }

    fn audit_units(&self) -> Result<(), String> {
        let mut ready = 0;
        let mut backoff = BTreeSet::new();
        let mut operator = BTreeSet::new();
        for (ix, row) in self.units.iter().enumerate() {
            let unit = UnitIx::from(ix);
            match row.state {
                UnitState::Ready => ready += 1,
                UnitState::Backoff => {
                    backoff.insert(unit);
                }
                UnitState::Parked | UnitState::Stuck => {
                    operator.insert(unit);
                }
                _ => {}
            }
            if (row.state == UnitState::Running) != self.flights.contains(unit) {
                return Err(format!("unit {ix} is {:?}, in flight: {}", row.state, self.flights.contains(unit)));
            }
        }
        let to_probe: BTreeSet<UnitIx> = (0..self.units.len())
            .map(UnitIx::from)
            .filter(|unit| matches!(self.units[unit.ix()].state, UnitState::Ready | UnitState::Backoff))
            .filter(|unit| self.units[unit.ix()].next_mode() != crate::event::Mode::Apply)
            .collect();
        if to_probe != self.to_probe {
            return Err("the list of units to probe differs".to_owned());
        }
        let due: BTreeSet<UnitIx> = self.due.keys().copied().collect();
        let listed: BTreeSet<UnitIx> = self.backoff.iter().map(|&(_, unit)| unit).collect();
        if ready != self.ready.len() {
            return Err(format!("{ready} units are ready, {} listed", self.ready.len()));
        }
        if backoff != due || backoff != listed {
            return Err("the list of back-offs differs".to_owned());
        }
        if operator != self.waiting_for_operator {
            return Err("the list for the operator differs".to_owned());
        }
        Ok(())
    }

    fn audit_sites(&self) -> Result<(), String> {
        let own = |&step: &_| self.plan.step(step).scope == Scope::Site && !self.plan.step(step).finally;
        let site_steps: Vec<_> = self.plan.steps().filter(own).collect();
        let mut failures = vec![0; self.batches.len()];
        let mut open = vec![0; self.batches.len()];
        for site in (0..self.plan.site_count()).map(SiteIx) {
            let row = self.sites[site.ix()];
            let unsettled = site_steps
                .iter()
                .filter(|&&step| !self.node_state(self.plan.node(step, KeyIx(site.0))).is_settled())
                .count();
            if unsettled != usize::from(row.open) {
                return Err(format!("site {} has {} open steps, {unsettled} recomputed", site.0, row.open));
            }
            let batch = self.plan.batch_of(site).ix();
            failures[batch] += u32::from(row.is_failure());
            open[batch] += u32::from(row.end.is_none());
            let cancelled = |&step: &_| self.node_state(self.plan.node(step, KeyIx(site.0))) == NodeState::Cancelled;
            let back = matches!(row.end, Some(crate::event::SiteEnd::Returned | crate::event::SiteEnd::Degraded));
            if back && site_steps.iter().any(cancelled) {
                return Err(format!("site {} is back although a step of it did not run", site.0));
            }
            if row.end.is_some() && row.open > 0 {
                return Err(format!("site {} ended with open steps", site.0));
            }
        }
        for (ix, batch) in self.batches.iter().enumerate() {
            if batch.failures != failures[ix] || batch.open_sites != open[ix] {
                return Err(format!("batch {ix} counts {batch:?}, recomputed {} {}", failures[ix], open[ix]));
            }
        }
        Ok(())
    }

    fn audit_pools(&self) -> Result<(), String> {
        let mut used: BTreeMap<u32, u32> = BTreeMap::new();
        for unit in self.flights.units() {
            let (step, key) = self.step_key(unit);
            for &(instance, slots) in &self.plan.holds(step, key) {
                *used.entry(instance).or_default() += slots;
            }
        }
        for instance in 0..self.plan.pool_instances() {
            let (now, slots) = self.ready.usage(instance);
            let expected = used.get(&instance).copied().unwrap_or(0);
            if now != expected || (now > slots && !self.ready.is_resized(instance)) {
                return Err(format!("pool instance {instance} uses {now} of {slots}, recomputed {expected}"));
            }
        }
        if self.ready.first().is_none() {
            for (ix, row) in self.units.iter().enumerate() {
                let (step, key) = self.step_key(UnitIx::from(ix));
                if row.state == UnitState::Ready && self.ready.held_by(&self.plan, step, key).is_none() {
                    return Err(format!("unit {ix} could start, but nothing is offered"));
                }
            }
        }
        Ok(())
    }
}
