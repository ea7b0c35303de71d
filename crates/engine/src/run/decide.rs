//! What follows from an input: pure, and free to refuse.

use crate::evaluator::{EvalError, Evaluator};
use crate::event::{Event, Failure, Mode, Then};
use crate::ids::{BatchIx, Millis, NodeIx, SiteIx, StepIx, UnitIx};
use crate::input::{Advice, Input, Outcome, Rejection};
use crate::plan::{Backoff, ForEach, Retry, When};
use crate::run::Run;
use crate::run::tables::{DECIDED, FAILED, Flight, UnitState};
use crate::seeded::mix;

/// Site ends decided at once; a bound on the size of one answer.
const ENDS_AT_ONCE: usize = 256;

impl Run {
    /// Decides what an input leads to, at a time. The events are to be applied in order, each with this time.
    ///
    /// `Advance` answers with whatever comes next and is to be repeated until it answers nothing.
    ///
    /// # Errors
    /// If the input does not apply to the run as it is.
    pub fn decide(&self, at: Millis, input: Input, evaluator: &dyn Evaluator) -> Result<Vec<Event>, Rejection> {
        if let Input::Open { actor } = input {
            if self.opened_at.is_some() {
                return Err(Rejection::AlreadyOpen);
            }
            return Ok(vec![Event::Opened { actor: actor.into(), plan: self.plan.hash().into() }]);
        }
        if self.opened_at.is_none() {
            return Err(Rejection::NotOpen);
        }
        match input {
            Input::Advance => Ok(self.advance(at, evaluator)),
            Input::Report { unit, attempt, mode, outcome } => {
                self.is_in_flight(unit, attempt, mode)?;
                Ok(vec![self.report(at, unit, mode, outcome)])
            }
            Input::NotBegun { unit, attempt, mode } => {
                self.is_in_flight(unit, attempt, mode)?;
                Ok(vec![Event::NotBegun { unit, then: self.after_nothing(at, unit, mode) }])
            }
            Input::Command { command: crate::input::Command::Approve { gate, .. }, .. }
                if self.has_lapsed(gate, at) =>
            {
                Err(Rejection::NotNow("the time for this approval is over"))
            }
            Input::Command { actor, reason, command } if self.end.is_none() || Self::reopens(&command) => {
                self.command(actor.into(), reason.into(), command)
            }
            _ if self.end.is_some() => Err(Rejection::Ended),
            Input::Adopt { epoch, holder } => {
                if epoch <= self.epoch {
                    return Err(Rejection::OldEpoch { epoch, current: self.epoch });
                }
                Ok(vec![Event::Adopted { epoch, holder: holder.into() }])
            }
            Input::Grant { instance, slots, sharers } => {
                if !self.ready.is_shared(instance) {
                    return Err(Rejection::NotInPlan("a shared pool of that number"));
                }
                let same = self.ready.granted(instance) == (slots, sharers);
                Ok(if same { Vec::new() } else { vec![Event::Granted { instance, slots, sharers }] })
            }
            Input::Command { .. } | Input::Open { .. } => Err(Rejection::AlreadyOpen),
        }
    }

    fn advance(&self, at: Millis, evaluator: &dyn Evaluator) -> Vec<Event> {
        if self.end.is_some() {
            return Vec::new();
        }
        if self.clock_due().is_some_and(|due| due <= at) {
            return vec![Event::Clock];
        }
        if let Some(event) = self.lapsed(at) {
            return vec![event];
        }
        if !self.to_close.is_empty() {
            return self.to_close.iter().take(ENDS_AT_ONCE).map(|&site| self.close(site)).collect();
        }
        if let Some(&batch) = self.over_budget.first() {
            return vec![Event::BudgetExceeded { batch }];
        }
        if let Some(event) = self.next_of_batches(at) {
            return vec![event];
        }
        if !self.starts_nothing() {
            if let Some(&node) = self.undecided.first() {
                return vec![self.evaluate(node, evaluator)];
            }
            if let Some(unit) = self.ready.first() {
                let row = self.units[unit.ix()];
                return vec![Event::Started { unit, attempt: row.attempts + 1, mode: row.next_mode() }];
            }
        }
        if self.is_ending()
            && let Some(event) = self.next_probe()
        {
            return vec![event];
        }
        self.finish().into_iter().collect()
    }

    /// While the run is ending, units in doubt are still asked, so that their truth is known, and what is being taken
    /// back is.
    fn next_probe(&self) -> Option<Event> {
        if self.starts_nothing() && self.halt == Some(crate::run::Halt::Unwinding) {
            // All of it will be taken back as soon as nothing is in flight.
            return None;
        }
        let unit = self.to_probe.iter().copied().find(|&unit| {
            let (step, key) = self.step_key(unit);
            self.unit_state(unit) == Some(UnitState::Ready) && self.ready.held_by(&self.plan, step, key).is_none()
        })?;
        let row = self.units[unit.ix()];
        Some(Event::Started { unit, attempt: row.attempts + 1, mode: row.next_mode() })
    }

    fn close(&self, site: SiteIx) -> Event {
        Event::SiteEnded { site, end: self.end_of(site) }
    }

    /// The batch that is open is settled, or the next one opens.
    fn next_of_batches(&self, at: Millis) -> Option<Event> {
        let current = self.settled_batches;
        let row = self.batches.get(current)?;
        let batch = BatchIx::from(current);
        if row.opened_at.is_some() {
            let settled = row.open_sites == 0 && row.open_nodes == 0;
            return settled.then_some(Event::BatchSettled { batch });
        }
        let due = self.opens_at()?;
        let opens = self.halt.is_none() && due <= at && self.batch_is_approved(batch);
        opens.then_some(Event::BatchOpened { batch })
    }

    /// When the next batch may open: at once for the first, after the soak for others; `None` while one is open.
    pub(super) fn opens_at(&self) -> Option<Millis> {
        let current = self.settled_batches;
        if self.batches.get(current)?.opened_at.is_some() || !self.begun {
            return None;
        }
        if current == 0 {
            return Some(Millis::MIN);
        }
        let soak = Millis::try_from(self.plan.spec().batches.soak_ms).unwrap_or(Millis::MAX);
        self.batches[current - 1].settled_at.map(|settled| settled.saturating_add(soak))
    }

    fn evaluate(&self, node: NodeIx, evaluator: &dyn Evaluator) -> Event {
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        let decided = self.nodes[node.ix()].marks & DECIDED != 0;
        if matches!(spec.when, When::Later(_)) && !decided {
            return match evaluator.condition(&self.plan, step, key, self) {
                Ok(runs) => Event::Decided { node, runs },
                Err(error) => unevaluable(node, error),
            };
        }
        match &spec.for_each {
            ForEach::Later(_) => match evaluator.items(&self.plan, step, key, self) {
                Ok(items) => Event::Expanded { node, items: items.into_iter().map(String::into_boxed_str).collect() },
                Err(error) => unevaluable(node, error),
            },
            ForEach::Once | ForEach::Planned { .. } => Event::Decided { node, runs: true },
        }
    }

    fn is_in_flight(&self, unit: UnitIx, attempt: u32, mode: Mode) -> Result<(), Rejection> {
        let is_it = |flight: Flight| flight.attempt == attempt && flight.mode == mode;
        match self.flights.get(unit).is_some_and(is_it) {
            true => Ok(()),
            false => Err(Rejection::Stale { unit: unit.0, attempt }),
        }
    }

    fn report(&self, at: Millis, unit: UnitIx, mode: Mode, outcome: Outcome) -> Event {
        let (step, _) = self.step_key(unit);
        match outcome {
            Outcome::Done { outputs } => {
                Event::Succeeded { unit, outputs: outputs.filter(|_| self.plan.keeps_outputs(step)) }
            }
            Outcome::Refused { failure, retry } => {
                let then = self.after_refusal(at, unit, step, mode, retry);
                Event::Refused { unit, failure: failure.into(), then }
            }
            Outcome::Unknown { failure } => {
                let then = self.after_doubt(at, unit, step, mode);
                Event::InDoubt { unit, failure: failure.into(), then }
            }
        }
    }

    /// What follows an attempt that surely changed nothing, or a probe that found nothing there.
    fn after_refusal(&self, at: Millis, unit: UnitIx, step: StepIx, mode: Mode, advice: Advice) -> Then {
        let retry = self.plan.step(step).retry;
        let failures = self.units[unit.ix()].failures.saturating_add(u16::from(!mode.is_probe()));
        let wait = self.delay(retry, unit, failures.max(1));
        let wait = match advice {
            Advice::Retry => wait,
            Advice::RetryAfter(least) => wait.max(least),
            // "Never" from a probe means "surely not there", which is no reason against applying again.
            Advice::Never if !mode.is_probe() => return Then::GiveUp,
            Advice::Never => wait,
        };
        if failures >= retry.attempts {
            return Then::GiveUp;
        }
        if self.is_over_for(unit) {
            return Then::Drop;
        }
        Then::ApplyAt(at.saturating_add(Millis::try_from(wait).unwrap_or(Millis::MAX)))
    }

    /// What follows an attempt that nobody began: the same again, as if it had never been sent out.
    fn after_nothing(&self, at: Millis, unit: UnitIx, mode: Mode) -> Then {
        match mode.is_probe() {
            true => Then::ProbeAt(at),
            false if self.is_over_for(unit) => Then::Drop,
            false => Then::ApplyAt(at),
        }
    }

    /// What follows an attempt whose effect is not known: probe it, apply it again if that is safe, else ask.
    fn after_doubt(&self, at: Millis, unit: UnitIx, step: StepIx, mode: Mode) -> Then {
        let retry = self.plan.step(step).retry;
        let failures = self.units[unit.ix()].failures.saturating_add(1);
        let wait = Millis::try_from(self.delay(retry, unit, failures)).unwrap_or(Millis::MAX);
        let due = at.saturating_add(wait);
        let Some(action) = self.action_of(unit) else { return Then::Park };
        match mode.is_probe() {
            false if action.has_probe => Then::ProbeAt(due),
            true if failures < retry.attempts.saturating_mul(2) => Then::ProbeAt(due),
            _ if !action.idempotent => Then::Park,
            _ if failures >= retry.attempts => Then::GiveUp,
            _ if self.is_over_for(unit) => Then::Drop,
            _ => Then::ApplyAt(due),
        }
    }

    /// Whether nothing more is to be applied for the unit: its site is out, its node failed, or the run is ending.
    fn is_over_for(&self, unit: UnitIx) -> bool {
        let (step, key) = self.step_key(unit);
        let failed = self.nodes[self.plan.node(step, key).ix()].marks & FAILED != 0;
        let spec = self.plan.step(step);
        let out = spec.scope == crate::plan::Scope::Site && !spec.finally && self.sites[key.ix()].is_out();
        let ending = if spec.finally { false } else { self.is_ending() };
        !self.units[unit.ix()].is_undoing() && (out || failed || ending)
    }

    /// Delay before the next attempt in milliseconds: the policy's, times a factor from 1/2 to 1 that is derived from
    /// unit and attempt, so that units that failed together do not come back together and a replay gives the same.
    fn delay(&self, retry: Retry, unit: UnitIx, failures: u16) -> u64 {
        let grown = match retry.backoff {
            Backoff::Constant => retry.delay_ms,
            Backoff::Exponential => {
                let doublings = u32::from(failures.saturating_sub(1)).min(63);
                retry.delay_ms.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX))
            }
        };
        let delay = grown.min(retry.max_delay_ms);
        let jitter = mix(u64::from(unit.0) << 32 | u64::from(self.units[unit.ix()].attempts)) % 512;
        (delay / 1024).saturating_mul(512 + jitter) + (delay % 1024) * (512 + jitter) / 1024
    }

    /// Earliest time at which a back-off or a rate is over.
    pub(super) fn clock_due(&self) -> Option<Millis> {
        let backoff = self.backoff.first().map(|&(due, _)| due);
        let rate = self.ready.next_due();
        backoff.into_iter().chain(rate).chain(self.probe_due()).min()
    }

    /// When a rate lets the next probe or undo of an ending run go: those are not started in the order of the rest, for
    /// which the rate keeps its own time.
    fn probe_due(&self) -> Option<Millis> {
        if !self.is_ending() {
            return None;
        }
        let ready = self.to_probe.iter().filter(|&&unit| self.unit_state(unit) == Some(UnitState::Ready));
        let due = ready.filter_map(|&unit| {
            let (step, key) = self.step_key(unit);
            self.ready.next_start(self.ready.held_by(&self.plan, step, key)?)
        });
        due.min()
    }

    /// State of a unit; `None` outside the plan.
    #[must_use]
    pub fn unit_state(&self, unit: UnitIx) -> Option<UnitState> {
        self.units.get(unit.ix()).map(|row| row.state)
    }
}

fn unevaluable(node: NodeIx, error: EvalError) -> Event {
    let failure = Failure { code: error.code.into(), message: error.message.into(), hint: error.hint.into() };
    Event::Unevaluable { node, failure: failure.into() }
}
