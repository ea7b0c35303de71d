//! The follower: reads what the journal has gained, folds it, and hands out snapshots. Whoever draws never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use report::Fold;
use runtime::{Clock, JournalError, RecoverError, Store, SystemClock, Tail};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::gather::gather;
use super::snapshot::{Driver, Line, Snapshot};
use crate::failure::{Failure, chain};
use crate::progress;

/// Time between two looks at the journal's end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);
/// Time between two looks at who drives.
const BETWEEN_LEASES: Duration = Duration::from_secs(1);
/// Least time between two snapshots; longer for plans that take long to count.
const BETWEEN_SNAPSHOTS: Duration = Duration::from_millis(100);
/// Least time between two forecasts.
const BETWEEN_FORECASTS: Duration = Duration::from_secs(5);
/// Time after which a forecast is made again although nothing has happened: its end is a time of day.
const FORECAST_AGES: Duration = Duration::from_secs(30);
/// What is worked out again and again may take one part in this of a processor's time.
const SHARE: u32 = 20;
/// Events of note that are kept.
const EVENTS: usize = 500;

/// Follows one run.
pub(super) struct Follower {
    store: Arc<dyn Store>,
    tail: Tail,
    fold: Fold,
    events: VecDeque<Line>,
    known: Snapshot,
    /// Groups that the journal had when it was last asked.
    groups: u64,
    /// Whether the journal's end was reached once.
    caught_up: bool,
    /// Whether the fold has moved since it was last gathered.
    moved: bool,
    gather_at: Instant,
    lease_at: Instant,
    forecast: Forecasts,
}

/// Forecasts, made by a thread of their own from a copy of the fold.
struct Forecasts {
    at: Instant,
    begun: Instant,
    moved: bool,
    coming: Option<oneshot::Receiver<String>>,
}

impl Follower {
    /// Opens a run; nothing of its journal but the plan is read yet.
    ///
    /// # Errors
    /// If there is no such run, or the store cannot be read.
    pub(super) async fn open(store: Arc<dyn Store>, run: &str, place: &str) -> Result<Self, Failure> {
        let tail = Tail::open(&*store, run).await?;
        let fold = Fold::new(tail.plan().clone()).named(run);
        let now = Instant::now();
        let known = Snapshot { run: report::plain(run), store: report::plain(place), ..Snapshot::default() };
        let forecast = Forecasts { at: now, begun: now, moved: false, coming: None };
        let events = VecDeque::new();
        Ok(Self {
            store,
            tail,
            fold,
            events,
            known,
            groups: 0,
            caught_up: false,
            moved: true,
            gather_at: now,
            lease_at: now,
            forecast,
        })
    }

    /// What is known before anything is read.
    pub(super) fn first(&self) -> Snapshot {
        Snapshot { reading: Some((0, 0)), ..self.known.clone() }
    }

    /// Follows until nobody looks any more. `wake` has it look at once.
    ///
    /// # Errors
    /// If the journal is not what this version can read; a store that is away for a while is waited for.
    pub(super) async fn follow(mut self, out: watch::Sender<Snapshot>, wake: Arc<Notify>) -> Result<(), Failure> {
        while !out.is_closed() {
            let more = self.look(&wake).await?;
            self.forecast();
            if self.moved && Instant::now() >= self.gather_at {
                if self.caught_up {
                    tokio::task::block_in_place(|| self.gather());
                } else {
                    self.known.reading = Some((self.tail.groups(), self.groups.max(self.tail.groups())));
                    self.gather_at = Instant::now() + BETWEEN_SNAPSHOTS;
                }
                let _ = out.send(self.known.clone());
            }
            if more {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(BETWEEN_LOOKS) => {}
                () = wake.notified() => self.lease_at = Instant::now(),
                () = out.closed() => {}
            }
        }
        Ok(())
    }

    /// Reads a page; says whether there may be more.
    async fn look(&mut self, wake: &Notify) -> Result<bool, Failure> {
        let read = match self.read().await {
            Ok(read) => read,
            Err(error) if passes(&error) => {
                self.trouble(Some(report::plain(&chain(&error))));
                let _ = tokio::time::timeout(BETWEEN_LEASES, wake.notified()).await;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.trouble(None);
        if read.is_empty() && !self.caught_up {
            (self.caught_up, self.moved) = (true, true);
        }
        tokio::task::block_in_place(|| self.push(&read))?;
        Ok(!read.is_empty())
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

    fn push(&mut self, groups: &[(u64, Vec<engine::Record>)]) -> Result<(), Failure> {
        for (seq, records) in groups {
            for record in records {
                self.fold.push(record).map_err(|source| RecoverError::Record {
                    run: self.fold.name().to_owned(),
                    seq: *seq,
                    source,
                })?;
                if let Some(text) = progress::words(self.fold.run(), record) {
                    self.events.push_back(Line { at: record.at, text });
                }
            }
            while self.events.len() > EVENTS {
                self.events.pop_front();
            }
        }
        self.moved |= !groups.is_empty();
        self.forecast.moved |= !groups.is_empty();
        Ok(())
    }

    fn gather(&mut self) {
        let begun = Instant::now();
        let known = std::mem::take(&mut self.known);
        self.known = gather(&self.fold, SystemClock.now(), known);
        self.known.reading = None;
        self.known.events = self.events.iter().cloned().collect();
        if self.known.state.over {
            self.known.rest.clear();
        }
        self.moved = false;
        self.gather_at = Instant::now() + (begun.elapsed() * SHARE).max(BETWEEN_SNAPSHOTS);
    }

    /// Takes a forecast that has been made, and has the next one made when it is time.
    fn forecast(&mut self) {
        if let Some(mut coming) = self.forecast.coming.take() {
            match coming.try_recv() {
                Ok(rest) => {
                    self.moved |= rest != self.known.rest;
                    self.known.rest = rest;
                    let cost = self.forecast.begun.elapsed();
                    self.forecast.at = Instant::now() + (cost * SHARE).max(BETWEEN_FORECASTS);
                }
                Err(oneshot::error::TryRecvError::Empty) => self.forecast.coming = Some(coming),
                Err(oneshot::error::TryRecvError::Closed) => {}
            }
            return;
        }
        let now = Instant::now();
        let aged = !self.known.rest.is_empty() && now >= self.forecast.begun + FORECAST_AGES;
        if now < self.forecast.at || !(self.forecast.moved || aged) || !self.caught_up {
            return;
        }
        self.forecast.moved = false;
        self.forecast.begun = now;
        let (told, coming) = oneshot::channel();
        self.forecast.coming = Some(coming);
        let fold = self.fold.clone();
        // Not a task: leaving the screen does not wait for it.
        std::thread::spawn(move || {
            let rest = fold.rest(SystemClock.now()).map(|rest| report::rest_line(&rest));
            let _ = told.send(rest.unwrap_or_default());
        });
    }
}

/// Whether a trouble of the store may pass by itself.
fn passes(error: &RecoverError) -> bool {
    use JournalError::{Corrupt, NewerFormat, NoSuchRun, Unsupported};
    match error {
        RecoverError::Journal(error) => {
            !matches!(error, NoSuchRun(_) | Corrupt(_) | NewerFormat { .. } | Unsupported { .. })
        }
        _ => false,
    }
}
