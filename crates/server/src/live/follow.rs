//! The follower: reads what the journal has gained, folds it, and publishes views. Whoever looks never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use report::{Drawing, Fold};
use runtime::{Clock, RecoverError, Store, SystemClock, Tail};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::live::forecasts::{Forecasts, SHARE};
use crate::live::gather::gather;
use crate::live::grid::Grid;
use crate::live::pace::Pace;
use crate::live::snapshot::{Driver, Line, Snapshot};
use crate::live::view::View;
use crate::words::chain;

/// Time between two looks at the journal's end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);
/// Time between two looks at who drives.
const BETWEEN_LEASES: Duration = Duration::from_secs(1);
/// Least time between two views while somebody looks; longer for plans that take long to count.
const BETWEEN_VIEWS: Duration = Duration::from_millis(100);
/// The same while nobody does.
const BETWEEN_UNSEEN: Duration = Duration::from_secs(5);
/// Events of note that are kept.
const EVENTS: usize = 500;

/// What is asked of a follower; seen to between two pages of the journal, once its end has been reached.
pub enum Question {
    /// A question to the fold.
    Fold(Box<dyn FnOnce(&Fold) + Send>),
    /// A view of what the journal holds now, if there is anything new; answered when it is published.
    View(oneshot::Sender<()>),
}

/// Follows one run. Folding takes a processor for a while: it wants a runtime of several threads.
pub struct Follower {
    store: Arc<dyn Store>,
    tail: Tail,
    fold: Fold,
    events: VecDeque<Line>,
    known: Snapshot,
    pace: Pace,
    /// Groups that the journal had when it was last asked.
    groups: u64,
    /// Whether the journal's end was reached once.
    caught_up: bool,
    /// Whether the fold has moved since it was last gathered.
    moved: bool,
    /// When the last view was published, and how long it took to make.
    published: Option<(Instant, Duration)>,
    between: Duration,
    lease_at: Instant,
    forecasts: Forecasts,
    questions: Option<mpsc::UnboundedReceiver<Question>>,
    /// Held until the journal's end was reached once.
    turn: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("run", &self.fold.name()).finish_non_exhaustive()
    }
}

impl Follower {
    /// Opens a run; nothing of its journal but the plan is read yet. `place` is shown as where it is recorded.
    ///
    /// # Errors
    /// If there is no such run, or the store cannot be read.
    pub async fn open(store: Arc<dyn Store>, run: &str, place: &str) -> Result<Self, RecoverError> {
        let tail = Tail::open(&*store, run).await?;
        let fold = Fold::new(tail.plan().clone()).named(run);
        let now = Instant::now();
        let known = Snapshot { run: report::plain(run), store: report::plain(place), ..Snapshot::default() };
        Ok(Self {
            store,
            tail,
            fold,
            events: VecDeque::new(),
            known,
            pace: Pace::default(),
            groups: 0,
            caught_up: false,
            moved: true,
            published: None,
            between: BETWEEN_VIEWS,
            lease_at: now,
            forecasts: Forecasts::new(),
            questions: None,
            turn: None,
        })
    }

    /// Has questions answered that come this way.
    #[must_use]
    pub fn asked(mut self, questions: mpsc::UnboundedReceiver<Question>) -> Self {
        self.questions = Some(questions);
        self
    }

    /// Has views published not more often than this.
    #[must_use]
    pub fn paced(mut self, between: Duration) -> Self {
        self.between = between;
        self
    }

    /// Holds a turn at reading until the journal's end was reached once.
    #[must_use]
    pub(super) fn in_turn(mut self, turn: Option<OwnedSemaphorePermit>) -> Self {
        self.turn = turn;
        self
    }

    /// What is known before anything is read.
    #[must_use]
    pub fn first(&self) -> Arc<View> {
        Arc::new(View::first(Snapshot { reading: Some((0, 0)), ..self.known.clone() }))
    }

    /// Follows until nobody looks any more, or `leave` says so, which is asked between two pages of the journal. `wake` has it
    /// look at once.
    ///
    /// # Errors
    /// If the journal is not what this version can read; a store that is away for a while is waited for.
    ///
    /// # Cancel safety
    /// May be dropped at any await; nothing but this follower knows of it.
    pub async fn follow(
        mut self,
        out: watch::Sender<Arc<View>>,
        wake: Arc<Notify>,
        mut leave: impl FnMut(&Snapshot) -> bool,
    ) -> Result<(), RecoverError> {
        loop {
            let more = self.look(&wake).await?;
            self.forecast();
            let watched = out.receiver_count() > 1 || !self.caught_up;
            if self.moved && self.is_due(if watched { self.between } else { BETWEEN_UNSEEN }) {
                self.publish(&out);
            }
            if out.is_closed() || leave(&self.known) {
                return Ok(());
            }
            if more {
                continue;
            }
            self.pause(&out, &wake).await?;
        }
    }

    /// Whether the next view may be published, after this time at least.
    fn is_due(&self, least: Duration) -> bool {
        self.published.is_none_or(|(at, cost)| at.elapsed() >= (cost * SHARE).max(least))
    }

    /// Waits for the next look: until it is time, or somebody wants something.
    async fn pause(&mut self, out: &watch::Sender<Arc<View>>, wake: &Notify) -> Result<(), RecoverError> {
        let question = async {
            match &mut self.questions {
                Some(questions) if self.caught_up => questions.recv().await,
                _ => None,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_LOOKS) => {}
            () = wake.notified() => self.lease_at = Instant::now(),
            () = out.closed() => {}
            Some(question) = question => self.answer(question, out, wake).await?,
        }
        Ok(())
    }

    /// Answers a question.
    async fn answer(
        &mut self,
        question: Question,
        out: &watch::Sender<Arc<View>>,
        wake: &Notify,
    ) -> Result<(), RecoverError> {
        match question {
            Question::Fold(asked) => tokio::task::block_in_place(|| asked(&self.fold)),
            Question::View(told) => {
                while self.look(wake).await? {}
                // Not more often than its cost allows, whoever asks.
                if self.moved && self.is_due(Duration::ZERO) {
                    self.publish(out);
                }
                let _ = told.send(());
            }
        }
        Ok(())
    }

    /// Reads a page; says whether there may be more.
    async fn look(&mut self, wake: &Notify) -> Result<bool, RecoverError> {
        let read = match self.read().await {
            Ok(read) => read,
            Err(error) if passes(&error) => {
                self.trouble(Some(report::plain(&chain(&error))));
                let _ = tokio::time::timeout(BETWEEN_LEASES, wake.notified()).await;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.trouble(None);
        // A journal that grows all the time has an end all the same.
        let more = read.len() >= Tail::PAGE as usize;
        if !read.is_empty() {
            tokio::task::block_in_place(|| self.push(&read))?;
            self.fold.note_head(self.tail.link());
        }
        if !more && !self.caught_up {
            (self.caught_up, self.moved, self.turn) = (true, true, None);
        }
        Ok(more)
    }

    async fn read(&mut self) -> Result<Vec<(u64, Vec<engine::Record>)>, RecoverError> {
        if Instant::now() >= self.lease_at {
            let list = self.store.list().await?;
            self.lease_at = Instant::now() + BETWEEN_LEASES;
            if let Some(run) = list.into_iter().find(|run| run.head.run == self.fold.name()) {
                let held = run.held_by.map(|holder| report::plain(&holder));
                let driver = held.map_or(Driver::Nobody, Driver::Process);
                self.moved |= driver != self.known.driver;
                self.known.driver = driver;
                self.groups = run.groups;
            }
        }
        self.tail.read(&*self.store).await
    }

    fn trouble(&mut self, trouble: Option<String>) {
        self.moved |= trouble != self.known.trouble;
        self.known.trouble = trouble;
    }

    fn push(&mut self, groups: &[(u64, Vec<engine::Record>)]) -> Result<(), RecoverError> {
        for (seq, records) in groups {
            for record in records {
                self.fold.push(record).map_err(|source| RecoverError::Record {
                    run: self.fold.name().to_owned(),
                    seq: *seq,
                    source,
                })?;
                if let Some(text) = report::noted(self.fold.run(), record) {
                    self.events.push_back(Line { at: record.at, text });
                }
            }
            self.pace.note(self.fold.run());
            while self.events.len() > EVENTS {
                self.events.pop_front();
            }
        }
        self.moved = true;
        self.forecasts.moved();
        Ok(())
    }

    fn publish(&mut self, out: &watch::Sender<Arc<View>>) {
        let begun = Instant::now();
        let before = out.borrow().clone();
        let (grid, drawing) = if self.caught_up {
            tokio::task::block_in_place(|| {
                self.gather();
                (Grid::of(self.fold.run()), Drawing::of_plan(self.fold.plan()))
            })
        } else {
            self.known.reading = Some((self.tail.groups(), self.groups.max(self.tail.groups())));
            ((*before.grid).clone(), before.drawing.clone())
        };
        let same = grid == *before.grid;
        let grid = if same { before.grid.clone() } else { Arc::new(grid) };
        let view = View::after(&before, self.known.clone(), grid, drawing);
        self.published = Some((Instant::now(), begun.elapsed()));
        out.send_replace(Arc::new(view));
    }

    fn gather(&mut self) {
        let known = std::mem::take(&mut self.known);
        let now = SystemClock.now();
        self.known = gather(&self.fold, now, known);
        self.known.reading = None;
        self.known.events = self.events.iter().cloned().collect();
        let run = self.fold.run();
        let as_of = if self.known.state.over { run.now() } else { now.max(run.now()) };
        self.known.throughput = self.pace.throughput(run, as_of);
        self.known.curve = self.pace.curve(run);
        if self.known.state.over {
            self.known.rest.clear();
            self.known.forecast = None;
        }
        self.moved = false;
    }

    /// Takes a forecast that has been made, and has the next one made when it is time.
    fn forecast(&mut self) {
        if let Some(rest) = self.forecasts.take() {
            self.moved |= rest != self.known.forecast;
            self.known.rest = rest.as_ref().map(report::rest_line).unwrap_or_default();
            self.known.forecast = rest;
        }
        if self.caught_up {
            self.forecasts.begin(&self.fold, self.known.forecast.is_some());
        }
    }
}

/// Whether a trouble of the store may pass by itself.
fn passes(error: &RecoverError) -> bool {
    matches!(error, RecoverError::Journal(error) if error.may_pass())
}
