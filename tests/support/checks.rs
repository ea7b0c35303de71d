//! The invariants of a run, checked from the outside after each event, by the plainest rule that states them.
//! An arm that notes what it saw keeps its `if` inside: a guard with effects would hide them.
#![allow(clippy::collapsible_match)]

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    BatchIx, Event, KeyIx, Mode, NodeIx, NodeState, Plan, Record, Ruling, Run, RunEnd, Scope, SiteEnd, SiteIx, Status,
    StepIx, UnitIx, UnitState,
};

use crate::world::World;

/// What the checker itself saw, apart from the run's own state.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    succeeded: BTreeSet<UnitIx>,
    ruled: BTreeSet<UnitIx>,
    in_flight: BTreeSet<UnitIx>,
    opened: BTreeSet<BatchIx>,
    halted: bool,
    ended: bool,
}

impl Checker {
    /// Checks an event against the run before it.
    ///
    /// # Errors
    /// Names the invariant that would break.
    pub fn before(&mut self, run: &Run, record: &Record) -> Result<(), String> {
        if self.ended {
            return Err(format!("{:?} after the end", record.event));
        }
        match &record.event {
            Event::Started { unit, mode, .. } => self.start(run, *unit, *mode)?,
            Event::Succeeded { unit, .. } => {
                if !self.in_flight.remove(unit) || !self.succeeded.insert(*unit) {
                    return Err(format!("unit {} committed twice or without an attempt", unit.0));
                }
            }
            Event::Refused { unit, .. } | Event::InDoubt { unit, .. } => {
                if !self.in_flight.remove(unit) {
                    return Err(format!("unit {} reported without an attempt", unit.0));
                }
            }
            Event::Ruled { unit, ruling, .. } => {
                self.ruled.insert(*unit);
                if *ruling == Ruling::Done && !self.succeeded.insert(*unit) {
                    return Err(format!("unit {} ruled done after success", unit.0));
                }
            }
            Event::Adopted { .. } => self.in_flight.clear(),
            Event::BatchOpened { batch } => {
                if self.halted || !self.opened.insert(*batch) {
                    return Err(format!("batch {} opened twice or while halted", batch.0));
                }
            }
            Event::Paused { .. } | Event::Cancelled { .. } | Event::BudgetExceeded { .. } => self.halted = true,
            Event::Continued { .. } => self.halted = false,
            Event::Ended { end } => {
                self.ended = true;
                end_is_true(run, *end)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, run: &Run, unit: UnitIx, mode: Mode) -> Result<(), String> {
        let plan = run.plan().clone();
        let asks = mode == Mode::Probe && matches!(run.status(), Status::Aborting | Status::Cancelling);
        if !asks && !matches!(run.status(), Status::Running) {
            return Err(format!("unit {} starts while {:?}", unit.0, run.status()));
        }
        if mode == Mode::Apply && self.succeeded.contains(&unit) {
            return Err(format!("unit {} runs again after success", unit.0));
        }
        if !self.in_flight.insert(unit) {
            return Err(format!("unit {} has two attempts at once", unit.0));
        }
        let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
        let (step, key) = plan.node_at(node);
        needs_are_satisfied(run, &plan, step, key)?;
        self.batch_is_open(&plan, step, key)?;
        self.pools_hold(run, &plan)
    }

    fn batch_is_open(&self, plan: &Plan, step: StepIx, key: KeyIx) -> Result<(), String> {
        let spec = plan.step(step);
        if spec.front_load {
            return Ok(());
        }
        let any = plan.sites_of(spec.scope, key).map(|site| plan.batch_of(site)).min();
        match any {
            Some(first) if !self.opened.contains(&first) => {
                Err(format!("step {} starts before batch {} opens", spec.name, first.0))
            }
            _ => Ok(()),
        }
    }

    fn pools_hold(&self, run: &Run, plan: &Plan) -> Result<(), String> {
        let mut used: BTreeMap<(u16, KeyIx), u32> = BTreeMap::new();
        for &unit in &self.in_flight {
            let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
            let (step, key) = plan.node_at(node);
            for held in &plan.step(step).pools {
                let pool = &plan.spec().pools[held.pool.ix()];
                let per = pool.per.unwrap_or(Scope::Run);
                let at = plan.covering_key(plan.step(step).scope, key, per).ok_or("no key for a pool")?;
                let used = used.entry((held.pool.0, at)).or_default();
                *used += held.slots;
                if pool.slots.is_some_and(|slots| *used > slots) {
                    return Err(format!("pool {} is over its size", pool.name));
                }
            }
        }
        Ok(())
    }

    /// Checks the run and the world once everything has come to rest.
    ///
    /// # Errors
    /// Names the invariant that is broken.
    pub fn at_rest(&self, run: &Run, world: &World) -> Result<(), String> {
        let plan = run.plan();
        let tally = run.tally();
        let back = tally.returned + tally.degraded;
        let out = tally.quarantined + tally.undone + tally.excluded + tally.released;
        let sum = tally.waiting + tally.restoring + back + out;
        if sum != plan.site_count() {
            return Err(format!("{sum} of {} sites are accounted for", plan.site_count()));
        }
        if run.pools().iter().any(|pool| pool.used != 0) {
            return Err("slots are in use at the end".into());
        }
        let mut unit = UnitIx(0);
        while let Some(state) = run.unit_state(unit) {
            self.effect_is_told(run, world, unit, state)?;
            unit = UnitIx(unit.0 + 1);
        }
        Ok(())
    }

    fn effect_is_told(&self, run: &Run, world: &World, unit: UnitIx, state: UnitState) -> Result<(), String> {
        let count = world.count(unit);
        let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
        let (step, _) = run.plan().node_at(node);
        let action = run.plan().action(step).ok_or("no action")?;
        if count > 1 {
            return Err(format!("unit {} had its effect {count} times", unit.0));
        }
        if state == UnitState::Succeeded && count != 1 {
            return Err(format!("unit {} is shown as done, its effect is not there", unit.0));
        }
        let sure = !run.may_have_acted(unit);
        if sure && count != 0 {
            return Err(format!("unit {} surely did not act, but did ({action:?})", unit.0));
        }
        Ok(())
    }
}

/// Every needed node that shares a site with this one is settled, and none blocks it.
fn needs_are_satisfied(run: &Run, plan: &Plan, step: StepIx, key: KeyIx) -> Result<(), String> {
    let spec = plan.step(step);
    let mine: BTreeSet<SiteIx> = plan.sites_of(spec.scope, key).collect();
    for need in &spec.needs {
        let needed = plan.step(need.step);
        for other in 0..plan.key_count(needed.scope) {
            let theirs: BTreeSet<SiteIx> = plan.sites_of(needed.scope, KeyIx(other)).collect();
            let shares = !mine.is_disjoint(&theirs);
            if !shares {
                continue;
            }
            let state: NodeState = run.node_state(NodeIx(plan.node(need.step, KeyIx(other)).0));
            let covers = needed.scope == spec.scope || needed.scope == Scope::Run || spec.scope == Scope::Site;
            let tolerated = state.is_settled() && !covers && !need.require_all;
            if !state.is_satisfied() && !tolerated {
                return Err(format!("step {} starts while step {} is {state:?}", spec.name, needed.name));
            }
        }
    }
    Ok(())
}

/// A success is never shown over a failure.
fn end_is_true(run: &Run, end: RunEnd) -> Result<(), String> {
    let plan = run.plan();
    let flawed = (0..plan.node_count())
        .any(|node| !matches!(run.node_state(NodeIx(node)), NodeState::Succeeded | NodeState::Skipped));
    let all_back = (0..plan.site_count()).all(|site| run.site_end(SiteIx(site)) == Some(SiteEnd::Returned));
    let clean = !flawed && all_back;
    if (end == RunEnd::Succeeded) != clean && !matches!(end, RunEnd::Failed | RunEnd::Cancelled) {
        return Err(format!("the run ends {end:?}, clean: {clean}"));
    }
    if end == RunEnd::Succeeded && !clean {
        return Err("success over a failure".into());
    }
    if run.in_flight() > 0 {
        return Err("the run ends with attempts in flight".into());
    }
    Ok(())
}
