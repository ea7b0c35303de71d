//! The orders of one drive: attempts that workers execute, sent through the store and collected from it.
//!
//! A round is one future beside the loop, so that a slow store holds nothing up: it sends, takes back what nobody claims, says
//! what is durable, and collects. Nothing is sent before older orders of the run are withdrawn and out of all hands.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use engine::Outcome;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::attempt::{self, decode_answer, outcome};
use crate::driver::launch::{Landed, Start};
use crate::ports::{JournalError, Lease, LeftOrder, Order, OrderFate, Settled, Store, WaitingOrders};
use crate::worker::LEASE_MAX_MS;

/// Time between two rounds while something comes back, and the longest while nothing does.
const SOON: Duration = Duration::from_millis(5);
const AT_LAST: Duration = Duration::from_millis(200);

/// Time between two looks at what waits for workers.
const LOOK: Duration = Duration::from_secs(5);

/// Orders collected in one round.
const AT_ONCE: u32 = 4_096;

/// Time that workers get to let go of what an earlier drive has sent, once the store has been told that it is withdrawn: half as
/// long again as any worker lives without a beat. What is still in their hands then is probed like all else that is in doubt.
const HANDS: Duration = Duration::from_millis(LEASE_MAX_MS + LEASE_MAX_MS / 2);

/// Orders of one drive.
pub(super) struct Orders<'a> {
    store: &'a dyn Store,
    lease: Lease,
    phase: Phase,
    /// What the next round sends, and what is on its way with this one, which is sent again if it fails.
    waiting: Vec<Order>,
    sending: Arc<Vec<Order>>,
    back: Vec<u64>,
    taking_back: Arc<Vec<u64>>,
    /// Whose outcomes are durable: for the next round, and on their way with this one.
    done: Vec<u64>,
    telling: Arc<Vec<u64>>,
    sent: HashMap<u64, Sent>,
    round: Option<BoxFuture<'a, Result<Round, JournalError>>>,
    pause: Duration,
    next: Instant,
    /// When it is asked next what waits for workers, and of which labels it was told that nobody has them.
    next_look: Instant,
    told: BTreeSet<BTreeSet<String>>,
    /// Whether the process is to stop: what nobody has claimed is taken back.
    stops: bool,
}

/// How far this drive is with orders.
enum Phase {
    /// Those of earlier drives, with numbers below this, are being withdrawn, once what is known of them is durable, and from
    /// the first time that the store has done so for no longer than this.
    Clearing { below: u64, may: bool, until: Option<Instant> },
    /// All that is there is its own.
    Own,
}

struct Sent {
    start: Start,
    labels: BTreeSet<String>,
    uses: Duration,
    /// When it is looked at whether somebody could claim it; `None` before it is sent, and once it is taken back.
    until: Option<Instant>,
    landed: bool,
}

impl Sent {
    fn is_late(&self, now: Instant) -> bool {
        !self.landed && self.until.is_some_and(|until| until <= now)
    }
}

enum Round {
    /// So many orders of earlier drives are in the hands of workers.
    Cleared(u64),
    /// What is settled, and what nobody has claimed, if that was asked.
    Collected(Vec<Settled>, Option<Vec<WaitingOrders>>),
}

/// What a round found.
pub(super) enum Came {
    /// Orders of earlier drives are out of all hands.
    Clear,
    /// Attempts have ended.
    Landed(Vec<Landed>),
}

impl<'a> Orders<'a> {
    /// Begins with the numbers from `below` on, after those of earlier drives.
    pub(super) fn new(store: &'a dyn Store, lease: Lease, below: u64) -> Self {
        let now = Instant::now();
        Self {
            store,
            lease,
            phase: Phase::Clearing { below, may: true, until: None },
            waiting: Vec::new(),
            sending: Arc::default(),
            back: Vec::new(),
            taking_back: Arc::default(),
            done: Vec::new(),
            telling: Arc::default(),
            sent: HashMap::new(),
            round: None,
            pause: SOON,
            next: now,
            next_look: now + LOOK,
            told: BTreeSet::new(),
            stops: false,
        }
    }

    /// What surely became of orders that an earlier drive has left. They are kept until [`Orders::may_clear`].
    pub(super) async fn left(&mut self) -> Result<Vec<LeftOrder>, JournalError> {
        let Phase::Clearing { below, may, .. } = &mut self.phase else { return Ok(Vec::new()) };
        let left = self.store.left_orders(&self.lease, *below).await?;
        *may = left.is_empty();
        Ok(left)
    }

    /// Notes that what was known of older orders is durable.
    pub(super) fn may_clear(&mut self) {
        if let Phase::Clearing { may, .. } = &mut self.phase {
            *may = true;
        }
    }

    /// Takes back with the next round what nobody has claimed, and returns what was not even sent.
    pub(super) fn stop(&mut self) -> Vec<Start> {
        self.stops = true;
        let unsent = std::mem::take(&mut self.waiting);
        let unsent = unsent.iter().filter_map(|order| self.sent.remove(&order.number)).map(|sent| sent.start).collect();
        for (&number, sent) in self.sent.iter_mut().filter(|(_, sent)| !sent.landed) {
            sent.until = None;
            self.back.push(number);
        }
        self.hurry();
        unsent
    }

    /// Whether workers may still be busy with what an earlier drive has sent.
    pub(super) fn is_clearing(&self) -> bool {
        matches!(self.phase, Phase::Clearing { .. })
    }

    /// Sends an attempt with the next round.
    pub(super) fn send(&mut self, order: Order, start: Start) {
        let uses = Duration::from_millis(order.timeout_ms);
        let labels = order.labels.clone();
        self.sent.insert(order.number, Sent { start, labels, uses, until: None, landed: false });
        self.waiting.push(order);
        self.hurry();
    }

    /// Notes that outcomes are durable, by the numbers of their orders.
    pub(super) fn done(&mut self, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            self.sent.remove(&number);
            self.done.push(number);
        }
    }

    fn hurry(&mut self) {
        self.pause = SOON;
        self.next = self.next.min(Instant::now() + SOON);
    }

    /// Waits for what the next round finds; for ever while there is nothing to send, tell or wait for.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the round goes on with the next call.
    pub(super) async fn came(&mut self) -> Result<Came, JournalError> {
        loop {
            if let Some(round) = &mut self.round {
                let found = round.await;
                self.round = None;
                if let Some(came) = self.end_round(found)? {
                    return Ok(came);
                }
                continue;
            }
            let has_work = match self.phase {
                Phase::Clearing { may, .. } => may,
                Phase::Own => !self.sent.is_empty() || !self.done.is_empty(),
            };
            if !has_work {
                return std::future::pending().await;
            }
            tokio::time::sleep_until(self.next).await;
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        let (store, lease) = (self.store, self.lease.clone());
        if let Phase::Clearing { below, .. } = self.phase {
            self.round = Some(async move { store.withdraw_orders(&lease, below).await.map(Round::Cleared) }.boxed());
            return;
        }
        let now = Instant::now();
        for order in &self.waiting {
            if let Some(sent) = self.sent.get_mut(&order.number) {
                sent.until = now.checked_add(sent.uses);
            }
        }
        // Only what no round in doubt has left behind is replaced. The store takes a number that does not ascend for one that it
        // has: what waited until older orders were out of all hands comes before what was started since.
        let sending = Arc::make_mut(&mut self.sending);
        sending.append(&mut self.waiting);
        sending.sort_unstable_by_key(|order| order.number);
        Arc::make_mut(&mut self.telling).append(&mut self.done);
        Arc::make_mut(&mut self.taking_back).append(&mut self.back);
        let looks = self.next_look <= now || self.sent.values().any(|sent| sent.is_late(now));
        if looks {
            self.next_look = now + LOOK;
        }
        let (sending, back, done) = (self.sending.clone(), self.taking_back.clone(), self.telling.clone());
        self.round = Some(
            async move {
                if !sending.is_empty() {
                    store.dispatch(&lease, &sending).await?;
                }
                if !back.is_empty() {
                    store.take_back(&lease, &back).await?;
                }
                let settled = store.collect(&lease, &done, AT_ONCE).await?;
                let waiting = if looks { Some(store.waiting_orders(&lease.run).await?) } else { None };
                Ok(Round::Collected(settled, waiting))
            }
            .boxed(),
        );
    }

    fn end_round(&mut self, found: Result<Round, JournalError>) -> Result<Option<Came>, JournalError> {
        let now = Instant::now();
        let found = match found {
            Err(error @ JournalError::Unavailable { .. }) => {
                tracing::warn!(%error, run = self.lease.run, "orders wait for the store");
                self.wait(now);
                return Ok(None);
            }
            found => found?,
        };
        match (found, &mut self.phase) {
            (Round::Cleared(held), Phase::Clearing { until, .. }) => {
                if held > 0 && now < *until.get_or_insert(now + HANDS) {
                    self.wait(now);
                    return Ok(None);
                }
                if held > 0 {
                    tracing::warn!(
                        run = self.lease.run,
                        held,
                        "workers have not let go of what an earlier driver sent"
                    );
                }
                self.phase = Phase::Own;
                self.hurry();
                Ok(Some(Came::Clear))
            }
            (Round::Cleared(_), Phase::Own) => Ok(None),
            (Round::Collected(settled, waiting), _) => {
                (self.sending, self.taking_back, self.telling) = Default::default();
                let landed: Vec<Landed> = settled.into_iter().filter_map(|one| self.land(one)).collect();
                if let Some(waiting) = waiting {
                    self.look_at(waiting, now);
                }
                if landed.is_empty() && self.waiting.is_empty() && self.back.is_empty() {
                    self.wait(now);
                    return Ok(None);
                }
                self.pause = SOON;
                self.next = now + SOON;
                Ok((!landed.is_empty()).then_some(Came::Landed(landed)))
            }
        }
    }

    /// Takes back what waits for workers of which none lives, and has for as long as its attempt may take. What waits only
    /// because all are busy goes on waiting: a queue is no failure. Of labels that nobody has it is warned once.
    fn look_at(&mut self, waiting: Vec<WaitingOrders>, now: Instant) {
        let unfit = waiting.into_iter().filter(|waiting| !waiting.fits).map(|waiting| waiting.labels);
        let unfit: BTreeSet<BTreeSet<String>> = unfit.collect();
        for (&number, sent) in self.sent.iter_mut().filter(|(_, sent)| !sent.landed) {
            if !unfit.contains(&sent.labels) {
                sent.until = sent.until.and_then(|_| now.checked_add(sent.uses));
            } else if sent.is_late(now) {
                sent.until = None;
                self.back.push(number);
            }
        }
        for labels in unfit {
            if !self.told.contains(&labels) {
                let demands = attempt::for_people(&labels);
                tracing::warn!(run = self.lease.run, demands, "attempts wait: no worker that lives has these labels");
                self.told.insert(labels);
            }
        }
    }

    fn wait(&mut self, now: Instant) {
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(AT_LAST);
    }

    /// The outcome of an order, the first time that it is collected.
    fn land(&mut self, settled: Settled) -> Option<Landed> {
        let Some(sent) = self.sent.get_mut(&settled.number) else {
            // Of an earlier round whose reply was lost: it is done already.
            self.done.push(settled.number);
            return None;
        };
        if std::mem::replace(&mut sent.landed, true) {
            return None;
        }
        let start = sent.start;
        let outcome = match settled.fate {
            OrderFate::Answered(bytes) => Some(answered(&bytes)),
            OrderFate::Lost => Some(outcome::lost()),
            OrderFate::TakenBack if self.stops => None,
            OrderFate::TakenBack => Some(outcome::as_seen_by(start.mode, outcome::no_worker(sent.uses))),
        };
        Some(Landed { start, is_order: true, outcome })
    }

    /// Ends what is on its way. If all that is known is durable, what is left is withdrawn, so that workers do nothing more for
    /// this drive; else only what nobody has claimed is taken back, and the next drive learns what became of the rest.
    pub(super) async fn close(&mut self, below: u64, is_durable: bool) {
        if let Some(round) = self.round.take() {
            let _ = round.await;
        }
        let closed = match is_durable {
            true => self.store.withdraw_orders(&self.lease, below).await.map(drop),
            false => self.store.left_orders(&self.lease, below).await.map(drop),
        };
        if let Err(error) = closed {
            tracing::warn!(%error, run = self.lease.run, "orders could not be withdrawn; the next driver does it");
        }
    }
}

/// The outcome in a worker's answer.
pub(super) fn answered(bytes: &[u8]) -> Outcome {
    decode_answer(bytes).unwrap_or_else(|error| {
        let message = format!("the worker's answer cannot be read: {error}");
        let hint = "look at the version of the workers, and at the attempt's log";
        Outcome::Unknown { failure: outcome::failure("worker.answer", message, hint) }
    })
}
