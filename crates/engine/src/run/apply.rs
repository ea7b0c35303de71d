//! The only mutation of a run: one event, one change. A record that does not fit is refused and changes nothing.

use crate::event::{Event, Failure, Mode, Record, Ruling, SiteEnd, Then};
use crate::ids::{BatchIx, Millis, NodeIx, SiteIx, UnitIx};
use crate::input::Misfit;
use crate::plan::{ActionUse, OnExceeded};
use crate::run::tables::{Flight, UnitState};
use crate::run::{Halt, Run};

impl Run {
    /// Applies one record.
    ///
    /// # Errors
    /// If the record does not fit the run as it is: it belongs to another plan or was written by a newer version. The
    /// run is unchanged then.
    pub fn apply(&mut self, record: &Record) -> Result<(), Misfit> {
        self.fits(&record.event)?;
        let at = record.at.max(self.now);
        self.now = at;
        self.ready.advance(at);
        match &record.event {
            Event::Opened { actor, .. } => self.open(at, actor),
            Event::Adopted { epoch, .. } => self.adopt(*epoch),
            Event::Clock => self.ring(at),
            Event::Started { unit, attempt, mode } => self.start(*unit, *attempt, *mode, at),
            Event::Succeeded { unit, outputs } => self.succeed(*unit, outputs.clone()),
            Event::Refused { unit, failure, then } => self.fall_short(*unit, failure, *then, false),
            Event::InDoubt { unit, failure, then } => self.fall_short(*unit, failure, *then, true),
            Event::NotBegun { unit, then } => self.not_begun(*unit, *then),
            Event::Decided { node, runs } => self.decided(*node, *runs),
            Event::Expanded { node, items } => self.expand(*node, items),
            Event::Unevaluable { node, failure } => {
                self.unevaluable.insert(*node, failure.clone());
                self.fail_node(*node);
            }
            Event::BatchOpened { batch } => self.open_batch(*batch, at),
            Event::BatchSettled { batch } => {
                self.batches[batch.ix()].settled_at = Some(at);
                self.settled_batches = batch.ix() + 1;
                self.ask_for_batch(BatchIx(batch.0 + 1));
            }
            Event::BudgetExceeded { batch } => self.exceed(*batch),
            Event::SiteEnded { site, end } => self.end_site(*site, *end),
            Event::Paused { actor, reason } => {
                self.halt = Some(Halt::Paused { actor: actor.clone(), reason: reason.clone() });
            }
            Event::Continued { .. } => {
                self.halt = None;
                self.ask_again();
                // The budgets hold again from here: a further failure is noticed.
                self.batches.iter_mut().for_each(|batch| batch.noted = false);
            }
            Event::Cancelled { .. } => self.halt = Some(Halt::Cancelling),
            Event::Ended { end } => self.end = Some(*end),
            Event::Ruled { unit, ruling, .. } => self.rule(*unit, *ruling),
            Event::Approved { gate, actor, .. } => self.approve(*gate, actor),
            Event::Rejected { gate, actor, reason } => self.reject(*gate, format!("rejected by {actor}: {reason}")),
            Event::Lapsed { gate } => self.lapse(*gate),
            Event::Retried { what, .. } => self.again(*what),
            Event::Overruled { node, item, how, .. } => self.decree(*node, *item, how),
            Event::TakenOut { site, how, .. } => self.take_out(*site, *how),
            Event::SiteAdopted { site, from, units, .. } => self.adopt_site(*site, from, units),
            Event::PoolSet { pool, slots, .. } => {
                self.pool_sizes.insert(*pool, *slots);
                self.ready.resize(&self.plan, *pool, *slots);
            }
            Event::Granted { instance, slots, sharers } => self.ready.grant(*instance, *slots, *sharers),
            Event::Unwinding { .. } => {
                self.end = None;
                self.closing = None;
                self.unwind = None;
                self.halt = Some(Halt::Unwinding);
                self.unwind_if_quiet();
            }
            Event::Closing { end } => self.begin_finally(*end),
            Event::Amended { plan, .. } => self.amend(plan),
        }
        self.propagate();
        Ok(())
    }

    /// A new driver: whatever was in flight may or may not have had its effect.
    fn adopt(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.ready.forget_grants();
        for unit in self.flights.take() {
            let (step, key) = self.step_key(unit);
            self.ready.give_back(&self.plan, step, key);
            let row = &mut self.units[unit.ix()];
            row.set_may_have_acted();
            row.set_in_doubt(true);
            let (has_probe, idempotent) =
                self.action_of(unit).map_or((false, false), |action| (action.has_probe, action.idempotent));
            self.units[unit.ix()].set_probe_next(has_probe);
            if has_probe || idempotent {
                self.make_ready(unit);
            } else {
                self.park(unit);
            }
            self.begin_undo_if_over(unit);
        }
        self.unwind_if_quiet();
    }

    /// The action that a unit's next attempt calls: the step's, or its undo.
    pub(super) fn action_of(&self, unit: UnitIx) -> Option<&ActionUse> {
        let (step, _) = self.step_key(unit);
        if self.units[unit.ix()].is_undoing() { self.plan.step(step).undo.as_ref() } else { self.plan.action(step) }
    }

    /// Begins what waits for the last attempt of a site, or of the run, to land.
    fn begin_undo_if_over(&mut self, unit: UnitIx) {
        if self.undo_wanted.is_empty() {
            return;
        }
        if let Some(site) = self.unit_at(unit).and_then(|(node, _)| self.site_of(node))
            && self.undo_wanted.contains(&site)
        {
            self.begin_undo_if_quiet(site);
        }
    }

    /// Lets go what was waiting for this time.
    fn ring(&mut self, at: Millis) {
        while let Some(&(due, unit)) = self.backoff.first() {
            if due > at {
                break;
            }
            self.backoff.pop_first();
            self.due.remove(&unit);
            self.make_ready(unit);
        }
    }

    fn start(&mut self, unit: UnitIx, attempt: u32, mode: Mode, at: Millis) {
        let (step, key) = self.step_key(unit);
        self.ready.start(&self.plan, step, key, unit);
        self.to_probe.remove(&unit);
        let row = &mut self.units[unit.ix()];
        row.state = UnitState::Running;
        row.attempts = attempt;
        let timeout = Millis::try_from(self.plan.step(step).timeout_ms).unwrap_or(Millis::MAX);
        let flight = Flight { attempt, mode, started_at: at, deadline: at.saturating_add(timeout) };
        self.flights.insert(unit, flight);
    }

    /// Ends the flight of a unit and gives its slots back.
    fn land(&mut self, unit: UnitIx) -> Mode {
        let (step, key) = self.step_key(unit);
        self.ready.give_back(&self.plan, step, key);
        self.flights.remove(unit).map_or(Mode::Apply, |flight| flight.mode)
    }

    fn succeed(&mut self, unit: UnitIx, outputs: Option<Box<str>>) {
        self.land(unit);
        if self.units[unit.ix()].is_undoing() {
            self.undone(unit);
        } else {
            self.done(unit, outputs);
        }
        self.begin_undo_if_over(unit);
        self.unwind_if_quiet();
    }

    pub(super) fn done(&mut self, unit: UnitIx, outputs: Option<Box<str>>) {
        let row = &mut self.units[unit.ix()];
        row.set_may_have_acted();
        row.set_in_doubt(false);
        self.failures.remove(&unit);
        if let Some(outputs) = outputs {
            self.outputs.insert(unit, outputs);
        }
        self.settle_unit(unit, UnitState::Succeeded);
    }

    fn fall_short(&mut self, unit: UnitIx, failure: &Failure, then: Then, doubt: bool) {
        let mode = self.land(unit);
        let row = &mut self.units[unit.ix()];
        // A probe that finds nothing there settles the doubt and is no failure of the step.
        if doubt || !mode.is_probe() {
            row.failures = row.failures.saturating_add(1);
        }
        if doubt {
            row.set_may_have_acted();
        }
        row.set_in_doubt(doubt || (row.in_doubt() && !mode.is_probe()));
        self.failures.insert(unit, Box::new(failure.clone()));
        self.follow(unit, then);
    }

    /// What may have been done before is as it was: neither more nor less is known.
    fn not_begun(&mut self, unit: UnitIx, then: Then) {
        self.land(unit);
        self.follow(unit, then);
    }

    fn follow(&mut self, unit: UnitIx, then: Then) {
        match then {
            Then::ApplyAt(due) => self.back_off(unit, due, false),
            Then::ProbeAt(due) => self.back_off(unit, due, true),
            Then::GiveUp => self.give_up(unit),
            Then::Park => self.park(unit),
            Then::Drop => self.settle_unit(unit, UnitState::Cancelled),
        }
        self.begin_undo_if_over(unit);
        self.unwind_if_quiet();
    }

    fn back_off(&mut self, unit: UnitIx, due: Millis, probe: bool) {
        let row = &mut self.units[unit.ix()];
        row.set_probe_next(probe);
        if due <= self.now {
            self.make_ready(unit);
            return;
        }
        row.state = UnitState::Backoff;
        self.list_probe(unit);
        self.backoff.insert((due, unit));
        self.due.insert(unit, due);
    }

    pub(super) fn park(&mut self, unit: UnitIx) {
        self.units[unit.ix()].state = UnitState::Parked;
        self.list_probe(unit);
        self.waiting_for_operator.insert(unit);
    }

    fn rule(&mut self, unit: UnitIx, ruling: Ruling) {
        self.unlist(unit);
        let (step, key) = self.step_key(unit);
        let undoing = self.units[unit.ix()].is_undoing();
        match ruling {
            Ruling::Done if undoing => self.undone(unit),
            Ruling::Done => self.done(unit, None),
            // It surely did not act, and what it belongs to does not go on.
            Ruling::Again if !undoing && self.is_given_up(unit) => {
                self.units[unit.ix()].set_in_doubt(false);
                self.settle_unit(unit, UnitState::Cancelled);
            }
            Ruling::Again => {
                let row = &mut self.units[unit.ix()];
                row.failures = 0;
                row.set_probe_next(false);
                if self.plan.action(step).is_none() {
                    self.go(unit);
                } else {
                    self.make_ready(unit);
                }
            }
            Ruling::GiveUp if undoing => self.leave(unit),
            Ruling::GiveUp => self.fail_unit(unit, step, key),
        }
    }

    /// Whether a unit is not applied any more: its site is out, or its node has failed.
    pub(super) fn is_given_up(&self, unit: UnitIx) -> bool {
        let Some((node, _)) = self.unit_at(unit) else { return false };
        let finally = self.plan.step(self.plan.node_at(node).0).finally;
        let out = self.site_of(node).is_some_and(|site| !finally && self.sites[site.ix()].is_out());
        out || self.nodes[node.ix()].marks & crate::run::tables::FAILED != 0
    }

    fn decided(&mut self, node: NodeIx, runs: bool) {
        if runs {
            let (step, _) = self.plan.node_at(node);
            if !matches!(self.plan.step(step).for_each, crate::plan::ForEach::Later(_)) {
                self.undecided.remove(&node);
                self.activate(node);
            }
            self.nodes[node.ix()].marks |= crate::run::tables::DECIDED;
        } else {
            self.undecided.remove(&node);
            self.skip(node);
        }
    }

    fn expand(&mut self, node: NodeIx, items: &[Box<str>]) {
        self.undecided.remove(&node);
        let start = self.plan.unit_count() + u32::try_from(self.grown.len()).unwrap_or(0);
        let len = u32::try_from(items.len()).unwrap_or(0);
        self.grown_of.insert(node, (start, len));
        self.grown.extend(items.iter().map(|item| (node, item.clone())));
        self.units.resize((start + len) as usize, crate::run::tables::UnitRow::NEW);
        self.activate(node);
    }

    fn exceed(&mut self, batch: BatchIx) {
        self.over_budget.remove(&batch);
        self.batches[batch.ix()].noted = true;
        match self.plan.spec().batches.on_exceeded {
            OnExceeded::Abort => self.abort(),
            // Also over an operator's pause: whoever continues must see why it would have paused.
            OnExceeded::Pause if !self.is_ending() => {
                let reason = format!("batch {} has more quarantined sites than its budget", batch.0 + 1);
                self.halt = Some(Halt::Paused { actor: "failure budget".into(), reason: reason.into() });
            }
            OnExceeded::Pause => {}
        }
    }

    fn end_site(&mut self, site: SiteIx, end: SiteEnd) {
        self.to_close.remove(&site);
        let batch = self.plan.batch_of(site);
        match self.sites[site.ix()].end.replace(end) {
            None => self.batches[batch.ix()].open_sites -= 1,
            Some(before) => *self.ended_sites.of(before) -= 1,
        }
        *self.ended_sites.of(end) += 1;
    }
}

impl crate::run::Ended {
    pub(super) fn of(&mut self, end: SiteEnd) -> &mut u32 {
        match end {
            SiteEnd::Returned => &mut self.returned,
            SiteEnd::Degraded => &mut self.degraded,
            SiteEnd::Quarantined => &mut self.quarantined,
            SiteEnd::Undone => &mut self.undone,
            SiteEnd::Excluded => &mut self.excluded,
            SiteEnd::Released => &mut self.released,
        }
    }
}
