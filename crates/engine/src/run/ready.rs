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

use crate::ids::{KeyIx, Millis, StepIx, UnitIx};
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
        let slack = interval_us(rate).saturating_mul(i64::from(rate.burst) - 1);
        let at_us = self.next_us.saturating_sub(slack);
        at_us.div_euclid(MICROS) + i64::from(at_us.rem_euclid(MICROS) != 0)
    }
}

fn interval_us(rate: Rate) -> i64 {
    let period = i64::try_from(rate.per_ms).unwrap_or(i64::MAX).saturating_mul(MICROS);
    (period / i64::from(rate.count)).max(1)
}

impl Ready {
    pub(crate) fn new(plan: &Plan) -> Self {
        let instances = (0..plan.pool_instances())
            .map(|instance| {
                let pool = &plan.spec().pools[plan.pool_of(instance).0.ix()];
                Instance {
                    slots: pool.slots.unwrap_or(u32::MAX),
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
                instance.next_us = instance.next_us.max(now_us).saturating_add(interval_us(rate));
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
        instance.used.saturating_add(slots) <= instance.slots && instance.allowed_at() <= self.now
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
        if due > self.now && instance.timed_at.is_none() {
            instance.timed_at = Some(due);
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
