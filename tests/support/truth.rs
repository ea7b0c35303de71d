//! The laws of a run, each by the plainest statement over public views: who may start and when, what follows a failure,
//! what halts a run and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    Advice, Backoff, BatchIx, Evaluator, Event, ForEach, Gate, KeyIx, Millis, Mode, OnExceeded, OnFailure, OnLapse,
    Record, Ruling, Run, RunEnd, Scope, SiteEnd, SiteIx, Status, Then, UnitIx, UnitState, Wait, When, Work,
};

use crate::amend::Moved;
use crate::oracle::Oracle;
use crate::turns::Turns;
use crate::verdict::{self, Fate, Spot, batch_is_over, is_ending, need, out_of};

/// What was seen of a run, apart from its own state.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Advice of the report that is decided; `None` for other inputs and while a journal is read.
    pub advice: Option<Advice>,
    settled_at: BTreeMap<BatchIx, Millis>,
    exceeded: BTreeSet<BatchIx>,
    /// Sites of a batch that were out when the operator let the run go on over its budget.
    forgiven: BTreeMap<BatchIx, usize>,
    ending: Option<RunEnd>,
    failures: BTreeMap<UnitIx, u32>,
    due: BTreeMap<UnitIx, Millis>,
    to_probe: BTreeSet<UnitIx>,
    starts: BTreeMap<(u16, KeyIx), Vec<Millis>>,
    flights: Vec<UnitIx>,
    /// Units whose present life is an undo.
    undoing: BTreeSet<UnitIx>,
    /// Units whose undo the unwinding of the run has begun.
    unwound: BTreeSet<UnitIx>,
    approvals: BTreeMap<Gate, BTreeSet<String>>,
    batches_approved: BTreeSet<BatchIx>,
    states: Vec<Option<UnitState>>,
    /// A unit that a ruling settles, and that would not be applied again.
    over: Option<UnitIx>,
    /// The run before an amendment.
    former: Option<Run>,
}

impl Truth {
    /// Checks an event against the run before it.
    ///
    /// # Errors
    /// Names the law that would break.
    pub fn before(&mut self, run: &Run, record: &Record) -> Result<(), String> {
        let at = record.at;
        match &record.event {
            Event::SiteEnded { site, end } => {
                // What degraded a site may be a shared step that is being taken back already.
                let back = [SiteEnd::Returned, SiteEnd::Degraded].contains(end) && run.status() == Status::Unwinding;
                need(back || Fate::of(run, *site).end(run, *site) == *end, "a site's end is not its fate")?
            }
            Event::BatchOpened { batch } => self.opens(run, *batch, at)?,
            Event::BatchSettled { batch } => {
                need(batch_is_over(run, *batch), "a batch settles before its sites")?;
                self.settled_at.insert(*batch, at);
            }
            Event::BudgetExceeded { batch } => {
                let most = run.plan().spec().batches.max_failures[batch.ix()] as usize;
                need(out_of(run, *batch) > most, "a budget is exceeded that holds")?;
                self.exceeded.insert(*batch);
                if run.plan().spec().batches.on_exceeded == OnExceeded::Abort {
                    self.aborts();
                }
            }
            Event::Continued { .. } => {
                for batch in std::mem::take(&mut self.exceeded) {
                    self.forgiven.insert(batch, out_of(run, batch));
                }
            }
            Event::Cancelled { .. } => self.ending = self.ending.or(Some(RunEnd::Cancelled)),
            Event::Unwinding { .. } => {
                self.ending = Some(RunEnd::Cancelled);
                self.unwound.clear();
            }
            Event::Approved { gate, actor, .. } => {
                let due = run.requests().find(|request| request.gate == *gate).and_then(|request| request.due);
                need(due.is_none_or(|due| at < due), "an approval counts that came too late")?;
                self.approved(run, *gate, actor)?;
            }
            Event::Rejected { gate, .. } => self.shut(run, *gate),
            Event::Lapsed { gate } => {
                let request =
                    run.requests().find(|request| request.gate == *gate).ok_or("a gate lapses that is shut")?;
                need(request.due.is_some_and(|due| due <= at), "a gate lapses before its time")?;
                if request.approval.on_timeout == OnLapse::Reject {
                    self.shut(run, *gate);
                }
            }
            Event::Amended { .. } => self.former = Some(run.clone()),
            Event::Retried { .. } | Event::Overruled { .. } | Event::TakenOut { .. } | Event::SiteAdopted { .. } => {
                self.states = (0..).map(|unit| run.unit_state(UnitIx(unit))).take_while(Option::is_some).collect();
            }
            Event::Adopted { .. } => {
                self.flights = run.pending().map(|pending| pending.unit).collect();
                for &unit in &self.flights {
                    if Spot::of(run, unit)?.action.is_some_and(|action| action.has_probe) {
                        self.to_probe.insert(unit);
                    }
                }
            }
            Event::Ruled { unit, .. } => {
                let spot = Spot::of(run, *unit)?;
                let out = spot.site().is_some_and(|site| Fate::of(run, site).is_out());
                let failed = verdict::units(run, spot.node).contains(&UnitState::Failed);
                self.over = (!spot.undo && (out || failed)).then_some(*unit);
                self.failures.remove(unit);
                self.due.remove(unit);
                self.to_probe.remove(unit);
            }
            Event::Started { unit, mode, .. } => self.starts(run, &Spot::of(run, *unit)?, *mode, at)?,
            Event::Succeeded { unit, outputs } => {
                let kept = Spot::of(run, *unit)?.spec.keeps_outputs;
                let applied = run.flight(*unit).is_some_and(|flight| flight.mode == Mode::Apply);
                need(!applied || outputs.is_some() == kept, "outputs are kept that are not read, or lost")?;
            }
            Event::Refused { unit, then, .. } => self.falls_short(run, &Spot::of(run, *unit)?, *then, false, at)?,
            Event::InDoubt { unit, then, .. } => self.falls_short(run, &Spot::of(run, *unit)?, *then, true, at)?,
            Event::NotBegun { unit, then } => self.never_began(run, &Spot::of(run, *unit)?, *then, at)?,
            Event::Ended { end } => verdict::check_end(run, *end, self.ending)?,
            _ => {}
        }
        Ok(())
    }

    /// Checks the run after an event.
    ///
    /// # Errors
    /// Names the law that is broken.
    pub fn after(&mut self, run: &Run, record: &Record) -> Result<(), String> {
        if let Some(former) = self.former.take() {
            amends(&former, run)?;
            self.carry(&former, run);
        }
        for (unit, before) in std::mem::take(&mut self.states).into_iter().enumerate() {
            let unit = UnitIx(unit as u32);
            let anew = run.failed_attempts(unit) == 0 && self.failures.get(&unit).is_some_and(|&count| count > 0);
            if run.unit_state(unit) != before || anew {
                self.forget(unit);
            }
        }
        match &record.event {
            Event::Refused { unit, then: Then::GiveUp, .. } | Event::InDoubt { unit, then: Then::GiveUp, .. } => {
                let spot = Spot::of(run, *unit)?;
                if self.undoing.contains(unit) {
                    // The taking back of the run, which may have waited for it only, begins it anew.
                    let stuck = run.unit_state(*unit) == Some(UnitState::Stuck);
                    return need(stuck || run.status() == Status::Unwinding, "an undo that failed is not stuck");
                }
                if spot.spec.finally { Ok(()) } else { self.obeys(run, spot.spec.on_failure) }
            }
            Event::Refused { unit, then: Then::Drop, .. }
            | Event::InDoubt { unit, then: Then::Drop, .. }
            | Event::NotBegun { unit, then: Then::Drop } => {
                let undone = run.next_mode(*unit).is_undo();
                let dropped = run.unit_state(*unit) == Some(UnitState::Cancelled);
                need(dropped || undone, "a dropped unit is not cancelled")
            }
            Event::Unevaluable { node, .. } => {
                let step = run.plan().step(run.plan().node_at(*node).0);
                if step.finally { Ok(()) } else { self.obeys(run, step.on_failure) }
            }
            Event::BudgetExceeded { .. } => {
                let by_budget = matches!(run.status(), Status::Paused { actor, .. } if actor == "failure budget");
                let pauses = run.plan().spec().batches.on_exceeded == OnExceeded::Pause;
                need(is_ending(run) || (pauses && by_budget), "an exceeded budget does not say that it halts the run")
            }
            Event::Rejected { gate: Gate::Unit(unit), .. } => self.obeys(run, Spot::of(run, *unit)?.spec.on_failure),
            Event::Lapsed { gate: Gate::Unit(unit) } => {
                let spot = Spot::of(run, *unit)?;
                let rejects = matches!(&spot.spec.work, Work::Approval(asked) if asked.on_timeout == OnLapse::Reject);
                if rejects { self.obeys(run, spot.spec.on_failure) } else { Ok(()) }
            }
            Event::Continued { .. } => {
                need(matches!(run.status(), Status::Running | Status::Closing), "the run does not go on")
            }
            Event::Started { unit, .. } => {
                let flight = run.flight(*unit).ok_or("a start without a flight")?;
                let timeout = Spot::of(run, *unit)?.spec.timeout_ms as Millis;
                need(flight.deadline == flight.started_at + timeout, "a deadline is not the step's")
            }
            Event::Ruled { unit, ruling, .. } => {
                let follows: &[UnitState] = match ruling {
                    Ruling::Done => &[UnitState::Succeeded, UnitState::Undone],
                    Ruling::Again if self.over.take() == Some(*unit) => &[UnitState::Cancelled],
                    Ruling::Again => &[UnitState::Ready, UnitState::Asked],
                    Ruling::GiveUp => &[UnitState::Failed],
                };
                let state = run.unit_state(*unit).ok_or("unknown unit")?;
                need(follows.contains(&state), "a ruling is not followed")
            }
            Event::Adopted { .. } => {
                std::mem::take(&mut self.flights).into_iter().try_for_each(|unit| taken_up(run, unit))
            }
            _ => Ok(()),
        }
    }

    /// Follows units and pools of an amended plan.
    fn carry(&mut self, before: &Run, after: &Run) {
        let moved = Moved::new(before, after);
        let units = |of: &BTreeSet<UnitIx>| of.iter().filter_map(|&unit| moved.unit(unit)).collect();
        self.to_probe = units(&self.to_probe);
        self.undoing = units(&self.undoing);
        self.unwound = units(&self.unwound);
        let failures = std::mem::take(&mut self.failures).into_iter();
        self.failures = failures.filter_map(|(unit, count)| Some((moved.unit(unit)?, count))).collect();
        let due = std::mem::take(&mut self.due).into_iter();
        self.due = due.filter_map(|(unit, due)| Some((moved.unit(unit)?, due))).collect();
        let (old, new) = (&before.plan().spec().pools, &after.plan().spec().pools);
        let at = |pool: u16| new.iter().position(|other| other.name == old[usize::from(pool)].name);
        let starts = std::mem::take(&mut self.starts).into_iter();
        self.starts = starts.filter_map(|((pool, key), starts)| Some(((at(pool)? as u16, key), starts))).collect();
    }

    /// A unit begins anew.
    fn forget(&mut self, unit: UnitIx) {
        self.failures.remove(&unit);
        self.due.remove(&unit);
        self.to_probe.remove(&unit);
    }

    /// Who approves belongs to a group that may, has not asked for the run, and has not approved before.
    fn approved(&mut self, run: &Run, gate: Gate, actor: &str) -> Result<(), String> {
        let request = run.requests().find(|request| request.gate == gate).ok_or("a shut gate is approved")?;
        let groups = &run.plan().spec().extras.approvers;
        let mut mine = groups.iter().filter(|group| group.members.iter().any(|name| name == actor));
        need(mine.any(|group| request.approval.from.contains(&group.name)), "a stranger approves")?;
        need(actor.to_lowercase() != run.opened_by().to_lowercase(), "who asked for the run approves it")?;
        let by = self.approvals.entry(gate).or_default();
        let before: BTreeSet<String> = request.approved_by.iter().map(|name| name.to_string()).collect();
        *by = before;
        let twice = by.iter().any(|name| name.to_lowercase() == actor.to_lowercase());
        need(!twice && by.insert(actor.to_owned()), "one person approves twice")?;
        if let (Gate::Batch(batch), true) = (gate, by.len() >= usize::from(request.approval.min)) {
            self.batches_approved.insert(batch);
        }
        Ok(())
    }

    /// A gate of the run stays shut.
    fn shut(&mut self, run: &Run, gate: Gate) {
        if !matches!(gate, Gate::Unit(_)) && !is_ending(run) {
            self.ending = self.ending.or(Some(RunEnd::Cancelled));
        }
    }

    fn aborts(&mut self) {
        self.ending = self.ending.or(Some(RunEnd::Failed));
    }

    /// A failure for good does what its step says to the run.
    fn obeys(&mut self, run: &Run, on_failure: OnFailure) -> Result<(), String> {
        match on_failure {
            OnFailure::Abort => {
                self.aborts();
                need(is_ending(run), "a failure that aborts does not")
            }
            OnFailure::Pause => need(run.status() != Status::Running, "a failure that pauses does not"),
            _ => Ok(()),
        }
    }

    /// Batches open one after the other, each after the soak of the last and within every budget.
    fn opens(&self, run: &Run, batch: BatchIx, at: Millis) -> Result<(), String> {
        self.budgets_hold(run)?;
        if batch.0 == 0 {
            return Ok(());
        }
        let last = BatchIx(batch.0 - 1);
        let gated = run.plan().spec().batches.gate.is_some();
        need(!gated || self.batches_approved.contains(&batch), "a batch opens without approval")?;
        let since = self.settled_at.get(&last).ok_or("a batch opens before the last is settled")?;
        need(at >= since + run.plan().spec().batches.soak_ms as Millis, "a batch opens within the soak")
    }

    /// No batch has more sites out than its budget and what the operator let pass.
    fn budgets_hold(&self, run: &Run) -> Result<(), String> {
        for (ix, &most) in run.plan().spec().batches.max_failures.iter().enumerate() {
            let batch = BatchIx::from(ix);
            let most = self.forgiven.get(&batch).copied().unwrap_or(0).max(most as usize);
            need(out_of(run, batch) <= most, "something starts beyond a budget")?;
        }
        Ok(())
    }

    fn starts(&mut self, run: &Run, spot: &Spot<'_>, mode: Mode, at: Millis) -> Result<(), String> {
        if mode.is_undo() && self.undoing.insert(spot.unit) || !mode.is_undo() && self.undoing.remove(&spot.unit) {
            self.forget(spot.unit);
        }
        if mode.is_undo() && run.status() == Status::Unwinding && self.unwound.insert(spot.unit) {
            // The taking back of the run begins each undo anew, but for its doubt.
            self.due.remove(&spot.unit);
            self.failures.remove(&spot.unit);
        }
        let waited = self.due.remove(&spot.unit).is_none_or(|due| at >= due);
        need(waited, "a unit starts before its back-off is over")?;
        let probes = self.to_probe.remove(&spot.unit);
        need(!probes || mode.is_probe(), "a unit in doubt is not probed")?;
        if !mode.is_undo() && !run.is_decreed(spot.node) {
            runs_by_plan(run, spot)?;
        }
        if !is_ending(run) && !mode.is_undo() && !spot.spec.finally {
            self.budgets_hold(run)?;
            in_turn(run, spot)?;
        }
        let goes_on = run.attempts(spot.unit) == 0 && spot.site().is_some_and(|site| Fate::of(run, site).is_out());
        need(!goes_on || mode.is_undo(), "a site that is out goes on")?;
        self.rates_hold(run, spot, at)
    }

    /// Over any stretch of time, no more starts than the rate gives in it plus its burst.
    fn rates_hold(&mut self, run: &Run, spot: &Spot<'_>, at: Millis) -> Result<(), String> {
        for held in &spot.spec.pools {
            let pool = &run.plan().spec().pools[held.pool.ix()];
            let Some(rate) = pool.rate.filter(|_| !pool.shared) else { continue };
            let per = pool.per.unwrap_or(Scope::Run);
            let key = run.plan().covering_key(spot.spec.scope, spot.key, per).ok_or("no key for a pool")?;
            let starts = self.starts.entry((held.pool.0, key)).or_default();
            starts.push(at);
            let every = (rate.per_ms * 1_000 / u64::from(rate.count)) as i64;
            for (ix, since) in starts.iter().enumerate() {
                let over = (starts.len() - ix) as i64 - i64::from(rate.burst);
                // Times are whole milliseconds, so up to one of them and one interval's rest is rounding.
                let enough = (at - since) * 1_000 + 1_000 > over * every - every.min(1_000);
                need(over <= 0 || enough, "a pool is over its rate")?;
            }
        }
        Ok(())
    }

    /// What follows an attempt that did not succeed is what the step's policy says.
    fn falls_short(&mut self, run: &Run, spot: &Spot<'_>, then: Then, doubt: bool, at: Millis) -> Result<(), String> {
        let mode = run.flight(spot.unit).ok_or("a report without a flight")?.mode;
        let failures = self.failures.entry(spot.unit).or_default();
        *failures += u32::from(doubt || !mode.is_probe());
        let (failures, most) = (*failures, u32::from(spot.spec.retry.attempts));
        let never = self.advice.is_none_or(|advice| advice == Advice::Never && !mode.is_probe());
        let action = spot.action.ok_or("no action")?;
        match then {
            Then::ApplyAt(_) => {
                need(failures < most, "more attempts than the step allows")?;
                need(!spot.is_over(run), "a unit is applied again though it is over")?;
                let safe = !doubt || action.idempotent;
                need(safe, "a unit in doubt is applied again though that may act twice")
            }
            Then::ProbeAt(_) => need(doubt && action.has_probe, "a unit is probed without doubt or probe"),
            Then::GiveUp => need(failures >= most || never, "a unit is given up early"),
            Then::Drop => need(failures < most && spot.is_over(run), "a unit is dropped though it is not over"),
            Then::Park => need(doubt && !action.idempotent, "the operator is asked without need"),
        }?;
        if let Then::ApplyAt(due) | Then::ProbeAt(due) = then {
            self.due.insert(spot.unit, due);
            self.waits_by_policy(spot, failures, due - at)?;
        }
        if let Then::ProbeAt(_) = then {
            self.to_probe.insert(spot.unit);
        }
        Ok(())
    }

    /// What nobody began is started again at once, in the same mode, unless it is over: no failure, and nothing is asked.
    fn never_began(&mut self, run: &Run, spot: &Spot<'_>, then: Then, at: Millis) -> Result<(), String> {
        let mode = run.flight(spot.unit).ok_or("nobody began what is not in flight")?.mode;
        match then {
            Then::ApplyAt(due) => {
                self.due.insert(spot.unit, due);
                need(due == at && !mode.is_probe() && !spot.is_over(run), "it is not started again as it was")
            }
            Then::ProbeAt(due) => {
                self.due.insert(spot.unit, due);
                self.to_probe.insert(spot.unit);
                need(due == at && mode.is_probe(), "it is not asked for again as it was")
            }
            Then::Drop => need(!mode.is_probe() && spot.is_over(run), "a unit is dropped though it is not over"),
            Then::GiveUp | Then::Park => Err("it is taken for a failure".to_owned()),
        }
    }

    /// A back-off is between half and all of what the policy gives, and not below what the target asked for.
    fn waits_by_policy(&self, spot: &Spot<'_>, failures: u32, wait: Millis) -> Result<(), String> {
        let Some(advice) = self.advice else { return Ok(()) };
        let retry = &spot.spec.retry;
        let doublings = match retry.backoff {
            Backoff::Constant => 0,
            Backoff::Exponential => failures.saturating_sub(1).min(20),
        };
        let full = (retry.delay_ms << doublings).min(retry.max_delay_ms) as Millis;
        let asked = if let Advice::RetryAfter(asked) = advice { asked as Millis } else { 0 };
        let fits = wait >= (full / 2).max(asked) - 1 && wait <= full.max(asked);
        need(fits, "a back-off is outside the policy")
    }
}

/// An amendment keeps everything that has begun: states, attempts, doubts and keys.
fn amends(before: &Run, after: &Run) -> Result<(), String> {
    let moved = Moved::new(before, after);
    for unit in (0..).map(UnitIx).take_while(|&unit| before.unit_state(unit).is_some()) {
        let begun = before.attempts(unit) > 0 || before.may_have_acted(unit);
        let Some(to) = moved.unit(unit) else {
            need(!begun, "an amendment drops what has begun")?;
            continue;
        };
        let (was, is) = (before.unit_state(unit), after.unit_state(to));
        let moves =
            matches!(was, Some(UnitState::Waiting | UnitState::Ready | UnitState::Asked | UnitState::Cancelled));
        let waited = was == Some(UnitState::Waiting);
        if was != is && !waited && (begun || !moves) {
            return Err(format!("an amendment changes {} from {was:?} to {is:?}", before.unit_name(unit)));
        }
        need(before.attempts(unit) == after.attempts(to), "an amendment forgets attempts")?;
        need(before.may_have_acted(unit) == after.may_have_acted(to), "an amendment forgets what may have acted")?;
        need(before.in_doubt(unit) == after.in_doubt(to), "an amendment forgets a doubt")?;
        need(before.flight(unit) == after.flight(to), "an amendment loses an attempt in flight")?;
    }
    for site in (0..before.plan().site_count()).map(SiteIx) {
        need(before.site_end(site) == after.site_end(site), "an amendment changes how a site ended")?;
    }
    Ok(())
}

/// What runs is planned to, its condition is true, and it has the items that were found.
fn runs_by_plan(run: &Run, spot: &Spot<'_>) -> Result<(), String> {
    let (plan, oracle) = (run.plan(), Oracle { fails: true });
    need(plan.planned_to_run(spot.step, spot.key), "a unit starts that is not planned to run")?;
    if matches!(spot.spec.when, When::Later(_)) {
        let runs = oracle.condition(plan, spot.step, spot.key, run);
        need(runs == Ok(true), "a unit starts whose condition is false")?;
    }
    if matches!(spot.spec.for_each, ForEach::Later(_)) {
        let items = oracle.items(plan, spot.step, spot.key, run).map(|items| items.len());
        need(items == Ok(run.units_of(spot.node).len()), "a node has other items than were found")?;
    }
    Ok(())
}

/// Of two sites that could both go on, the one does whose turn it is, or that the plan's own order puts first.
fn in_turn(run: &Run, spot: &Spot<'_>) -> Result<(), String> {
    let Some(site) = spot.site() else { return Ok(()) };
    let turns = Turns::new(run.plan());
    let own = turns.of(spot.step, site);
    let ranks = &run.plan().spec().extras.order;
    let mut unit = UnitIx(0);
    while let Some(state) = run.unit_state(unit) {
        if state == UnitState::Ready {
            let other = Spot::of(run, unit)?;
            let before = match (ranks.get(other.node.ix()), ranks.get(spot.node.ix())) {
                (Some(other), Some(own)) => other < own,
                _ => other.site().is_some_and(|site| turns.of(other.step, site) < own),
            };
            let earlier = !other.undo && before;
            need(!(earlier && run.why(other.node) == Some(Wait::Turn)), "what comes later goes first")?;
        }
        unit = UnitIx(unit.0 + 1);
    }
    Ok(())
}

/// What was in flight when a driver died is in doubt, and asked for where that is safe.
fn taken_up(run: &Run, unit: UnitIx) -> Result<(), String> {
    let spot = Spot::of(run, unit)?;
    let taken_back = spot.site().is_some_and(|site| run.is_undoing(site) || run.was_undone(site));
    if (spot.undo && !run.in_doubt(unit)) || taken_back || run.status() == Status::Unwinding {
        // Its own attempt was the last thing that its undo waited for.
        return Ok(());
    }
    let action = spot.action.ok_or("no action")?;
    let ready = run.unit_state(unit) == Some(UnitState::Ready);
    need(ready == (action.has_probe || action.idempotent), "a dead driver's unit is not asked for, or unsafely")?;
    need(run.in_doubt(unit), "a dead driver's unit is not in doubt")
}
