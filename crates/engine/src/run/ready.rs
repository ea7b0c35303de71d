//! Which ready unit may start next: lanes of units that need the same slots, and the pools that hold lanes back.
//!
//! Everything here is derived from unit states and flights; it exists so that a choice costs the logarithm of what is
//! ready, whatever the size of the run. A *lane* holds the ready units of one step that need the same pool instances, so
//! its first unit stands for all. A lane is *open* if its first unit could start when last looked at, else it waits at
//! the first instance that held it back. Laws:
//! 1. the first open lane can start now (`settle_front`);
//! 2. an instance with a free slot and lanes waiting has woken one of them since the slot came free, so that no slot
//!    stays idle while an admissible unit is ready (`wake`).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{KeyIx, Millis, PoolIx, StepIx, UnitIx};
use crate::plan::{Plan, Rate};

/// Pool instances and the slots held of each.
type Holds = Box<[(u32, u32)]>;

const NO_LANE: u32 = u32::MAX;
const MICROS: i64 = 1_000;

/// Ready units and the use of pools.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    now: Millis,
    lanes: Vec<Lane>,
    /// Lane of each step and key, once known; one entry for steps without keyed pools.
    lane_of: Vec<Vec<u32>>,
    by_holds: BTreeMap<(StepIx, Holds), u32>,
    open: BTreeSet<(u64, u32)>,
    instances: Vec<Instance>,
    /// Instances that a rate holds back, by the time at which they may start something.
    timed: BTreeSet<(Millis, u32)>,
    len: u32,
}

#[derive(Clone, Debug)]
struct Lane {
    holds: Holds,
    units: BTreeSet<(u64, u32)>,
    place: LanePlace,
}

/// Where a lane is listed, with the priority under which it is listed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LanePlace {
    Nowhere,
    Open(u64),
    At(u32, u64),
}

#[derive(Clone, Debug)]
struct Instance {
    slots: u32,
    /// Number of runs among which a shared instance is divided; 0 if it is not shared.
    sharers: u32,
    /// Whether its size was changed, so that more may be in use than it has.
    resized: bool,
    rate: Option<Rate>,
    used: u32,
    /// Theoretical arrival time of the next start under the rate, in microseconds (GCRA, ITU-T I.371).
    next_us: i64,
    waiting: BTreeSet<(u64, u32)>,
    timed_at: Option<Millis>,
}

impl Instance {
    /// Earliest time at which the rate allows a start.
    fn allowed_at(&self) -> Millis {
        let Some(rate) = self.rate else { return Millis::MIN };
        let slack = self.interval_us(rate).saturating_mul(i64::from(rate.burst) - 1);
        let at_us = self.next_us.saturating_sub(slack);
        at_us.div_euclid(MICROS) + i64::from(at_us.rem_euclid(MICROS) != 0)
    }

    /// Time between two starts, in microseconds: this run's share of the rate.
    fn interval_us(&self, rate: Rate) -> i64 {
        let period = i64::try_from(rate.per_ms).unwrap_or(i64::MAX).saturating_mul(MICROS);
        (period / i64::from(rate.count)).max(1).saturating_mul(i64::from(self.sharers.max(1)))
    }
}

/// An instance of a shared pool, as this run sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedPool {
    /// Number of the instance among all instances of the plan.
    pub instance: u32,
    /// The pool.
    pub pool: PoolIx,
    /// Name of the instance's key; empty if there is one instance in all.
    pub key: String,
    /// Slots of the instance over all runs; `u32::MAX` without a limit.
    pub limit: u32,
    /// Slots that this run uses.
    pub used: u32,
    /// Slots that it could use now: those in use and those of ready units.
    pub wanted: u32,
}

impl Ready {
    pub(crate) fn new(plan: &Plan) -> Self {
        let instances = (0..plan.pool_instances())
            .map(|instance| {
                let pool = &plan.spec().pools[plan.pool_of(instance).0.ix()];
                Instance {
                    // Nothing of a shared pool is ours until it is granted.
                    slots: if pool.shared { 0 } else { pool.slots.unwrap_or(u32::MAX) },
                    sharers: u32::from(pool.shared),
                    resized: pool.shared,
                    rate: pool.rate,
                    used: 0,
                    next_us: i64::MIN / 2,
                    waiting: BTreeSet::new(),
                    timed_at: None,
                }
            })
            .collect();
        let lane_of = plan
            .steps()
            .map(|step| {
                let keyed = plan.step(step).pools.iter().any(|held| plan.spec().pools[held.pool.ix()].per.is_some());
                let keys = if keyed { plan.key_count(plan.step(step).scope) as usize } else { 1 };
                vec![NO_LANE; keys]
            })
            .collect();
        Self {
            now: Millis::MIN,
            lanes: Vec::new(),
            lane_of,
            by_holds: BTreeMap::new(),
            open: BTreeSet::new(),
            instances,
            timed: BTreeSet::new(),
            len: 0,
        }
    }

    /// Number of ready units.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The unit that starts next, if any may.
    pub(crate) fn first(&self) -> Option<UnitIx> {
        let &(_, lane) = self.open.first()?;
        if !self.admissible(lane) {
            return None;
        }
        self.lanes[lane as usize].units.first().map(|&(_, unit)| UnitIx(unit))
    }

    /// Earliest time at which a rate lets something start.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.timed.first().map(|&(at, _)| at)
    }

    /// Slots in use of an instance, and its size.
    pub(crate) fn usage(&self, instance: u32) -> (u32, u32) {
        let instance = &self.instances[instance as usize];
        (instance.used, instance.slots)
    }

    /// When the rate of an instance allows its next start; `None` if it does now.
    pub(crate) fn next_start(&self, at: u32) -> Option<Millis> {
        let due = self.instances[at as usize].allowed_at();
        (due > self.now).then_some(due)
    }

    /// Number of ready units that need an instance and come before a place in the order.
    pub(crate) fn before(&self, at: u32, place: (u64, u32)) -> usize {
        let lanes = self.lanes.iter().filter(|lane| lane.holds.iter().any(|&(held, _)| held == at));
        lanes.map(|lane| lane.units.range(..place).count()).sum()
    }

    /// Number of ready units that each instance holds back, by the instance that is first in their way.
    pub(crate) fn held_back(&self) -> Vec<u32> {
        let mut held = vec![0_u32; self.instances.len()];
        for (ix, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| !lane.units.is_empty()) {
            let Some(at) = self.blocker(u32::try_from(ix).unwrap_or(NO_LANE)) else { continue };
            let units = u32::try_from(lane.units.len()).unwrap_or(u32::MAX);
            held[at as usize] = held[at as usize].saturating_add(units);
        }
        held
    }

    /// First pool instance that holds a unit of a lane back.
    pub(crate) fn held_by(&self, plan: &Plan, step: StepIx, key: KeyIx) -> Option<u32> {
        plan.holds(step, key).iter().find(|&&(instance, slots)| !self.fits(instance, slots)).map(|&(at, _)| at)
    }

    pub(crate) fn push(&mut self, plan: &Plan, step: StepIx, key: KeyIx, unit: UnitIx) {
        let lane = self.lane(plan, step, key);
        if self.lanes[lane as usize].units.insert((plan.priority(step, key), unit.0)) {
            self.len += 1;
        }
        self.place(lane);
        self.settle_front();
    }

    pub(crate) fn remove(&mut self, plan: &Plan, step: StepIx, key: KeyIx, unit: UnitIx) {
        let lane = self.lane(plan, step, key);
        self.take_out(plan, lane, step, key, unit);
        self.place(lane);
        self.settle_front();
    }

    /// Removes a unit that starts and takes its slots.
    pub(crate) fn start(&mut self, plan: &Plan, step: StepIx, key: KeyIx, unit: UnitIx) {
        let lane = self.lane(plan, step, key);
        self.take_out(plan, lane, step, key, unit);
        let now_us = self.now.saturating_mul(MICROS);
        for ix in 0..self.lanes[lane as usize].holds.len() {
            let (at, slots) = self.lanes[lane as usize].holds[ix];
            let instance = &mut self.instances[at as usize];
            instance.used += slots;
            if let Some(rate) = instance.rate {
                instance.next_us = instance.next_us.max(now_us).saturating_add(instance.interval_us(rate));
            }
        }
        self.place(lane);
        self.settle_front();
    }

    /// Gives the slots of an attempt back.
    pub(crate) fn give_back(&mut self, plan: &Plan, step: StepIx, key: KeyIx) {
        let lane = self.lane(plan, step, key);
        for ix in 0..self.lanes[lane as usize].holds.len() {
            let (at, slots) = self.lanes[lane as usize].holds[ix];
            let instance = &mut self.instances[at as usize];
            instance.used = instance.used.saturating_sub(slots);
            self.wake(at);
        }
        self.settle_front();
    }

    /// Moves the clock on: rates that are due let lanes go.
    pub(crate) fn advance(&mut self, now: Millis) {
        self.now = self.now.max(now);
        while let Some(&(at, instance)) = self.timed.first() {
            if at > self.now {
                break;
            }
            self.timed.pop_first();
            self.instances[instance as usize].timed_at = None;
            self.wake(instance);
        }
        self.settle_front();
    }

    /// Changes the size of every instance of a pool; of a shared one, the grants follow.
    pub(crate) fn resize(&mut self, plan: &Plan, pool: PoolIx, slots: u32) {
        for at in 0..plan.pool_instances() {
            if plan.pool_of(at).0 == pool && self.instances[at as usize].sharers == 0 {
                self.set_slots(at, slots);
            }
        }
        self.settle_front();
    }

    /// Sets what this run may use of a shared instance.
    pub(crate) fn grant(&mut self, at: u32, slots: u32, sharers: u32) {
        self.instances[at as usize].sharers = sharers.max(1);
        self.set_slots(at, slots);
        self.settle_front();
    }

    /// A new driver has been granted nothing yet.
    pub(crate) fn forget_grants(&mut self) {
        for instance in self.instances.iter_mut().filter(|instance| instance.sharers > 0) {
            (instance.slots, instance.sharers) = (0, 1);
        }
        self.settle_front();
    }

    fn set_slots(&mut self, at: u32, slots: u32) {
        self.instances[at as usize].slots = slots;
        self.instances[at as usize].resized = true;
        self.wake(at);
    }

    /// Goes on where the instances of a former plan were: time, and what rates have let through.
    pub(crate) fn take_over(&mut self, plan: &Plan, from: &Self, before: &Plan) {
        self.now = from.now;
        let named = |plan: &Plan, at: u32| {
            let (pool, key) = plan.pool_of(at);
            (plan.spec().pools[pool.ix()].name.clone(), key)
        };
        let was: BTreeMap<(String, KeyIx), i64> =
            (0..before.pool_instances()).map(|at| (named(before, at), from.instances[at as usize].next_us)).collect();
        for at in 0..plan.pool_instances() {
            let instance = &mut self.instances[at as usize];
            instance.resized = true;
            if let Some(&next_us) = was.get(&named(plan, at)) {
                instance.next_us = next_us;
            }
        }
    }

    /// Takes the slots of an attempt that is in flight already.
    pub(crate) fn occupy(&mut self, plan: &Plan, step: StepIx, key: KeyIx) {
        for &(at, slots) in &plan.holds(step, key) {
            self.instances[at as usize].used += slots;
        }
    }

    pub(crate) fn is_shared(&self, at: u32) -> bool {
        self.instances.get(at as usize).is_some_and(|instance| instance.sharers > 0)
    }

    /// Slots granted of a shared instance, and among how many runs it is divided.
    pub(crate) fn granted(&self, at: u32) -> (u32, u32) {
        self.instances.get(at as usize).map_or((0, 0), |instance| (instance.slots, instance.sharers))
    }

    pub(crate) fn is_resized(&self, at: u32) -> bool {
        self.instances[at as usize].resized
    }

    /// Shared instances with what is used and wanted of each.
    pub(crate) fn shared(&self, plan: &Plan, sizes: &BTreeMap<PoolIx, u32>) -> Vec<SharedPool> {
        let mut wanted: BTreeMap<u32, u32> = BTreeMap::new();
        for lane in &self.lanes {
            let units = u32::try_from(lane.units.len()).unwrap_or(u32::MAX);
            for &(at, slots) in lane.holds.iter().filter(|&&(at, _)| self.is_shared(at)) {
                let wanted = wanted.entry(at).or_default();
                *wanted = wanted.saturating_add(units.saturating_mul(slots.max(1)));
            }
        }
        (0..plan.pool_instances())
            .filter(|&at| self.is_shared(at))
            .map(|at| {
                let (pool, key) = plan.pool_of(at);
                let spec = &plan.spec().pools[pool.ix()];
                let used = self.instances[at as usize].used;
                SharedPool {
                    instance: at,
                    pool,
                    key: spec.per.map_or_else(String::new, |per| plan.key_name(per, key)),
                    limit: sizes.get(&pool).copied().or(spec.slots).unwrap_or(u32::MAX),
                    used,
                    wanted: used.saturating_add(wanted.get(&at).copied().unwrap_or(0)),
                }
            })
            .collect()
    }

    fn lane(&mut self, plan: &Plan, step: StepIx, key: KeyIx) -> u32 {
        let row = &mut self.lane_of[step.ix()];
        let slot = if row.len() == 1 { 0 } else { key.ix() };
        if row[slot] != NO_LANE {
            return row[slot];
        }
        let holds = plan.holds(step, key);
        let lanes = &mut self.lanes;
        let lane = *self.by_holds.entry((step, holds.clone())).or_insert_with(|| {
            lanes.push(Lane { holds, units: BTreeSet::new(), place: LanePlace::Nowhere });
            u32::try_from(lanes.len() - 1).unwrap_or(NO_LANE - 1)
        });
        self.lane_of[step.ix()][slot] = lane;
        lane
    }

    fn take_out(&mut self, plan: &Plan, lane: u32, step: StepIx, key: KeyIx, unit: UnitIx) {
        if self.lanes[lane as usize].units.remove(&(plan.priority(step, key), unit.0)) {
            self.len -= 1;
        }
    }

    fn fits(&self, at: u32, slots: u32) -> bool {
        let instance = &self.instances[at as usize];
        instance.slots > 0 && instance.used.saturating_add(slots) <= instance.slots && instance.allowed_at() <= self.now
    }

    fn blocker(&self, lane: u32) -> Option<u32> {
        let holds = &self.lanes[lane as usize].holds;
        holds.iter().find(|&&(at, slots)| !self.fits(at, slots)).map(|&(at, _)| at)
    }

    fn admissible(&self, lane: u32) -> bool {
        self.blocker(lane).is_none()
    }

    /// Lists a lane where it belongs now; a lane that leaves `open` passes its claim on free slots on.
    fn place(&mut self, lane: u32) {
        let head = self.lanes[lane as usize].units.first().map(|&(priority, _)| priority);
        let was = self.lanes[lane as usize].place;
        let now = match head {
            None => LanePlace::Nowhere,
            Some(head) => self.blocker(lane).map_or(LanePlace::Open(head), |at| LanePlace::At(at, head)),
        };
        if now == was {
            return;
        }
        match was {
            LanePlace::Nowhere => {}
            LanePlace::Open(head) => {
                self.open.remove(&(head, lane));
            }
            LanePlace::At(at, head) => {
                self.instances[at as usize].waiting.remove(&(head, lane));
            }
        }
        self.lanes[lane as usize].place = now;
        match now {
            LanePlace::Nowhere => {}
            LanePlace::Open(head) => {
                self.open.insert((head, lane));
            }
            LanePlace::At(at, head) => {
                self.instances[at as usize].waiting.insert((head, lane));
                self.time(at);
            }
        }
        // Its claim was for the unit that is gone: a lane that waits may come before what is left of this one.
        let passes_on = match (was, now) {
            (LanePlace::Open(before), LanePlace::Open(after)) => after > before,
            (LanePlace::Open(_), LanePlace::At(..) | LanePlace::Nowhere) => true,
            (LanePlace::At(..) | LanePlace::Nowhere, _) => false,
        };
        if passes_on {
            let holds = self.lanes[lane as usize].holds.clone();
            for &(at, _) in &holds {
                self.wake(at);
            }
        }
    }

    /// Sets the alarm of an instance that a rate holds back.
    fn time(&mut self, at: u32) {
        let instance = &mut self.instances[at as usize];
        let due = instance.allowed_at();
        // A share of the rate that has changed may let something start before the time that was set.
        if due > self.now && instance.timed_at.is_none_or(|set| due < set) {
            if let Some(set) = instance.timed_at.replace(due) {
                self.timed.remove(&(set, at));
            }
            self.timed.insert((due, at));
        }
    }

    /// Lets the first waiting lane go that an instance can serve now.
    fn wake(&mut self, at: u32) {
        let mut after = None;
        loop {
            let instance = &self.instances[at as usize];
            if instance.used >= instance.slots {
                return;
            }
            if instance.allowed_at() > self.now {
                if !instance.waiting.is_empty() {
                    self.time(at);
                }
                return;
            }
            let next = match after {
                None => instance.waiting.first().copied(),
                Some(last) => instance
                    .waiting
                    .range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded))
                    .next()
                    .copied(),
            };
            let Some((head, lane)) = next else { return };
            self.place(lane);
            match self.lanes[lane as usize].place {
                LanePlace::Open(_) => return,
                // It needs more slots than are free: let a smaller one pass rather than idle.
                LanePlace::At(still, _) if still == at => after = Some((head, lane)),
                LanePlace::At(..) | LanePlace::Nowhere => {}
            }
        }
    }

    /// Keeps law 1: lanes at the front that can no longer start go where they wait.
    fn settle_front(&mut self) {
        while let Some(&(_, lane)) = self.open.first() {
            if self.admissible(lane) {
                return;
            }
            self.place(lane);
        }
    }
}
