//! The loop of a worker: it lives by its beats, claims while it has free slots, and answers what has ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use engine::Outcome;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::drain::Drain;
use super::hands::Hands;
use super::held::Held;
use super::settings::WorkerSettings;
use crate::attempt::{encode_answer, outcome};
use crate::ports::{ClaimedOrder, JournalError, OrderAnswer, Store, Worker};

/// What a worker tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Working {
    /// The store lists it under this number.
    Enlisted(u64),
    /// It was not heard of for too long: what it had is given up, so many orders, and it enlists anew.
    Lapsed(usize),
    /// It claims nothing more, and has so many orders left.
    Drains(usize),
}

/// Why a worker ended; what it had is given up for lost when it expires.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The store cannot be used.
    #[error("failed to claim or answer orders")]
    Store(#[from] JournalError),
}

/// Pauses between claims: after one that brought something or once a slot is free, and the longest.
const SOON: Duration = Duration::from_millis(5);
const AT_LAST: Duration = Duration::from_millis(250);

/// Time between two times that a store that is away is asked again.
const AWAY: Duration = Duration::from_secs(1);

/// Longest time that the last calls to the store may take when the worker ends.
const FAREWELL: Duration = Duration::from_secs(5);

type Beat = (Instant, Result<Vec<u64>, JournalError>);
type Answered = (Vec<OrderAnswer>, Result<Vec<bool>, JournalError>);

struct Loop<'a> {
    store: &'a dyn Store,
    hands: Arc<Hands>,
    settings: WorkerSettings,
    worker: u64,
    held: Held,
    /// Attempts that have not ended, whether they are still wanted or not.
    running: usize,
    executed: u64,
    ends: mpsc::UnboundedSender<(u64, Outcome)>,
    ended: mpsc::UnboundedReceiver<(u64, Outcome)>,
    beat: Option<BoxFuture<'a, Beat>>,
    claim: Option<BoxFuture<'a, Result<Vec<ClaimedOrder>, JournalError>>>,
    answer: Option<BoxFuture<'a, Answered>>,
    /// Until when it may go on without another beat: well before the store counts it among those that are gone.
    lives_until: Instant,
    pause: Duration,
    next_claim: Instant,
    next_answer: Instant,
    drain: Drain<'a>,
}

/// How a time as one worker ended.
enum Ended {
    /// It does not live any more.
    Lapsed,
    /// It has nothing left, or was told to end now.
    Over,
}

/// Works until it is drained or told to end now, and returns how many attempts it has executed. `tell` hears of changes.
///
/// Must be called inside of a tokio runtime, which executes the attempts.
///
/// # Errors
/// If the store refuses: it is of a newer version, damaged, or may not be changed. One that is only away is waited for.
///
/// # Cancel safety
/// Dropping the future leaves attempts running that nobody will answer for: use `at_once`.
pub async fn work(
    store: &dyn Store,
    hands: Hands,
    settings: WorkerSettings,
    tell: &mut (dyn FnMut(Working) + Send),
) -> Result<u64, WorkerError> {
    let (ends, ended) = mpsc::unbounded_channel();
    let now = Instant::now();
    let mut this = Loop {
        store,
        hands: Arc::new(hands),
        settings,
        worker: 0,
        held: Held::default(),
        running: 0,
        executed: 0,
        ends,
        ended,
        beat: None,
        claim: None,
        answer: None,
        lives_until: now,
        pause: SOON,
        next_claim: now,
        next_answer: now,
        drain: Drain::default(),
    };
    while this.enlist().await? {
        tell(Working::Enlisted(this.worker));
        let over = this.live(tell).await;
        (this.beat, this.claim, this.answer) = (None, None, None);
        this.drain.begin_anew();
        let had = this.held.len();
        this.held.give_up();
        // All were cancelled, and are dropped a moment later; a new life begins with all slots free.
        while this.running > 0 && this.ended.recv().await.is_some() {
            this.running -= 1;
        }
        match over? {
            Ended::Over => break,
            Ended::Lapsed => tell(Working::Lapsed(had)),
        }
    }
    this.hands.flush().await;
    Ok(this.executed)
}

impl<'a> Loop<'a> {
    /// Enlists, waiting for a store that is away; `false` if it was told to end meanwhile.
    async fn enlist(&mut self) -> Result<bool, WorkerError> {
        let settings = &self.settings;
        let labels = settings.labels.iter().cloned().chain(self.hands.labels()).collect();
        let (name, version) = (settings.name.clone(), settings.version.clone());
        let worker = Worker { name, labels, slots: settings.slots, version };
        loop {
            let began = Instant::now();
            let enlisted = tokio::select! {
                biased;
                () = settings.drain.cancelled() => return Ok(false),
                () = settings.at_once.cancelled() => return Ok(false),
                enlisted = self.store.enlist(&worker, settings.ttl_ms()) => enlisted,
            };
            match enlisted {
                Ok(id) => {
                    (self.worker, self.lives_until) = (id, began + settings.lives());
                    return Ok(true);
                }
                Err(error @ JournalError::Unavailable { .. }) => {
                    tracing::warn!(%error, "the worker waits for the store");
                    tokio::select! {
                        () = settings.drain.cancelled() => return Ok(false),
                        () = tokio::time::sleep(AWAY) => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn live(&mut self, tell: &mut (dyn FnMut(Working) + Send)) -> Result<Ended, WorkerError> {
        let mut due = tokio::time::interval(self.settings.beats_every());
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        due.reset();
        let (drain, at_once) = (self.settings.drain.clone(), self.settings.at_once.clone());
        loop {
            self.begin_answer();
            if self.held.len() == 0 && self.drain.may_end(self.claim.is_some()) {
                self.retire().await;
                return Ok(Ended::Over);
            }
            let has_room = !self.drain.is_asked() && self.held.len() < self.settings.slots as usize;
            let may_answer = self.answer.is_none() && self.held.has_answers();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.lives_until) => return Ok(Ended::Lapsed),
                () = at_once.cancelled() => {
                    self.end_now().await;
                    return Ok(Ended::Over);
                }
                (began, over) = done(&mut self.beat) => if !self.end_beat(began, over)? { return Ok(Ended::Lapsed) },
                _ = due.tick(), if self.beat.is_none() => self.begin_beat(),
                Some((id, outcome)) = self.ended.recv() => self.end_attempt(id, outcome),
                (answers, taken) = done(&mut self.answer) => self.end_answer(answers, taken)?,
                claimed = done(&mut self.claim) => if !self.end_claim(claimed)? { return Ok(Ended::Lapsed) },
                () = drain.cancelled(), if !self.drain.is_asked() => {
                    tell(Working::Drains(self.held.len()));
                    self.drain.ask(self.store, self.worker);
                }
                noted = self.drain.noted(self.store, self.worker) => if !noted? { return Ok(Ended::Lapsed) },
                () = tokio::time::sleep_until(self.next_claim), if has_room && self.claim.is_none() => self.begin_claim(),
                () = tokio::time::sleep_until(self.next_answer), if may_answer => {}
            }
        }
    }

    fn begin_beat(&mut self) {
        let (store, worker, ttl_ms, began) = (self.store, self.worker, self.settings.ttl_ms(), Instant::now());
        self.beat = Some(async move { (began, store.beat(worker, ttl_ms).await) }.boxed());
    }

    /// Says whether it still lives.
    fn end_beat(&mut self, began: Instant, over: Result<Vec<u64>, JournalError>) -> Result<bool, WorkerError> {
        match over {
            Ok(over) => {
                self.lives_until = began + self.settings.lives();
                self.held.cancel(&over);
                // A claim whose reply was lost brought them here unseen. One that is under way may still tell of them; none that
                // comes later does.
                if self.claim.is_none() {
                    self.held.disown(&over, &encode_answer(outcome::lost()));
                }
                Ok(true)
            }
            Err(error) => self.bear(error),
        }
    }

    fn begin_claim(&mut self) {
        let (store, worker, holds) = (self.store, self.worker, self.held.ids());
        self.claim = Some(async move { store.claim_orders(worker, &holds).await }.boxed());
    }

    fn end_claim(&mut self, claimed: Result<Vec<ClaimedOrder>, JournalError>) -> Result<bool, WorkerError> {
        let now = Instant::now();
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                self.next_claim = now + AWAY;
                return self.bear(error);
            }
        };
        self.pause = if claimed.is_empty() { (self.pause * 2).min(AT_LAST) } else { SOON };
        self.next_claim = now + self.pause;
        for claimed in claimed {
            let Some(cancel) = self.held.take(&claimed) else { continue };
            self.running += 1;
            let (hands, ends, grace) = (self.hands.clone(), self.ends.clone(), self.settings.grace());
            tokio::spawn(async move {
                // A slot must not be lost with it, whatever it comes to.
                let executed = AssertUnwindSafe(hands.execute(&claimed, cancel, grace)).catch_unwind().await;
                let outcome = executed.unwrap_or_else(|_| outcome::panicked(&claimed.order.unit));
                // Whoever would listen waits until all have ended.
                let _ = ends.send((claimed.id, outcome));
            });
        }
        Ok(true)
    }

    fn end_attempt(&mut self, id: u64, outcome: Outcome) {
        self.running -= 1;
        self.executed += 1;
        self.held.ended(id, encode_answer(outcome));
        self.pause = SOON;
        self.next_claim = self.next_claim.min(Instant::now() + SOON);
    }

    fn begin_answer(&mut self) {
        if self.answer.is_some() || Instant::now() < self.next_answer {
            return;
        }
        let answers = self.held.answers();
        if !answers.is_empty() {
            let (store, worker) = (self.store, self.worker);
            let answer = async move {
                let taken = store.answer_orders(worker, &answers).await;
                (answers, taken)
            };
            self.answer = Some(answer.boxed());
        }
    }

    fn end_answer(
        &mut self,
        answers: Vec<OrderAnswer>,
        taken: Result<Vec<bool>, JournalError>,
    ) -> Result<(), WorkerError> {
        match taken {
            Ok(taken) => {
                let refused = taken.iter().filter(|taken| !**taken).count();
                if refused > 0 {
                    tracing::warn!(refused, "answers came too late: the driver has given these attempts up");
                }
                self.held.forget(&answers);
            }
            Err(error) => {
                self.held.keep(answers);
                self.next_answer = Instant::now() + AWAY;
                self.bear(error)?;
            }
        }
        Ok(())
    }

    /// A store that is away is borne with for as long as the worker lives; says whether it does.
    fn bear(&self, error: JournalError) -> Result<bool, WorkerError> {
        match error {
            JournalError::NotEnlisted(_) => Ok(false),
            error @ JournalError::Unavailable { .. } => {
                tracing::warn!(%error, "the worker cannot reach the store");
                Ok(true)
            }
            error => Err(error.into()),
        }
    }

    /// Cancels all, gives what can be answered, and is gone.
    async fn end_now(&mut self) {
        if let Some(answer) = self.answer.take()
            && let Ok((answers, taken)) = tokio::time::timeout(FAREWELL, answer).await
            && self.end_answer(answers, taken).is_err()
        {
            tracing::warn!("the store refuses answers");
        }
        self.held.cancel_all();
        while self.running > 0
            && let Some((id, outcome)) = self.ended.recv().await
        {
            self.end_attempt(id, outcome);
        }
        let answers = self.held.answers();
        let (store, worker) = (self.store, self.worker);
        let answered = async {
            if !answers.is_empty() {
                store.answer_orders(worker, &answers).await?;
            }
            store.retire(worker).await
        };
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, answered).await {
            tracing::warn!(%error, "the last answers could not be given; the attempts are probed");
        }
    }

    async fn retire(&mut self) {
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, self.store.retire(self.worker)).await {
            tracing::warn!(%error, "the worker could not be struck off; it expires");
        }
    }
}

/// Waits for something to be done, and forgets it then; for ever if there is nothing.
async fn done<T>(pending: &mut Option<BoxFuture<'_, T>>) -> T {
    let Some(future) = pending else { return std::future::pending().await };
    let result = future.await;
    *pending = None;
    result
}
