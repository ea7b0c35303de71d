//! The invariants of a run, checked from the outside after each event, by the plainest rule that states them.
//! An arm that notes what it saw keeps its `if` inside: a guard with effects would hide them.
#![allow(clippy::collapsible_match)]

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    BatchIx, Decree, Event, KeyIx, Mode, NodeIx, NodeState, Plan, PoolIx, Record, Ruling, Run, RunEnd, Scope, SiteEnd,
    SiteIx, Status, StepIx, UnitIx, UnitState,
};

use crate::amend::Moved;
use crate::sim::key;
use crate::verdict::Fate;
use crate::world::World;

/// What the checker itself saw, apart from the run's own state.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// Keys under which something succeeded.
    succeeded: BTreeSet<String>,
    /// Keys whose effect was taken back.
    undone: BTreeSet<String>,
    /// Units begun anew by a person, or because somebody below them was: their earlier effect stays.
    renewed: BTreeSet<UnitIx>,
    in_flight: BTreeSet<UnitIx>,
    opened: BTreeSet<BatchIx>,
    sizes: BTreeMap<PoolIx, u32>,
    granted: BTreeMap<u32, u32>,
    states: Vec<UnitState>,
    ended: bool,
    /// The run before an amendment.
    former: Option<Run>,
}

impl Checker {
    /// Checks an event against the run before it.
    ///
    /// # Errors
    /// Names the invariant that would break.
    pub fn before(&mut self, run: &Run, record: &Record) -> Result<(), String> {
        if matches!(record.event, Event::Retried { .. } | Event::SiteAdopted { .. } | Event::Overruled { .. }) {
            self.states = states(run);
        }
        if self.ended && !reopens(&record.event) {
            return Err(format!("{:?} after the end", record.event));
        }
        self.ended = false;
        match &record.event {
            Event::Started { unit, mode, .. } => self.start(run, *unit, *mode)?,
            Event::Succeeded { unit, .. } => {
                let mode = run.flight(*unit).map(|flight| flight.mode);
                if !self.in_flight.remove(unit) || !self.settles(run, *unit, mode.is_some_and(Mode::is_undo)) {
                    return Err(format!("unit {} committed twice or without an attempt", unit.0));
                }
            }
            Event::Refused { unit, .. } | Event::InDoubt { unit, .. } | Event::NotBegun { unit, .. } => {
                if !self.in_flight.remove(unit) {
                    return Err(format!("unit {} reported without an attempt", unit.0));
                }
            }
            Event::Ruled { unit, ruling, .. } => {
                if *ruling == Ruling::GiveUp && run.next_mode(*unit).is_undo() {
                    // Its undo may have done a part, so that it is asked for before it counts again.
                    self.succeeded.remove(&key(run, *unit));
                }
                if *ruling == Ruling::Done && !self.settles(run, *unit, run.next_mode(*unit).is_undo()) {
                    return Err(format!("unit {} ruled done after success", unit.0));
                }
            }
            Event::Overruled { node, how: Decree::Done { .. }, .. } => {
                for unit in run.units_of(*node).map(UnitIx) {
                    if run.next_mode(unit).is_undo() {
                        self.undone.insert(key(run, unit));
                    }
                }
            }
            Event::Overruled { node, how: Decree::Skip, .. } => {
                for unit in run.units_of(*node).map(UnitIx).filter(|&unit| run.next_mode(unit).is_undo()) {
                    self.succeeded.remove(&key(run, unit));
                }
            }
            Event::PoolSet { pool, slots, .. } => drop(self.sizes.insert(*pool, *slots)),
            Event::Granted { instance, slots, .. } => drop(self.granted.insert(*instance, *slots)),
            Event::Amended { .. } => self.former = Some(run.clone()),
            Event::Adopted { .. } => {
                self.in_flight.clear();
                self.granted.clear();
            }
            Event::BatchOpened { batch } => {
                if run.status() != Status::Running || !self.opened.insert(*batch) {
                    return Err(format!("batch {} opened twice or while halted", batch.0));
                }
            }
            Event::Ended { end } => {
                self.ended = true;
                end_is_true(run, *end)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes what the event made of units that a person had begun anew.
    pub fn after(&mut self, run: &Run, record: &Record) {
        if let Some(former) = self.former.take() {
            self.carry(&former, run);
        }
        let adopted = matches!(record.event, Event::SiteAdopted { .. });
        if !adopted && !matches!(record.event, Event::Retried { .. } | Event::Overruled { .. }) {
            return;
        }
        for (ix, before) in std::mem::take(&mut self.states).into_iter().enumerate() {
            let unit = UnitIx(ix as u32);
            let renewed = before == UnitState::Succeeded && run.unit_state(unit) != Some(UnitState::Succeeded);
            if renewed {
                self.renewed.insert(unit);
            }
            if renewed && adopted {
                self.succeeded.remove(&key(run, unit));
            }
        }
    }

    /// Follows units and pools of an amended plan.
    fn carry(&mut self, before: &Run, after: &Run) {
        let moved = Moved::new(before, after);
        let units = |of: &BTreeSet<UnitIx>| of.iter().filter_map(|&unit| moved.unit(unit)).collect();
        self.renewed = units(&self.renewed);
        self.in_flight = units(&self.in_flight);
        self.granted.clear();
        let (old, new) = (&before.plan().spec().pools, &after.plan().spec().pools);
        let at = |pool: PoolIx| new.iter().position(|other| *other == old[pool.ix()]).map(PoolIx::from);
        let fits = |pool: PoolIx, slots: u32| slots >= after.plan().largest_use(pool).max(1);
        let sizes = std::mem::take(&mut self.sizes).into_iter();
        self.sizes =
            sizes.filter_map(|(pool, slots)| Some((at(pool).filter(|&pool| fits(pool, slots))?, slots))).collect();
    }

    /// Notes a success under the unit's key; says whether it was the first.
    fn settles(&mut self, run: &Run, unit: UnitIx, undo: bool) -> bool {
        if undo { self.undone.insert(key(run, unit)) } else { self.succeeded.insert(key(run, unit)) }
    }

    fn start(&mut self, run: &Run, unit: UnitIx, mode: Mode) -> Result<(), String> {
        let plan = run.plan().clone();
        let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
        let (step, node_key) = plan.node_at(node);
        let finally = plan.step(step).finally;
        let may = match run.status() {
            Status::Running => !finally,
            Status::Closing => finally || mode.is_undo(),
            Status::Aborting | Status::Cancelling => mode != Mode::Apply,
            Status::Unwinding => mode.is_undo(),
            _ => false,
        };
        if !may {
            return Err(format!("unit {} starts while {:?}", unit.0, run.status()));
        }
        if run.requests().any(|request| request.gate == engine::Gate::Start) {
            return Err("something starts before the run is approved".into());
        }
        if mode == Mode::Apply && self.succeeded.contains(&key(run, unit)) {
            return Err(format!("unit {} runs again after success", unit.0));
        }
        if !self.in_flight.insert(unit) {
            return Err(format!("unit {} has two attempts at once", unit.0));
        }
        if mode.is_undo() {
            undo_in_reverse(run, &plan, step, node_key)?;
        } else if !run.is_decreed(node) {
            // Of a site that is out only the truth is wanted, whatever an amendment has put before the step.
            let of_site = plan.step(step).scope == Scope::Site && !finally;
            let out = of_site && Fate::of(run, SiteIx(node_key.0)).is_out();
            if !(out && (mode == Mode::Probe || run.in_doubt(unit))) {
                let begun = run.units_of(node).any(|unit| run.attempts(UnitIx(unit)) > 0);
                needs_are_satisfied(run, &plan, step, node_key, begun)?;
            }
            self.batch_is_open(&plan, step, node_key)?;
        }
        self.pools_hold(run, &plan, (step, node_key))
    }

    fn batch_is_open(&self, plan: &Plan, step: StepIx, key: KeyIx) -> Result<(), String> {
        let spec = plan.step(step);
        if spec.front_load || spec.finally {
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

    /// What starts fits into its pools as they are now; others may be over a size that was changed meanwhile.
    fn pools_hold(&self, run: &Run, plan: &Plan, started: (StepIx, KeyIx)) -> Result<(), String> {
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
            }
        }
        let usage = run.pools();
        for held in &plan.step(started.0).pools {
            let pool = &plan.spec().pools[held.pool.ix()];
            let at = plan.covering_key(plan.step(started.0).scope, started.1, pool.per.unwrap_or(Scope::Run));
            let at = at.ok_or("no key for a pool")?;
            let mut limit = self.sizes.get(&held.pool).copied().or(pool.slots);
            if pool.shared {
                let instance = usage.iter().position(|usage| usage.pool == held.pool && usage.key == at);
                let instance = instance.ok_or("no such instance")? as u32;
                limit = pool.slots.map(|_| self.granted.get(&instance).copied().unwrap_or(0));
            }
            let used = used.get(&(held.pool.0, at)).copied().unwrap_or(0);
            if limit.is_some_and(|limit| used > limit) {
                return Err(format!("pool {} is over its size", pool.name));
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
        let now = key(run, unit);
        let base = now.split("/again-").next().unwrap_or(&now);
        let rest = base.split_once('/').map_or("", |(_, rest)| rest);
        let count = world.count(&now);
        // What another run did counts once this one has adopted it.
        let names = if now.starts_with("other/") { &["sim", "other"][..] } else { &["sim"] };
        let all = world.acted(&names.iter().map(|run| format!("{run}/{rest}")).collect::<Vec<_>>());
        let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
        let (step, _) = run.plan().node_at(node);
        let Some(action) = run.plan().action(step) else { return Ok(()) };
        if count > 1 {
            return Err(format!("unit {} had its effect {count} times", unit.0));
        }
        if state == UnitState::Succeeded && count != 1 {
            return Err(format!("unit {} is shown as done, its effect is not there", unit.0));
        }
        let sure = !run.may_have_acted(unit) && !self.renewed.contains(&unit);
        if sure && all != 0 {
            return Err(format!("{} surely did not act, but did ({action:?})", run.unit_name(unit)));
        }
        if state == UnitState::Undone && self.undone.iter().any(|key| key.starts_with(base) && world.count(key) > 0) {
            return Err(format!("unit {} is shown as undone, its effect is there", unit.0));
        }
        Ok(())
    }
}

/// Every needed node that shares a site with this one is settled, and none blocks it. What has `begun` may go on though
/// something that it needed is taken back for one of its sites meanwhile.
fn needs_are_satisfied(run: &Run, plan: &Plan, step: StepIx, key: KeyIx, begun: bool) -> Result<(), String> {
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
            let taken_back = begun && matches!(state, NodeState::Undoing | NodeState::Undone);
            let tolerated = state.is_settled() && !covers && (!need.require_all || taken_back);
            if !state.is_satisfied() && !tolerated {
                return Err(format!("step {} starts while step {} is {state:?}", spec.name, needed.name));
            }
        }
    }
    Ok(())
}

/// Verbs that an ended run still takes.
fn reopens(event: &Event) -> bool {
    match event {
        Event::Retried { .. } | Event::Unwinding { .. } => true,
        Event::TakenOut { how, .. } => *how == engine::TakeOut::Undo,
        _ => false,
    }
}

fn states(run: &Run) -> Vec<UnitState> {
    (0..).map_while(|unit| run.unit_state(UnitIx(unit))).collect()
}

/// Nothing that comes after a step, and is taken back with it, still stands.
fn undo_in_reverse(run: &Run, plan: &Plan, step: StepIx, key: KeyIx) -> Result<(), String> {
    let unwinding = run.status() == Status::Unwinding;
    for later in plan.steps().filter(|&later| later != step && plan.is_at_or_after(step, later)) {
        let spec = plan.step(later);
        if spec.undo.is_none() || spec.finally {
            continue;
        }
        for other in (0..plan.key_count(spec.scope)).map(KeyIx) {
            let mine = unwinding || (spec.scope == Scope::Site && other == key);
            let node = plan.node(later, other);
            let stands = run.units_of(node).map(UnitIx).any(|unit| {
                let left = matches!(run.unit_state(unit), Some(UnitState::Failed | UnitState::Degraded));
                run.may_have_acted(unit) && !left
            });
            if mine && stands && run.node_state(node) == NodeState::Undoing {
                return Err(format!("step {} is taken back before {}", plan.step(step).name, spec.name));
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
