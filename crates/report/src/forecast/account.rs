//! What became of the time of a run that took place, from its records: the way back from its end, and what every unit
//! waited for.

use std::collections::BTreeMap;

use engine::{Event, Flight, Gate, Millis, Mode, Plan, Record, Run, SiteEnd, Status, Then, UnitIx};
use serde::{Deserialize, Serialize};

use crate::duration::seconds;
use crate::forecast::ahead::lower_bound;
use crate::forecast::drive::Course;
use crate::forecast::occupied::Occupied;
use crate::forecast::path::{Before, before};
use crate::forecast::trace::{Trace, UNSET};

/// What a part of a run's time went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spent {
    /// A connector was at work on a step; the attempt's start was made durable first.
    Connector,
    /// Something was ready, and all slots of a pool were taken, or its rate allowed no start.
    Pool,
    /// Something was ready, and no pool was in its way: outcomes and starts were decided and made durable.
    Engine,
    /// An attempt had fallen short, and the next was not due.
    Retry,
    /// The wait that the runbook wants between a settled batch and the next.
    Soak,
    /// What the records do not tell.
    Other,
}

/// A part of a run's time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePart {
    /// What it went to.
    pub spent: Spent,
    /// The step or the pool; empty for what has no name.
    pub name: String,
    /// Seconds.
    pub s: f64,
}

/// What units waited for at a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolWait {
    /// The pool.
    pub pool: String,
    /// Units that were ready and waited for it.
    pub units: u64,
    /// Sum of their waiting times in seconds.
    pub s: f64,
}

/// The time of a run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// From its opening to its end, in seconds.
    pub makespan_s: f64,
    /// Time below which no order of the same attempts can come, each as long as it was, and each as long after one that fell
    /// short as its policy or its target asked: the longest way through the plan, or the work of a pool over its slots,
    /// batch by batch.
    pub lower_bound_s: f64,
    /// The longest chain of what waited for what, back from the end; the parts add up to `makespan_s`, largest first.
    pub chain: Vec<TimePart>,
    /// Waiting for pools over all units, in the runbook's order.
    pub pools: Vec<PoolWait>,
    /// Time in flight over all attempts, in seconds: more than the makespan, since they run side by side.
    pub connectors_s: f64,
    /// Time over all units in which they were ready and no pool was in their way, in seconds.
    pub engine_s: f64,
    /// Time in which nothing was in flight, in seconds.
    pub idle_s: f64,
}

/// The records of a run on their way to an [`Account`].
///
/// Keeps some 60 bytes a unit; the time of a record grows with its needs, not with the run.
#[derive(Debug)]
pub struct Past {
    run: Run,
    trace: Option<Trace>,
    occupied: Occupied,
    /// Of each unit: time in flight, and of its wait what went to a pool.
    flown: Vec<i64>,
    waited: BTreeMap<UnitIx, (i64, usize)>,
    /// Since when units wait before they are tried again, and until when they have to.
    backing_off: BTreeMap<UnitIx, (Millis, Millis)>,
    engine_ms: i64,
    in_flight: usize,
    idle_since: Millis,
    idle_ms: i64,
    end: Option<Millis>,
}

impl Past {
    /// Starts with a run of which nothing has happened.
    #[must_use]
    pub fn new(plan: std::sync::Arc<Plan>) -> Self {
        let units = plan.unit_count() as usize;
        Self {
            run: Run::new(plan),
            trace: None,
            occupied: Occupied::default(),
            flown: vec![0; units],
            waited: BTreeMap::new(),
            backing_off: BTreeMap::new(),
            engine_ms: 0,
            in_flight: 0,
            idle_since: 0,
            idle_ms: 0,
            end: None,
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// If it does not fit the run.
    pub fn push(&mut self, record: &Record) -> Result<(), engine::Misfit> {
        let at = record.at.max(self.run.now());
        let (run, occupied) = (&self.run, &mut self.occupied);
        let trace = self.trace.get_or_insert_with(|| {
            let trace = Trace::new(run, at);
            *occupied = Occupied::new(&trace.pools);
            trace
        });
        let (from, flights) = (trace.from, self.landing(&record.event));
        self.run.apply(record)?;
        for (unit, flight, done) in flights {
            self.landed(unit, flight, at, done);
        }
        let Some(trace) = &mut self.trace else { return Ok(()) };
        match &record.event {
            Event::Refused { unit, then: Then::ApplyAt(due) | Then::ProbeAt(due), .. }
            | Event::InDoubt { unit, then: Then::ApplyAt(due) | Then::ProbeAt(due), .. } => {
                self.backing_off.insert(*unit, (at, *due));
            }
            Event::Started { unit, .. } => {
                // A person may have cut it short.
                if let Some((from, due)) = self.backing_off.remove(unit) {
                    trace.backed_off(*unit, due.min(at).saturating_sub(from));
                }
                trace.started(&self.run, *unit, at);
                self.took_off(*unit, at);
            }
            Event::Approved { gate: Gate::Unit(unit), .. } => trace.ended(&self.run, *unit, at, at, true),
            Event::BatchOpened { batch } => trace.batch_opened(self.run.plan(), *batch, at),
            Event::BatchSettled { batch } => trace.batch_settled(&self.run, *batch, at),
            Event::Closing { .. } => trace.closing(at),
            Event::SiteEnded { site, end: SiteEnd::Returned | SiteEnd::Degraded } => trace.back.push((at, *site)),
            _ => {}
        }
        if matches!(self.run.status(), Status::Ended(_)) && self.end.is_none() {
            self.end = Some(at);
            self.idle_ms += if self.in_flight == 0 { at - self.idle_since.max(from) } else { 0 };
        }
        Ok(())
    }

    /// The account; `None` if the run has not ended, or went another way than to its end at once: it was amended, taken
    /// back or reopened, and no bound of the plan holds for it.
    #[must_use]
    pub fn account(self) -> Option<Account> {
        let (end, trace) = (self.end?, self.trace?);
        if !matches!(self.run.status(), Status::Ended(_)) || self.run.now() > end {
            return None;
        }
        let mut course = Course { run: self.run, trace, end, ended: true };
        let chain = chain(&mut course, &self.flown, &self.waited);
        let plan = course.run.plan();
        let mut pools: Vec<PoolWait> =
            plan.spec().pools.iter().map(|pool| PoolWait { pool: pool.name.clone(), units: 0, s: 0.0 }).collect();
        for &(ms, pool) in self.waited.values().filter(|(ms, _)| *ms > 0) {
            pools[pool].units += 1;
            pools[pool].s += seconds(ms);
        }
        Some(Account {
            makespan_s: seconds(end - course.trace.from),
            lower_bound_s: seconds(lower_bound(&course)),
            chain,
            pools,
            connectors_s: seconds(self.flown.iter().sum()),
            engine_s: seconds(self.engine_ms),
            idle_s: seconds(self.idle_ms),
        })
    }

    /// Attempts that an event ends, as they stand before it: with whether their work is done.
    fn landing(&self, event: &Event) -> Vec<(UnitIx, Flight, bool)> {
        let of = |unit: UnitIx, done| self.run.flight(unit).map(|flight| (unit, flight, done)).into_iter().collect();
        match event {
            Event::Succeeded { unit, .. } => of(*unit, true),
            Event::Refused { unit, .. } | Event::InDoubt { unit, .. } | Event::NotBegun { unit, .. } => {
                of(*unit, false)
            }
            Event::Adopted { .. } => self.run.pending().map(|pending| (pending.unit, pending.flight, false)).collect(),
            _ => Vec::new(),
        }
    }

    fn landed(&mut self, unit: UnitIx, flight: Flight, at: Millis, done: bool) {
        let Some(trace) = &mut self.trace else { return };
        let done = done && matches!(flight.mode, Mode::Apply | Mode::Probe);
        trace.ended(&self.run, unit, flight.started_at, at, done);
        if let Some(flown) = self.flown.get_mut(unit.ix()) {
            *flown += at - flight.started_at;
        }
        self.occupied.release(&self.run, &trace.pools, unit, at);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.idle_since = at;
    }

    fn took_off(&mut self, unit: UnitIx, at: Millis) {
        let Some(trace) = &mut self.trace else { return };
        if self.in_flight == 0 {
            self.idle_ms += at - self.idle_since.max(trace.from);
        }
        self.in_flight += 1;
        if self.flown.len() <= unit.ix() {
            self.flown.resize(unit.ix() + 1, 0);
        }
        let first = trace.units[unit.ix()].started == at && trace.units[unit.ix()].ended == UNSET;
        if let Some((node, _)) = self.run.unit_at(unit).filter(|_| first && !self.waited.contains_key(&unit)) {
            let ready = trace.ready(&self.run, node).actual.min(at);
            let (held, pool) = self.occupied.held(&self.run, &trace.pools, unit, ready, at);
            self.engine_ms += (at - ready - held).max(0);
            self.waited.insert(unit, (held, pool));
        }
        self.occupied.take(&self.run, &trace.pools, unit, at);
    }
}

/// The way back from the end; the parts add up to the whole time.
fn chain(course: &mut Course, flown: &[i64], waited: &BTreeMap<UnitIx, (i64, usize)>) -> Vec<TimePart> {
    let plan = course.run.plan().clone();
    let from = course.trace.from;
    let mut parts: BTreeMap<(Spent, String), i64> = BTreeMap::new();
    let mut add = |spent, name: &str, ms: i64| {
        if ms > 0 {
            *parts.entry((spent, name.to_owned())).or_default() += ms;
        }
    };
    let (mut at, mut next) = (course.end, course.trace.last_unit);
    // A unit is on the chain once, so that this many turns are enough whatever the records say.
    for _ in 0..=flown.len() {
        let Some(unit) = next.take().filter(|_| at > from) else { break };
        let times = course.trace.units[unit.ix()];
        let Some((node, _)) = course.run.unit_at(unit).filter(|_| times.ended != UNSET) else { break };
        let ended = times.ended.clamp(from, at);
        add(Spent::Engine, "", at - ended);
        let started = times.started.clamp(from, ended);
        let name = &plan.step(plan.node_at(node).0).name;
        let worked = flown.get(unit.ix()).copied().unwrap_or(0).min(ended - started);
        add(Spent::Connector, name, worked);
        add(Spent::Retry, name, ended - started - worked);
        let ready = course.trace.ready(&course.run, node).actual.clamp(from, started);
        let (held, pool) = waited.get(&unit).copied().unwrap_or((0, 0));
        let held = held.min(started - ready);
        add(Spent::Pool, plan.spec().pools.get(pool).map_or("", |pool| &pool.name), held);
        add(Spent::Engine, "", started - ready - held);
        at = ready;
        next = match before(course, &plan, node, at) {
            Before::Unit(unit) => Some(unit),
            Before::End(last) => last,
            Before::Batch(batch) => batch.checked_sub(1).and_then(|earlier| {
                let earlier = course.trace.batches[earlier];
                let settled = earlier.settled?.actual.clamp(from, at);
                add(Spent::Soak, "", at - settled);
                at = settled;
                earlier.last_unit
            }),
            Before::Nothing => None,
        };
    }
    add(Spent::Other, "", at - from);
    let told = parts.into_iter().map(|((spent, name), ms)| TimePart { spent, name, s: seconds(ms) });
    let mut told: Vec<TimePart> = told.collect();
    told.sort_by(|a, b| b.s.total_cmp(&a.s));
    told
}
