//! The loop itself.

mod never;
mod people;
mod waits;

use std::collections::VecDeque;
use std::time::Duration;

use engine::{Event, Input, Link, Millis, Misfit, Record, Rejection, Run, RunEnd, Status};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::driver::amend::Amendments;
use crate::driver::desk::Desk;
use crate::driver::equip::{Equip, Equipment};
use crate::driver::launch::{Landed, Launcher, Start};
use crate::driver::orders::{Came, Orders};
use crate::driver::recover::{Recovered, encode};
use crate::driver::request::Reply;
use crate::driver::trace;
use crate::ports::{Appended, Clock, Journal, JournalError, Lease, Store};
use waits::{Committed, committed, on_desk, on_orders, renewed, run_out, until, wait};

/// Records that a group may hold before it must be committed; bounds memory and the size of a journal row.
const GROUP_RECORDS_MAX: usize = 16_384;

/// Outcomes taken in one turn.
const OUTCOMES_AT_ONCE: usize = 4_096;

/// What a drive is made of.
pub struct Drive<'a> {
    /// Where the run is recorded.
    pub journal: &'a dyn Journal,
    /// The right to record it.
    pub lease: Lease,
    /// Who drives, for the journal.
    pub holder: String,
    /// Makes from a plan what executes it.
    pub equip: &'a dyn Equip,
    /// Calls connectors.
    pub launcher: &'a Launcher,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Sees what became durable.
    pub observer: &'a mut dyn Observer,
    /// Where operators' verbs, other runs' claims and workers are found; `None` where nobody else is. Shared pools need it, and
    /// steps with `runs_on`, which are done here without it.
    pub desk: Option<&'a dyn Store>,
    /// Cancelled when the process should stop: nothing new starts, running attempts get the grace.
    pub stop: CancellationToken,
    /// Bounds.
    pub settings: Settings,
}

/// Bounds of a drive.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Attempts in flight at once, over all pools; at least 1.
    pub in_flight_max: usize,
    /// Validity of the lease, in milliseconds; it is renewed three times as often.
    pub lease_ms: u64,
    /// Time that running attempts get to end when the process is to stop.
    pub grace: Duration,
    /// Time for which a run that waits for people is kept open; its approvals lapse all the same.
    pub wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_flight_max: 4_096, lease_ms: 15_000, grace: Duration::from_secs(10), wait: Duration::ZERO }
    }
}

/// Sees a run go on.
pub trait Observer: Send {
    /// Records became durable; `run` has them applied, and at most one further group.
    fn committed(&mut self, run: &Run, records: &[Record]);
}

/// How a drive ended; the journal holds everything up to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveEnd {
    /// The run ended.
    Ended(RunEnd),
    /// Nothing happens until an operator acts.
    WaitsForOperator,
    /// The process was asked to stop.
    Stopped,
}

/// Why a drive had to stop; the journal is intact and a resume goes on from it.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal could not be written.
    #[error("failed to record the run's progress")]
    Journal(#[from] JournalError),
    /// The stored plan cannot be executed; nothing was recorded.
    #[error("the stored plan cannot be executed: {0}")]
    Equip(String),
    /// The engine refused what the shell had to tell it: a defect.
    #[error("failed to decide")]
    Rejected(#[from] Rejection),
    /// The plan uses an action that this build does not have; nothing was recorded.
    #[error("this build has no action {0}")]
    MissingAction(String),
    /// The engine refused its own event: a defect.
    #[error("failed to apply")]
    Misfit(#[from] Misfit),
}

struct Loop<'a> {
    name: String,
    drive: Drive<'a>,
    run: Run,
    next: u64,
    /// What the next group is written after: the newest one given to the journal. One that it does not take ends the drive.
    link: Link,
    group: Vec<Record>,
    commit: Option<Commit<'a>>,
    landed: mpsc::UnboundedReceiver<Landed>,
    sender: mpsc::UnboundedSender<Landed>,
    /// The renewal of the lease that is under way, beside everything else: what it waits for may be held by a look at the desk.
    renewal: Option<BoxFuture<'a, Result<(), JournalError>>>,
    desk: Option<Desk<'a>>,
    orders: Option<Orders<'a>>,
    /// Starts that wait until workers have let go of what an earlier drive sent: it may be about the same units.
    held: Vec<Start>,
    equipment: Equipment,
    amendments: Amendments,
    /// Requests whose events are in the group that fills.
    replies: VecDeque<u64>,
    /// Orders whose outcomes are in the group that fills.
    settled: Vec<u64>,
    /// Since when nothing happens unless somebody acts.
    idle_since: Option<tokio::time::Instant>,
    /// How far the run's time is ahead of the clock, because the clock was set back or the last driver's was ahead.
    skew: Millis,
    /// When the lease was last known to be ours.
    renewed: tokio::time::Instant,
    /// Set once the process is to stop: when patience with running attempts is over.
    patience: Option<Patience>,
}

/// How long a stop waits for running attempts: first for them to end by themselves, then for their cancellation.
#[derive(Clone, Copy)]
enum Patience {
    Running(tokio::time::Instant),
    Cancelled(tokio::time::Instant),
    Over,
}

/// Time that cancelled attempts get to answer; what has not by then is in doubt.
const CANCEL_GRACE: Duration = Duration::from_secs(3);

struct Commit<'a> {
    records: Vec<Record>,
    replies: VecDeque<u64>,
    settled: Vec<u64>,
    done: BoxFuture<'a, Result<Appended, JournalError>>,
}

/// Drives a recovered run until it ends, waits for an operator, or the process is to stop.
///
/// On return everything decided is durable, except after an error, when the last groups may be lost and a resume finds
/// the attempts of the durable ones in doubt.
///
/// # Errors
/// If the journal cannot be written, or another driver took over.
///
/// # Cancel safety
/// Not cancel safe: dropping it is like a crash. Use `stop`.
pub async fn drive(drive: Drive<'_>, recovered: Recovered, actor: &str) -> Result<(DriveEnd, Run), DriveError> {
    let (sender, landed) = mpsc::unbounded_channel();
    let estate = recovered.run.plan().spec().origin.estate.clone();
    let desk = drive.desk.map(|store| Desk::new(store, drive.lease.clone(), estate));
    // Chaos disturbs attempts in this process, and what is held against it is to be done in the same way.
    let drill = recovered.run.plan().spec().extras.drill.as_ref();
    let orders = drive.desk.filter(|_| drill.is_none_or(|mark| mark.chaos.is_none()));
    let orders = orders.map(|store| Orders::new(store, drive.lease.clone(), first_order(recovered.next)));
    let equipment = drive.equip.equip(recovered.run.plan()).map_err(DriveError::Equip)?;
    let mut this = Loop {
        name: recovered.head.run,
        equipment,
        amendments: Amendments::default(),
        renewal: None,
        desk,
        orders,
        held: Vec::new(),
        settled: Vec::new(),
        idle_since: None,
        drive,
        run: recovered.run,
        next: recovered.next,
        link: recovered.chain.head(),
        group: Vec::new(),
        commit: None,
        landed,
        sender,
        replies: VecDeque::new(),
        skew: 0,
        renewed: tokio::time::Instant::now(),
        patience: None,
    };
    if let Status::Ended(end) = this.run.status() {
        return Ok((DriveEnd::Ended(end), this.run));
    }
    if let Some(uses) = this.drive.launcher.missing(this.run.plan()) {
        return Err(DriveError::MissingAction(uses));
    }
    let span = trace::of_drive(&this.name, this.drive.lease.epoch, &this.run);
    let result = this.go(actor).instrument(span).await;
    this.drive.launcher.stop(CANCEL_GRACE).await;
    if let Some(orders) = &mut this.orders {
        // All that was sent is of groups that are durable; the next one may be of another drive under this lease.
        orders.close(first_order(this.next), result.is_ok()).await;
    }
    if let Some(desk) = &mut this.desk {
        desk.close().await;
    }
    let end = result?;
    Ok((end, this.run))
}

impl<'a> Loop<'a> {
    async fn go(&mut self, actor: &str) -> Result<DriveEnd, DriveError> {
        if self.run.opened_at().is_none() {
            self.input(Input::Open { actor: actor.to_owned() })?;
        }
        // Under a lease that drove it before, as a drill's clean-up is, it is its own already, once nothing is in flight.
        let epoch = self.drive.lease.epoch;
        if self.run.epoch() != epoch || self.run.in_flight() > 0 {
            self.settle_left().await?;
            self.input(Input::Adopt { epoch, holder: self.drive.holder.clone() })?;
        }
        self.let_go_of_what_left();
        let lease_ms = self.drive.settings.lease_ms;
        let mut due = tokio::time::interval(Duration::from_millis((lease_ms / 3).max(1)));
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.advance()?;
            self.begin_commit();
            if let Some(end) = self.at_rest() {
                return Ok(end);
            }
            let stopping = self.patience.is_some();
            // Without room nothing is decided, so waking up for it would only burn time.
            let wake = if stopping || !self.has_room() { None } else { self.run.next_wake() };
            let wake = wake.map(|at| at.saturating_sub(self.skew));
            let patience = self.patience;
            let idle_until = self.idle_since.and_then(|since| since.checked_add(self.drive.settings.wait));
            tokio::select! {
                biased;
                done = renewed(&mut self.renewal) => self.end_renewal(done, lease_ms)?,
                _ = due.tick(), if self.renewal.is_none() => self.begin_renewal(lease_ms),
                done = committed(&mut self.commit) => self.end_commit(done?)?,
                landed = self.landed.recv(), if self.amendments.is_empty() => self.take(landed)?,
                came = on_orders(&mut self.orders), if self.amendments.is_empty() => self.collect(came?)?,
                found = on_desk(&mut self.desk, &self.run), if !stopping => self.attend(found)?,
                () = until(idle_until) => {}
                () = self.drive.stop.cancelled(), if !stopping => self.begin_stop()?,
                () = run_out(patience) => self.lose_patience(),
                () = wait(self.drive.clock, wake) => {}
            }
        }
    }

    /// Decides whatever can be decided now.
    fn advance(&mut self) -> Result<(), DriveError> {
        if self.commit.is_none() && self.group.is_empty() {
            while let Some((id, request)) = self.amendments.pop() {
                self.amend(id, request)?;
            }
        }
        loop {
            if !self.has_room() || self.drive.stop.is_cancelled() {
                return Ok(());
            }
            if !self.input(Input::Advance)? {
                return Ok(());
            }
        }
    }

    /// Whether more may be decided before something lands or is committed.
    fn has_room(&self) -> bool {
        let room = self.run.in_flight() < self.drive.settings.in_flight_max && self.group.len() < GROUP_RECORDS_MAX;
        room && self.amendments.is_empty()
    }

    fn begin_renewal(&mut self, lease_ms: u64) {
        let (journal, lease) = (self.drive.journal, self.drive.lease.clone());
        self.renewal = Some(async move { journal.renew(&lease, lease_ms).await }.boxed());
    }

    /// A journal that does not answer is borne with until the lease would have expired.
    fn end_renewal(&mut self, renewed: Result<(), JournalError>, lease_ms: u64) -> Result<(), DriveError> {
        match renewed {
            Ok(()) => self.renewed = tokio::time::Instant::now(),
            Err(error @ JournalError::Unavailable { .. }) => {
                if self.renewed.elapsed() >= Duration::from_millis(lease_ms) {
                    return Err(error.into());
                }
                tracing::warn!(%error, run = self.name, "the lease could not be renewed");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Decides and applies one input; says whether anything came of it.
    fn input(&mut self, input: Input) -> Result<bool, DriveError> {
        let at = self.now();
        let events = self.run.decide(at, input, &*self.equipment.evaluator)?;
        let some = !events.is_empty();
        for event in events {
            let record = Record { at, event };
            self.run.apply(&record)?;
            self.group.push(record);
        }
        Ok(some)
    }

    /// The time, never before the run's newest event: a clock set back must not undo what has happened.
    fn now(&mut self) -> Millis {
        let clock = self.drive.clock.now();
        self.skew = self.skew.max(self.run.now().saturating_sub(clock)).max(0);
        if clock.saturating_add(self.skew) < self.run.now() { self.run.now() } else { clock.saturating_add(self.skew) }
    }

    fn begin_commit(&mut self) {
        if self.commit.is_some() || self.group.is_empty() {
            return;
        }
        let records = std::mem::take(&mut self.group);
        let group = encode(&records, self.link);
        self.link = group.link;
        let (journal, lease, next) = (self.drive.journal, self.drive.lease.clone(), self.next);
        let done = async move { journal.append(&lease, next, &group.bytes).await }.boxed();
        let (replies, settled) = (std::mem::take(&mut self.replies), std::mem::take(&mut self.settled));
        self.commit = Some(Commit { records, replies, settled, done });
    }

    fn begin_stop(&mut self) -> Result<(), DriveError> {
        self.patience = Some(Patience::Running(tokio::time::Instant::now() + self.drive.settings.grace));
        let unsent = self.orders.as_mut().map(Orders::stop).unwrap_or_default();
        let held = std::mem::take(&mut self.held);
        unsent.into_iter().chain(held).try_for_each(|start| self.never_began(&start))
    }

    fn lose_patience(&mut self) {
        self.patience = Some(match self.patience {
            Some(Patience::Running(_)) => {
                self.drive.launcher.cancel();
                Patience::Cancelled(tokio::time::Instant::now() + CANCEL_GRACE)
            }
            Some(Patience::Cancelled(_) | Patience::Over) | None => Patience::Over,
        });
    }

    /// A group is durable: act on the starts in it.
    fn end_commit(&mut self, committed: Committed) -> Result<(), DriveError> {
        let Committed { appended, records, replies, settled } = committed;
        let first = first_order(self.next);
        self.next = appended.next;
        if let Some(orders) = &mut self.orders {
            orders.done(settled.into_iter());
            orders.may_clear();
        }
        if let Some(desk) = &mut self.desk {
            replies.into_iter().for_each(|id| desk.answer(id, Reply::Recorded.encode()));
        }
        self.let_go(&records);
        self.drive.observer.committed(&self.run, &records);
        let amendments = self.amendments.count();
        let started = records.iter().filter_map(|record| match record.event {
            Event::Started { unit, attempt, mode } => Some((unit, attempt, mode)),
            _ => None,
        });
        let started: Vec<_> = started.zip(first..).collect();
        for ((unit, attempt, mode), number) in started {
            self.launch(Start { unit, amendments, attempt, mode, number })?;
        }
        Ok(())
    }

    fn launch(&mut self, start: Start) -> Result<(), DriveError> {
        // Nothing new starts once the process is to stop, be it that its start was on its way to the journal.
        if self.patience.is_some() {
            return self.never_began(&start);
        }
        let is_clearing = self.orders.as_ref().is_some_and(Orders::is_clearing);
        if is_clearing && (start.attempt > 1 || start.mode.is_probe()) {
            self.held.push(start);
            return Ok(());
        }
        let (launcher, equipment) = (self.drive.launcher, &self.equipment);
        launcher.launch(&self.name, &self.run, equipment, start, self.orders.as_mut(), &self.sender);
        Ok(())
    }

    /// Something came of orders.
    fn collect(&mut self, came: Came) -> Result<(), DriveError> {
        match came {
            Came::Clear => {
                for start in std::mem::take(&mut self.held) {
                    // The plan may have been amended while it waited.
                    if let Some(unit) = self.amendments.now(start.unit, start.amendments) {
                        self.launch(Start { unit, amendments: self.amendments.count(), ..start })?;
                    }
                }
            }
            Came::Landed(landed) => {
                for landed in landed {
                    self.land(landed)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, first: Option<Landed>) -> Result<(), DriveError> {
        let mut next = first;
        for left in (0..OUTCOMES_AT_ONCE).rev() {
            let Some(landed) = next else { break };
            next = if left > 0 { self.landed.try_recv().ok() } else { None };
            self.land(landed)?;
        }
        Ok(())
    }

    fn land(&mut self, Landed { start, is_order, outcome }: Landed) -> Result<(), DriveError> {
        let Start { attempt, mode, .. } = start;
        // An attempt that was taken to be over may have lost its place.
        let recorded = match self.amendments.now(start.unit, start.amendments) {
            None => false,
            Some(unit) => self.tell(match outcome {
                Some(outcome) => Input::Report { unit, attempt, mode, outcome },
                None => Input::NotBegun { unit, attempt, mode },
            })?,
        };
        if let (true, Some(orders)) = (is_order, &mut self.orders) {
            if recorded {
                self.settled.push(start.number);
            } else {
                orders.done(std::iter::once(start.number));
            }
        }
        Ok(())
    }

    /// Whether the drive is over: everything is durable and nothing is in flight.
    fn at_rest(&mut self) -> Option<DriveEnd> {
        if self.commit.is_some() || !self.group.is_empty() {
            return None;
        }
        if let Status::Ended(end) = self.run.status() {
            return Some(DriveEnd::Ended(end));
        }
        if matches!(self.patience, Some(Patience::Over)) {
            return Some(DriveEnd::Stopped);
        }
        if self.run.in_flight() > 0 {
            return None;
        }
        if self.patience.is_some() {
            return Some(DriveEnd::Stopped);
        }
        if !self.run.is_waiting_for_operator() {
            self.idle_since = None;
            return None;
        }
        let since = *self.idle_since.get_or_insert_with(tokio::time::Instant::now);
        (since.elapsed() >= self.drive.settings.wait).then_some(DriveEnd::WaitsForOperator)
    }
}

/// Numbers of orders that each group has for its starts, of which it holds no more than may be in flight.
const ORDERS_OF_GROUP: u64 = 1 << 20;

/// Number of the first order that may stand for a start in a group: they ascend with the journal, whoever drives.
fn first_order(group: u64) -> u64 {
    // The first is 1: a store takes 0 for "none was sent".
    group.saturating_mul(ORDERS_OF_GROUP).saturating_add(1)
}

impl<F: FnMut(&Run, &[Record]) + Send> Observer for F {
    fn committed(&mut self, run: &Run, records: &[Record]) {
        self(run, records);
    }
}
