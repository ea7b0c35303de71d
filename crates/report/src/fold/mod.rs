//! The fold behind every report: the run itself, and beside it the little that the run forgets.

mod histogram;
mod needs;
mod ready;
mod times;

use std::sync::Arc;

use engine::{BatchIx, Event, Millis, Misfit, Mode, Plan, Record, Run, RunEnd, SiteEnd, SiteIx, Status, UnitIx};

pub use histogram::Histogram;
pub(crate) use needs::{each_shared, gate_of, gated};
pub use times::StepTimes;

use crate::forecast::Rest;
use crate::report::{Moment, MomentKind, Report};
use ready::ReadyTimes;
use times::Offsets;

/// Most moments of the timeline that are kept; later ones are counted, not kept.
const MOMENTS: usize = 20_000;

/// A run and its timings, folded from its records.
///
/// Costs per record do not grow with the run. Beyond the [`Run`] it keeps 4 bytes a node, 4 bytes a site and two
/// histograms a step. Lengths of time are exact to the millisecond up to 49 days from the run's opening and
/// saturate there.
#[derive(Debug)]
pub struct Fold {
    run: Run,
    name: String,
    pub(crate) steps: Vec<StepTimes>,
    ready: ReadyTimes,
    /// When each site came back, at its first good end.
    pub(crate) back_at: Offsets,
    /// Sites that came back and were put out later, in the order in which that happened.
    pub(crate) fallen: Vec<SiteIx>,
    pub(crate) moments: Vec<Moment>,
    pub(crate) moments_dropped: u64,
    pub(crate) resumes: Vec<crate::report::Resume>,
    pub(crate) records: u64,
    pub(crate) rulings: u64,
    pub(crate) paused_ms: i64,
    paused_since: Option<Millis>,
    pub(crate) down_ms: i64,
    pub(crate) opened_by: String,
    pub(crate) ended_at: Option<Millis>,
    adopted: bool,
}

impl Fold {
    /// Starts the fold of a run of this plan; nothing has happened yet.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let sites = plan.site_count() as usize;
        Self {
            name: String::new(),
            steps: plan.steps().map(|_| StepTimes::default()).collect(),
            ready: ReadyTimes::new(&plan),
            back_at: Offsets::new(sites),
            fallen: Vec::new(),
            moments: Vec::new(),
            moments_dropped: 0,
            resumes: Vec::new(),
            records: 0,
            rulings: 0,
            paused_ms: 0,
            paused_since: None,
            down_ms: 0,
            opened_by: String::new(),
            ended_at: None,
            adopted: false,
            run: Run::new(plan),
        }
    }

    /// Names the run; the name is shown, never interpreted.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Applies one record.
    ///
    /// # Errors
    /// If it does not fit the run; nothing is changed then.
    pub fn push(&mut self, record: &Record) -> Result<(), Misfit> {
        let before = self.run.now();
        let flight = match &record.event {
            Event::Succeeded { unit, .. } | Event::Refused { unit, .. } | Event::InDoubt { unit, .. } => {
                self.run.flight(*unit)
            }
            _ => None,
        };
        let interrupted: Vec<(UnitIx, Millis)> = match &record.event {
            Event::Adopted { .. } => {
                self.run.pending().map(|pending| (pending.unit, pending.flight.started_at)).collect()
            }
            _ => Vec::new(),
        };
        self.run.apply(record)?;
        self.records += 1;
        let at = self.run.now();
        match &record.event {
            Event::Opened { actor, .. } => self.opened_by = actor.to_string(),
            Event::Adopted { epoch, holder } => self.adopted(at, before, *epoch, holder, &interrupted),
            Event::Started { unit, attempt, mode } => self.started(at, *unit, *attempt, *mode),
            Event::Succeeded { unit, .. } => {
                self.landed(at, *unit, flight, |times, mode, took| times.succeeded(mode, took));
            }
            Event::Refused { unit, .. } => {
                self.landed(at, *unit, flight, |times, mode, took| times.fell_short(mode, took, false));
            }
            Event::InDoubt { unit, .. } => {
                self.landed(at, *unit, flight, |times, mode, took| times.fell_short(mode, took, true));
            }
            Event::Decided { node, .. } | Event::Expanded { node, .. } | Event::Unevaluable { node, .. } => {
                self.ready.note(&self.run, *node, at);
            }
            Event::SiteEnded { site, end } => self.site_ended(at, *site, *end),
            Event::Ruled { unit, ruling, actor, reason } => {
                self.rulings += 1;
                if let Some((node, _)) = self.run.unit_at(*unit) {
                    self.ready.note(&self.run, node, at);
                }
                let what = match ruling {
                    engine::Ruling::Done => "done",
                    engine::Ruling::Again => "to be applied again",
                    engine::Ruling::GiveUp => "given up",
                };
                let text = format!("{actor} ruled {} {what}: {reason}", self.run.unit_name(*unit));
                self.moment(at, MomentKind::Ruled, None, text);
            }
            Event::Ended { end } => {
                self.ended_at = Some(at);
                self.unpause(at);
                let how = match end {
                    RunEnd::Succeeded => "succeeded",
                    RunEnd::SucceededWithExceptions => "succeeded with exceptions",
                    RunEnd::Failed => "failed",
                    RunEnd::Cancelled => "cancelled",
                };
                self.moment(at, MomentKind::Ended, None, format!("the run ended: {how}"));
            }
            Event::BatchOpened { batch } => self.batch_moment(at, MomentKind::BatchOpened, *batch, "opened"),
            Event::BatchSettled { batch } => self.batch_moment(at, MomentKind::BatchSettled, *batch, "settled"),
            Event::BudgetExceeded { batch } => {
                self.batch_moment(at, MomentKind::BudgetExceeded, *batch, "has more failures than its budget");
            }
            Event::Paused { actor, reason } => {
                self.moment(at, MomentKind::Paused, None, format!("paused by {actor}: {reason}"));
            }
            Event::Continued { actor, reason } => {
                self.moment(at, MomentKind::Continued, None, format!("continued by {actor}: {reason}"));
            }
            Event::Cancelled { actor, reason } => {
                self.moment(at, MomentKind::Cancelled, None, format!("cancelled by {actor}: {reason}"));
            }
            _ => {}
        }
        self.watch_pause(at);
        Ok(())
    }

    /// The run as folded so far.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The plan of the run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        self.run.plan()
    }

    /// Name of the run as given to [`Fold::named`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Timings of each step, in the plan's order.
    #[must_use]
    pub fn step_times(&self) -> &[StepTimes] {
        &self.steps
    }

    /// Sums the run up as of `now` (milliseconds since the epoch; ignored once the run has ended).
    ///
    /// Costs time in proportion to units and sites.
    #[must_use]
    pub fn report(&self, now: Millis) -> Report {
        crate::report::build(self, now)
    }

    /// Forecasts the rest of the run as of `now` (milliseconds since the epoch); `None` if it is over, stands still or is
    /// ending, or if nothing is known of how long its steps take.
    ///
    /// Costs time in proportion to what is left, at most some 200,000 units' worth for smaller rests, one drawing for
    /// larger ones.
    #[must_use]
    pub fn rest(&self, now: Millis) -> Option<Rest> {
        crate::forecast::rest(self, now)
    }

    /// Milliseconds from the run's opening to a time; 0 before it.
    pub(crate) fn since_opening(&self, at: Millis) -> i64 {
        self.run.opened_at().map_or(0, |opened| at.saturating_sub(opened).max(0))
    }

    /// Time that the run has stood paused up to a time.
    pub(crate) fn paused_until(&self, at: Millis) -> i64 {
        self.paused_ms + self.paused_since.map_or(0, |since| at.saturating_sub(since).max(0))
    }

    fn started(&mut self, at: Millis, unit: UnitIx, attempt: u32, mode: Mode) {
        let Some((node, _)) = self.run.unit_at(unit) else { return };
        let (step, _) = self.run.plan().node_at(node);
        let waited = (attempt == 1).then(|| {
            let ready = self.ready.ready_at(&self.run, node);
            self.since_opening(at).saturating_sub(i64::from(ready))
        });
        let offset = self.since_opening(at);
        if let Some(times) = self.steps.get_mut(step.ix()) {
            times.started(offset, attempt, mode, waited);
        }
    }

    fn landed(
        &mut self,
        at: Millis,
        unit: UnitIx,
        flight: Option<engine::Flight>,
        count: impl FnOnce(&mut StepTimes, Mode, i64),
    ) {
        let Some((node, _)) = self.run.unit_at(unit) else { return };
        let (step, _) = self.run.plan().node_at(node);
        if let (Some(times), Some(flight)) = (self.steps.get_mut(step.ix()), flight) {
            count(times, flight.mode, at.saturating_sub(flight.started_at));
        }
        self.ready.note(&self.run, node, at);
    }

    fn adopted(&mut self, at: Millis, before: Millis, epoch: u64, holder: &str, interrupted: &[(UnitIx, Millis)]) {
        for &(unit, started_at) in interrupted {
            let Some((node, _)) = self.run.unit_at(unit) else { continue };
            let (step, _) = self.run.plan().node_at(node);
            if let Some(times) = self.steps.get_mut(step.ix()) {
                // The last durable event is the last time at which the attempt was surely in flight.
                times.interrupted(before.saturating_sub(started_at));
            }
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
        self.resumes.push(crate::report::Resume {
            at: crate::duration::stamp(at),
            epoch,
            holder: holder.to_owned(),
            attempts_interrupted: in_flight,
            gap_s: crate::duration::seconds(down),
        });
    }

    fn site_ended(&mut self, at: Millis, site: SiteIx, end: SiteEnd) {
        let offset = self.since_opening(at);
        match end {
            SiteEnd::Returned | SiteEnd::Degraded => self.back_at.set_first(site.ix(), offset),
            SiteEnd::Quarantined | SiteEnd::Undone | SiteEnd::Excluded | SiteEnd::Released => {
                if self.back_at.clear(site.ix()) {
                    self.fallen.push(site);
                }
            }
        }
    }

    fn batch_moment(&mut self, at: Millis, kind: MomentKind, batch: BatchIx, what: &str) {
        let number = u32::from(batch.0) + 1;
        self.moment(at, kind, Some(number), format!("batch {number} {what}"));
    }

    fn moment(&mut self, at: Millis, kind: MomentKind, batch: Option<u32>, text: String) {
        if self.moments.len() >= MOMENTS {
            self.moments_dropped += 1;
            return;
        }
        let after_s = crate::duration::seconds(self.since_opening(at));
        self.moments.push(Moment { at: crate::duration::stamp(at), after_s, kind, batch, text });
    }

    /// Budgets and `on_failure: pause` pause a run without an event of their own, so the state is what is watched.
    fn watch_pause(&mut self, at: Millis) {
        match self.run.status() {
            Status::Paused { actor, reason } if self.paused_since.is_none() => {
                self.paused_since = Some(at);
                let said = self.moments.last().is_some_and(|moment| moment.kind == MomentKind::Paused);
                if !said {
                    let text = format!("paused by {actor}: {reason}");
                    self.moment(at, MomentKind::Paused, None, text);
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
}
