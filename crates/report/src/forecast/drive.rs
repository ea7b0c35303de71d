//! The engine in virtual time: the same `decide` and `apply` as a real run, with drawn durations instead of a world.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use engine::{
    Advice, Command, EvalError, Evaluator, Event, Failure, Gate, Input, KeyIx, Millis, Mode, Outcome, Outputs, Plan,
    Record, Ruling, Run, SiteEnd, Status, StepIx, Target, UnitIx, Work,
};

use crate::forecast::model::Model;
use crate::forecast::trace::Trace;

/// A run that was driven to its end in virtual time.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) run: Run,
    pub(super) trace: Trace,
    /// When it ended.
    pub(super) end: Millis,
    /// Whether it ended by itself, and so says something.
    pub(super) ended: bool,
}

struct Drive<'a> {
    run: Run,
    model: &'a Model,
    seed: u64,
    now: Millis,
    /// Ends of attempts to come; at most one a unit.
    ends: BinaryHeap<Reverse<(Millis, UnitIx)>>,
    /// Answers of people to come, and the gates that are asked.
    answers: BTreeSet<(Millis, Gate)>,
    asked: BTreeSet<Gate>,
    has_people: bool,
    /// Turns until what waits for people is looked through again.
    look_in: usize,
    /// The run was continued, and nothing has come of it since.
    in_vain: bool,
    trace: Trace,
}

/// Drives a plan from its opening, at time 0.
pub(super) fn from_the_start(plan: &std::sync::Arc<Plan>, model: &Model, seed: u64) -> Course {
    let mut drive = Drive::new(Run::new(plan.clone()), 0, model, seed);
    drive.input(Input::Open { actor: "forecast".to_owned() });
    drive.input(Input::Adopt { epoch: 1, holder: "forecast".to_owned() });
    drive.finish()
}

/// Drives a run on from where it stands at a time; attempts in flight keep going.
pub(super) fn from_here(run: &Run, now: Millis, model: &Model, seed: u64) -> Course {
    let now = now.max(run.now());
    let mut drive = Drive::new(run.clone(), now, model, seed);
    for pending in run.pending() {
        let lasted = now.saturating_sub(pending.flight.started_at).max(0);
        let rest = model.rest(seed, drive.step(pending.unit), pending.unit, lasted);
        drive.ends.push(Reverse((now.saturating_add(rest), pending.unit)));
    }
    drive.finish()
}

impl<'a> Drive<'a> {
    fn new(run: Run, now: Millis, model: &'a Model, seed: u64) -> Self {
        let spec = run.plan().spec();
        let asks = spec.steps.iter().any(|step| matches!(step.work, Work::Approval(_)));
        Self {
            has_people: asks || spec.batches.gate.is_some() || spec.extras.start.is_some(),
            trace: Trace::new(&run, now),
            run,
            model,
            seed,
            now,
            ends: BinaryHeap::new(),
            answers: BTreeSet::new(),
            asked: BTreeSet::new(),
            look_in: 0,
            in_vain: false,
        }
    }

    fn finish(mut self) -> Course {
        loop {
            while self.input(Input::Advance) {}
            self.ask();
            if matches!(self.run.status(), Status::Ended(_)) {
                break;
            }
            let wake = self.run.next_wake().filter(|&at| at > self.now);
            let end = self.ends.peek().map(|&Reverse((at, _))| at);
            let answer = self.answers.first().map(|&(at, _)| at);
            match end.into_iter().chain(answer).chain(wake).min() {
                Some(at) => self.now = self.now.max(at),
                None if self.people() => continue,
                None => break,
            }
            while let Some(&Reverse((at, unit))) = self.ends.peek() {
                if at > self.now {
                    break;
                }
                self.ends.pop();
                self.land(unit);
            }
            while let Some(&(at, gate)) = self.answers.first().filter(|&&(at, _)| at <= self.now) {
                self.answers.remove(&(at, gate));
                self.approve(gate);
            }
        }
        let ended = matches!(self.run.status(), Status::Ended(_));
        Course { run: self.run, trace: self.trace, end: self.now, ended }
    }

    /// The attempt of a unit is over.
    fn land(&mut self, unit: UnitIx) {
        let Some(flight) = self.run.flight(unit) else { return };
        self.in_vain = false;
        let step = self.step(unit);
        // Nothing fails for good: the last attempt that a step allows succeeds.
        let again = flight.attempt < u32::from(self.run.plan().step(step).retry.attempts);
        let refused =
            flight.mode == Mode::Apply && again && self.model.is_refused(self.seed, step, unit, flight.attempt);
        let outcome = if refused {
            let failure = Failure { code: "forecast".into(), message: "drawn".into(), hint: "".into() };
            Outcome::Refused { failure, retry: Advice::Retry }
        } else {
            Outcome::Done { outputs: None }
        };
        self.input(Input::Report { unit, attempt: flight.attempt, mode: flight.mode, outcome });
        self.trace.ended(&self.run, unit, flight.started_at, self.now, !refused);
    }

    /// The one place where people get their time: `expect` of a step that waits for them, no time for other gates.
    ///
    /// Before the first step there is nothing to ask: `stand_in` made attempts of approvals. In a run under way there is.
    /// Looking through what waits costs its number, so the more waits the less often that is done.
    fn ask(&mut self) {
        if !self.has_people || self.look_in > 0 {
            self.look_in = self.look_in.saturating_sub(1);
            return;
        }
        let mut waiting = 0;
        for request in self.run.requests() {
            waiting += 1;
            let took = match request.gate {
                Gate::Unit(unit) => self.model.duration(self.seed, self.step(unit), unit, 1),
                Gate::Start | Gate::Batch(_) => 0,
            };
            let at = request.since.saturating_add(took).max(self.now);
            if self.asked.insert(request.gate) {
                self.answers.insert((at, request.gate));
            }
        }
        self.look_in = waiting / 8;
    }

    fn approve(&mut self, gate: Gate) {
        let plan = self.run.plan().clone();
        let Some(from) = self.run.approval(gate).map(|approval| approval.from.clone()) else { return };
        let groups = plan.spec().extras.approvers.iter().filter(|group| from.contains(&group.name));
        for member in groups.flat_map(|group| &group.members) {
            let (actor, reason, checked) = (member.clone(), "assumed".to_owned(), self.run.checklist(gate).to_vec());
            self.input(Input::Command { actor, reason, command: Command::Approve { gate, checked } });
        }
        if self.run.requests().any(|request| request.gate == gate) {
            // Nobody else may approve what they opened themselves: it stays asked, and is not asked again here.
            return;
        }
        self.asked.remove(&gate);
        self.in_vain = false;
        if let Gate::Unit(unit) = gate {
            let at = self.now;
            self.trace.ended(&self.run, unit, at, at, true);
        }
    }

    /// What people do when nothing goes on without them; says whether that helped.
    ///
    /// Whoever waits for a ruling is ruled done at once, a paused run is continued at once, and a shared pool is lent.
    fn people(&mut self) -> bool {
        self.look_in = 0;
        self.ask();
        let mut answered = !self.answers.is_empty();
        let units: Vec<UnitIx> = self.run.for_operator().collect();
        for unit in units {
            answered |= self.command(Command::Rule { unit, ruling: Ruling::Done });
        }
        // A decision that nobody can give pauses the run each time that it lapses: to go on once more is enough.
        if matches!(self.run.status(), Status::Paused { .. }) && !self.in_vain {
            answered |= self.command(Command::Continue);
            self.in_vain = true;
        }
        for pool in self.run.shared_pools().into_iter().filter(|pool| pool.wanted > pool.used) {
            let (instance, slots) = (pool.instance, pool.limit);
            answered |= self.input(Input::Grant { instance, slots, sharers: 1 });
        }
        answered
    }

    fn command(&mut self, command: Command) -> bool {
        self.input(Input::Command { actor: "forecast".to_owned(), reason: "assumed".to_owned(), command })
    }

    /// Decides and applies; says whether anything happened.
    fn input(&mut self, input: Input) -> bool {
        let assumed = Assumed { model: self.model, seed: self.seed };
        let Ok(events) = self.run.decide(self.now, input, &assumed) else { return false };
        let mut happened = false;
        for event in events {
            let record = Record { at: self.now, event };
            if self.run.apply(&record).is_err() {
                return false;
            }
            happened = true;
            self.note(&record.event);
        }
        happened
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Started { unit, attempt, .. } => {
                let took = self.model.duration(self.seed, self.step(*unit), *unit, *attempt);
                self.ends.push(Reverse((self.now.saturating_add(took), *unit)));
                self.trace.started(&self.run, *unit, self.now);
            }
            Event::BatchOpened { batch } => self.trace.batch_opened(self.run.plan(), *batch, self.now),
            Event::Closing { .. } => self.trace.closing(self.now),
            Event::BatchSettled { batch } => self.trace.batch_settled(&self.run, *batch, self.now),
            Event::SiteEnded { site, end: SiteEnd::Returned | SiteEnd::Degraded } => {
                self.trace.back.push((self.now, *site));
            }
            _ => {}
        }
    }

    fn step(&self, unit: UnitIx) -> StepIx {
        self.run.unit_at(unit).map_or(StepIx(0), |(node, _)| self.run.plan().node_at(node).0)
    }
}

/// Answers for expressions that need outputs, which a forecast does not have.
struct Assumed<'a> {
    model: &'a Model,
    seed: u64,
}

impl Evaluator for Assumed<'_> {
    fn condition(&self, _: &Plan, step: StepIx, key: KeyIx, _: &dyn Outputs) -> Result<bool, EvalError> {
        Ok(self.model.holds(self.seed, step, key.0))
    }

    fn items(&self, _: &Plan, step: StepIx, key: KeyIx, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        Ok((0..self.model.items(self.seed, step, key.0)).map(|item| item.to_string()).collect())
    }

    fn with(&self, _: &Plan, _: Target<'_>, _: &dyn Outputs) -> Result<serde_json::Value, EvalError> {
        Ok(serde_json::Value::Null)
    }

    fn labels(&self, _: &Plan, _: Target<'_>, _: &dyn Outputs) -> Result<Vec<String>, EvalError> {
        Ok(Vec::new())
    }
}
