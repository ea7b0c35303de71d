//! One record more: the run takes it, and what the run will forget is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{BatchIx, Carry, Event, Flight, Gate, Millis, Misfit, Mode, NodeIx, Plan, Record, Status, UnitIx};

use crate::amendment::amendment_lines;
use crate::duration::{seconds, stamp};
use crate::fold::Fold;
use crate::fold::gates::Asked;
use crate::fold::people::{About, Of};
use crate::fold::times::StepTimes;
use crate::fold::words::{Told, tell};
use crate::report::{ActReport, Moment, MomentKind, Resume};

/// Most moments of the timeline, and most acts of people, that are kept; later ones are counted, not kept.
const MOMENTS: usize = 20_000;

/// What an event is about to change, as it stood before.
struct Before {
    now: Millis,
    flight: Option<Flight>,
    interrupted: Vec<(UnitIx, Flight)>,
    asked: Option<Asked>,
    about: About,
}

/// What an amendment is about to replace.
struct Former {
    plan: Arc<Plan>,
    located: BTreeMap<UnitIx, (NodeIx, u32)>,
    changes: Vec<String>,
}

/// The record without outputs: they are looked at as they come by, and no report reads them again.
fn lean(record: &Record) -> Option<Record> {
    match &record.event {
        Event::Succeeded { unit, outputs: Some(_) } => {
            Some(Record { at: record.at, event: Event::Succeeded { unit: *unit, outputs: None } })
        }
        _ => None,
    }
}

impl Fold {
    /// Applies one record.
    ///
    /// # Errors
    /// If it does not fit the run; nothing is changed then.
    pub fn push(&mut self, record: &Record) -> Result<(), Misfit> {
        let event = &record.event;
        let mut before = self.before(event);
        let amended = self.before_amendment(event);
        self.run.apply(lean(record).as_ref().unwrap_or(record))?;
        self.records += 1;
        let at = self.run.now();
        let mut changes = Vec::new();
        if let Some(former) = amended {
            self.amended(&former.plan, &former.located);
            changes = former.changes;
        }
        self.gates.note(&self.run, at, event, before.asked.take());
        self.people.note(&self.run, at, event, &before.about);
        self.audit.note(&self.run, event, before.flight.map(|flight| flight.mode));
        self.new_ids.note(&self.run, event, before.flight.map(|flight| flight.mode));
        self.links.note(self.run.plan(), event, before.flight.map(|flight| flight.mode));
        self.backs.reopened(&self.run, event);
        let undo = before.about.is_undo();
        self.time(at, event, &before);
        self.goes_on(at);
        if let Some(mut told) = tell(&self.run, event, undo) {
            changes.iter().for_each(|line| told.text.push_str(&format!("; {line}")));
            self.tell(at, told);
        }
        self.watch_pause(at);
        Ok(())
    }

    fn before_amendment(&self, event: &Event) -> Option<Former> {
        let Event::Amended { plan, .. } = event else { return None };
        let amendment = Plan::decode(plan).ok().and_then(|plan| self.run.amendment(&plan).ok());
        let changes = amendment.map(|amendment| amendment_lines(&amendment)).unwrap_or_default();
        Some(Former { plan: self.run.plan().clone(), located: self.located(), changes })
    }

    fn before(&self, event: &Event) -> Before {
        let run = &self.run;
        let flight = match event {
            Event::Succeeded { unit, .. }
            | Event::Refused { unit, .. }
            | Event::InDoubt { unit, .. }
            | Event::NotBegun { unit, .. } => run.flight(*unit),
            _ => None,
        };
        let interrupted = match event {
            Event::Adopted { .. } => run.pending().map(|pending| (pending.unit, pending.flight)).collect(),
            _ => Vec::new(),
        };
        let asked = match event {
            Event::Approved { gate, .. } | Event::Rejected { gate, .. } | Event::Lapsed { gate } => {
                run.request(*gate).map(|request| Asked::of(&request))
            }
            _ => None,
        };
        Before { now: run.now(), flight, interrupted, asked, about: About::of(run, event) }
    }

    /// Keeps the times of an event, and what has no words.
    fn time(&mut self, at: Millis, event: &Event, before: &Before) {
        match event {
            Event::Opened { actor, .. } => self.opened_by = actor.to_string(),
            Event::Adopted { epoch, holder } => self.adopted(at, before.now, *epoch, holder, &before.interrupted),
            Event::Started { unit, attempt, mode } => self.started(at, *unit, *attempt, *mode),
            Event::Succeeded { unit, .. } => {
                self.landed(at, *unit, before.flight, |times, mode, took| times.succeeded(mode, took));
            }
            Event::Refused { unit, .. } => {
                self.landed(at, *unit, before.flight, |times, mode, took| times.fell_short(mode, took, false));
            }
            Event::InDoubt { unit, .. } => {
                self.landed(at, *unit, before.flight, |times, mode, took| times.fell_short(mode, took, true));
            }
            Event::NotBegun { unit, .. } => {
                let attempt = before.flight.map_or(1, |flight| self.made(*unit, flight.attempt));
                self.landed(at, *unit, before.flight, |times, mode, _| times.not_begun(attempt, mode));
                *self.unbegun.entry(self.run.unit_key(*unit)).or_default() += 1;
            }
            Event::Decided { node, .. } | Event::Expanded { node, .. } | Event::Unevaluable { node, .. } => {
                self.ready.note(&self.run, *node, at);
            }
            Event::Overruled { node, .. } => {
                self.ready.forget_answers();
                self.ready.note(&self.run, *node, at);
            }
            Event::Approved { gate, .. } | Event::Rejected { gate, .. } | Event::Lapsed { gate } => match gate {
                Gate::Start if self.run.request(*gate).is_none() => self.ready.begin(&self.run, at),
                Gate::Unit(unit) => self.note_unit(*unit, at),
                Gate::Start | Gate::Batch(_) => {}
            },
            Event::SiteEnded { site, end } => {
                let offset = self.since_opening(at);
                self.backs.ended(*site, *end, offset);
            }
            Event::Ruled { unit, .. } => {
                self.rulings += 1;
                self.note_unit(*unit, at);
            }
            Event::Retried { .. } | Event::SiteAdopted { .. } => self.ready.forget_answers(),
            Event::Unwinding { actor, reason } => self.unwound = Some((actor.clone(), reason.clone())),
            Event::PoolSet { pool, slots, .. } => {
                let offset = self.since_opening(at);
                if let Some(spec) = self.run.plan().spec().pools.get(pool.ix()) {
                    self.pool_sizes.entry(spec.name.clone()).or_default().push((offset, *slots));
                }
            }
            Event::Closing { .. } => self.ready.close(&self.run, at),
            Event::BatchOpened { batch } => self.batch_moment(at, MomentKind::BatchOpened, *batch, "opened"),
            Event::BatchSettled { batch } => self.batch_moment(at, MomentKind::BatchSettled, *batch, "settled"),
            Event::BudgetExceeded { batch } => {
                self.batch_moment(at, MomentKind::BudgetExceeded, *batch, "has more failures than its budget");
            }
            _ => {}
        }
    }

    fn note_unit(&mut self, unit: UnitIx, at: Millis) {
        if let Some((node, _)) = self.run.unit_at(unit) {
            self.ready.note(&self.run, node, at);
        }
    }

    /// The how-manieth attempt of a unit this is, of those that somebody began.
    fn made(&self, unit: UnitIx, attempt: u32) -> u32 {
        if self.unbegun.is_empty() {
            return attempt;
        }
        attempt.saturating_sub(self.unbegun.get(&self.run.unit_key(unit)).copied().unwrap_or(0))
    }

    fn started(&mut self, at: Millis, unit: UnitIx, attempt: u32, mode: Mode) {
        let Some((node, _)) = self.run.unit_at(unit) else { return };
        let (step, _) = self.run.plan().node_at(node);
        let waited = (attempt == 1 && !mode.is_undo()).then(|| {
            let ready = self.ready.ready_at(&self.run, node);
            self.since_opening(at).saturating_sub(i64::from(ready))
        });
        let (offset, attempt) = (self.since_opening(at), self.made(unit, attempt));
        if let Some(times) = self.steps.get_mut(step.ix()) {
            times.started(offset, attempt, mode, waited);
        }
    }

    fn landed(
        &mut self,
        at: Millis,
        unit: UnitIx,
        flight: Option<Flight>,
        count: impl FnOnce(&mut StepTimes, Mode, i64),
    ) {
        let Some((node, _)) = self.run.unit_at(unit) else { return };
        let (step, _) = self.run.plan().node_at(node);
        if let (Some(times), Some(flight)) = (self.steps.get_mut(step.ix()), flight) {
            count(times, flight.mode, at.saturating_sub(flight.started_at));
        }
        self.ready.note(&self.run, node, at);
    }

    fn adopted(&mut self, at: Millis, before: Millis, epoch: u64, holder: &str, interrupted: &[(UnitIx, Flight)]) {
        for &(unit, flight) in interrupted {
            let Some((node, _)) = self.run.unit_at(unit) else { continue };
            let (step, _) = self.run.plan().node_at(node);
            if let Some(times) = self.steps.get_mut(step.ix()) {
                // The last durable event is the last time at which the attempt was surely in flight.
                times.interrupted(flight.mode, before.saturating_sub(flight.started_at));
            }
        }
        if !self.drivers.iter().any(|driver| driver == holder) {
            self.drivers.push(holder.to_owned());
        }
        if !std::mem::replace(&mut self.adopted, true) {
            return;
        }
        let down = at.saturating_sub(before).max(0);
        self.down_ms += down;
        let in_flight = u64::try_from(interrupted.len()).unwrap_or(u64::MAX);
        let text = match in_flight {
            0 => format!("resumed by {holder}; nothing was in flight"),
            1 => format!("resumed by {holder}; 1 attempt had been cut off in flight"),
            many => format!("resumed by {holder}; {many} attempts had been cut off in flight"),
        };
        self.moment(at, MomentKind::Resumed, None, text);
        self.resumes.push(Resume {
            at: stamp(at),
            epoch,
            holder: holder.to_owned(),
            attempts_interrupted: in_flight,
            gap_s: seconds(down),
        });
    }

    /// Notes that the run has ended, or goes on although it had.
    fn goes_on(&mut self, at: Millis) {
        match (self.run.status(), self.ended_at) {
            (Status::Ended(_), None) => {
                self.ended_at = Some(at);
                self.unpause(at);
            }
            (Status::Ended(_), Some(_)) | (_, None) => {}
            (_, Some(ended)) => {
                self.ended_at = None;
                self.reopened += 1;
                let over = at.saturating_sub(ended).max(0);
                self.over_ms += over;
                let text = format!("the run goes on, {} after it had ended", crate::duration::span(over));
                self.moment(at, MomentKind::Reopened, None, text);
            }
        }
    }

    fn batch_moment(&mut self, at: Millis, kind: MomentKind, batch: BatchIx, what: &str) {
        let number = u32::from(batch.0) + 1;
        self.moment(at, kind, Some(number), format!("batch {number} {what}"));
    }

    /// Keeps what was told: as a moment, and as an act if a person changed what becomes of sites, steps or pools.
    fn tell(&mut self, at: Millis, told: Told) {
        if told.kind.is_act() {
            if self.acts.len() < MOMENTS {
                self.acts.push(ActReport {
                    at: stamp(at),
                    after_s: seconds(self.since_opening(at)),
                    act: told.kind,
                    actor: told.actor.clone(),
                    reason: told.reason.clone(),
                    subject: told.subject,
                    text: told.text.clone(),
                });
            } else {
                self.acts_dropped += 1;
            }
        }
        self.moment(at, told.kind, None, told.text);
        if let Some(moment) = self.moments.last_mut().filter(|_| self.moments_dropped == 0 && !told.actor.is_empty()) {
            moment.actor = Some(told.actor);
            moment.reason = Some(told.reason);
        }
    }

    fn moment(&mut self, at: Millis, kind: MomentKind, batch: Option<u32>, text: String) {
        if self.moments.len() >= MOMENTS {
            self.moments_dropped += 1;
            return;
        }
        let after_s = seconds(self.since_opening(at));
        self.moments.push(Moment { at: stamp(at), after_s, kind, batch, actor: None, reason: None, text });
    }

    /// Budgets, lapses and `on_failure: pause` pause a run without an event of their own, so the state is what is
    /// watched.
    fn watch_pause(&mut self, at: Millis) {
        match self.run.status() {
            Status::Paused { actor, reason } if self.paused_since.is_none() => {
                self.paused_since = Some(at);
                let said = self.moments.last().is_some_and(|moment| moment.kind == MomentKind::Paused);
                if !said {
                    self.moment(at, MomentKind::Paused, None, format!("paused by {actor}: {reason}"));
                }
            }
            Status::Paused { .. } => {}
            _ => self.unpause(at),
        }
    }

    fn unpause(&mut self, at: Millis) {
        if let Some(since) = self.paused_since.take() {
            self.paused_ms += at.saturating_sub(since).max(0);
        }
    }

    /// Where the units lie of which something is kept.
    fn located(&self) -> BTreeMap<UnitIx, (NodeIx, u32)> {
        let said = self.people.said.keys().filter_map(|of| match of {
            Of::Unit(unit) => Some(*unit),
            Of::Node(_) => None,
        });
        let audited = self.audit.units();
        let gates = self.gates.all.iter().filter_map(|log| match log.gate {
            Gate::Unit(unit) => Some(unit),
            Gate::Start | Gate::Batch(_) => None,
        });
        let units =
            said.chain(gates).chain(audited).chain(self.links.units()).chain(self.people.gave_up.keys().copied());
        units.filter_map(|unit| Some((unit, self.run.unit_at(unit)?))).collect()
    }

    /// The plan was replaced: what is kept by number follows by name.
    fn amended(&mut self, old: &Arc<Plan>, located: &BTreeMap<UnitIx, (NodeIx, u32)>) {
        let plan = self.run.plan().clone();
        let carry = Carry::new(old, &plan);
        let unit = |unit| carry.unit(unit, |unit| located.get(&unit).copied(), |node| self.run.units_of(node));
        let mut steps: Vec<StepTimes> = plan.steps().map(|_| StepTimes::default()).collect();
        for (step, times) in old.steps().zip(std::mem::take(&mut self.steps)) {
            match carry.step(step) {
                Some(step) => steps[step.ix()] = times,
                None if times.attempts + times.undo.attempts > 0 => {
                    self.former_steps.push((old.step(step).name.clone(), times));
                }
                None => {}
            }
        }
        self.steps = steps;
        let of_step = |ix: usize| old.steps().nth(ix).and_then(|step| carry.step(step));
        self.audit.amended(&plan, of_step, unit);
        self.new_ids.amended(&self.run, unit);
        self.links.amended(unit);
        self.ready = self.ready.renumbered(&plan, |node| carry.node(node));
        self.gates.rename(|gate| match gate {
            Gate::Start | Gate::Batch(_) => Some(gate),
            Gate::Unit(old) => unit(old).map(Gate::Unit),
        });
        let people = std::mem::take(&mut self.people);
        self.people.said = people
            .said
            .into_iter()
            .filter_map(|(of, said)| {
                let of = match of {
                    Of::Unit(old) => Of::Unit(unit(old)?),
                    Of::Node(old) => Of::Node(carry.node(old)?),
                };
                Some((of, said))
            })
            .collect();
        self.people.gave_up = people.gave_up.into_iter().filter_map(|(old, how)| Some((unit(old)?, how))).collect();
        self.people.taken = people.taken;
    }
}
