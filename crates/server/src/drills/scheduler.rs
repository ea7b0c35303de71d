//! The scheduler: it sleeps until a slot comes, an alarm is due, or something changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Millis;
use runtime::{Clock, JournalError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::drills::row::Row;
use crate::drills::shelf::{OnShelf, Shelf};
use crate::drills::shown::{DrillShown, show};
use crate::drills::watched::Watched;
use crate::drivers::Kit;
use crate::metrics::Metrics;
use crate::words::chain;

/// Files and the store are looked at again after this, whatever else is due.
pub(super) const LOOK_MS: Millis = 30_000;

/// The daemon's drills; clones are the same.
#[derive(Clone)]
pub struct Drills {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) kit: Kit,
    pub(super) clock: Arc<dyn Clock>,
    /// In whose name drills take place by themselves.
    pub(super) actor: String,
    pub(super) metrics: Metrics,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) wake: Notify,
    changed: watch::Sender<u64>,
    shelf: Mutex<Shelf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rows: BTreeMap<String, Row>,
    /// Lost drills that are ended here now, by run.
    pub(super) ending: BTreeMap<String, String>,
    /// When a drill that could not be ended is tried again, by run.
    pub(super) again: BTreeMap<String, Millis>,
    watched: Watched,
}

impl std::fmt::Debug for Drills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drills").field("kit", &self.shared.kit).finish_non_exhaustive()
    }
}

impl Drills {
    /// The drills of the folder `drills` in a home. Nothing takes place until [`Drills::run`] is called. Cancelling `stop`
    /// calls off what goes on, which is cleaned up all the same.
    #[must_use]
    pub fn new(
        kit: Kit,
        home: &Path,
        actor: &str,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Self {
        let state = State { watched: Watched::of(home), ..State::default() };
        let shared = Shared {
            kit,
            clock,
            actor: actor.to_owned(),
            metrics,
            stop,
            tasks: TaskTracker::new(),
            wake: Notify::new(),
            changed: watch::Sender::new(0),
            shelf: Mutex::new(Shelf::of(home.join("drills"))),
            state: Mutex::new(state),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has drills take place when they are due, until the process is to stop. Those whose processes were lost are ended
    /// first.
    ///
    /// # Cancel safety
    /// Dropping the future leaves what goes on as it is; nothing new begins.
    pub async fn run(&self) {
        let shared = &self.shared;
        while !shared.stop.is_cancelled() {
            let next = shared.turn().await;
            shared.changed.send_modify(|turn| *turn += 1);
            tokio::select! {
                () = shared.clock.until(next) => {}
                () = shared.wake.notified() => {}
                () = shared.stop.cancelled() => {}
            }
        }
    }

    /// Changes whenever how drills stand was looked at anew.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// How drills stand, by name.
    #[must_use]
    pub fn shown(&self) -> Vec<DrillShown> {
        let now = self.shared.clock.now();
        self.shared.state().rows.iter().map(|(name, row)| show(name, row, now)).collect()
    }

    /// Waits until what goes on has ended; it does, cleaned up, once `stop` is cancelled. Not longer than `patience`: what
    /// is left is ended by the next process.
    ///
    /// # Cancel safety
    /// Dropping the future leaves drills as they are.
    pub async fn ended(&self, patience: Duration) {
        self.shared.tasks.close();
        if !self.shared.tasks.is_empty() {
            tracing::info!("drills are called off and cleaned up before the process ends");
        }
        let _ = tokio::time::timeout(patience, self.shared.tasks.wait()).await;
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything once, begins what is due, and says when to look again.
    async fn turn(self: &Arc<Self>) -> Millis {
        let shared = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut shelf = shared.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.look(&shared.kit.catalogue())
        });
        if let Ok(found) = looked.await {
            self.shelve(found);
        }
        let now = self.clock.now();
        if let Err(error) = self.take_up_lost(now).await {
            tracing::error!(error = chain(&error), "lost drills could not be looked for");
        }
        let names: Vec<String> = self.state().rows.keys().cloned().collect();
        for name in names {
            if let Err(error) = self.stand(&name, now).await {
                // Without the history it is not known which slots were seen to.
                tracing::error!(drill = name, error = chain(&error), "the history of a drill cannot be read");
                continue;
            }
            self.see_to(&name, now);
        }
        let shared = self.clone();
        let _ = tokio::task::spawn_blocking(move || shared.state().watched.keep()).await;
        let next = self.state().rows.values().filter_map(|row| row.wakes(now)).min();
        next.map_or(now + LOOK_MS, |next| next.min(now + LOOK_MS))
    }

    /// Takes over what was read. A drill whose file is gone is forgotten, unless it goes on.
    fn shelve(&self, found: Vec<Arc<OnShelf>>) {
        let mut state = self.state();
        let mut named = BTreeSet::new();
        for read in found {
            // A file that was never read without an error stands under its own name.
            let known = state.rows.iter().find(|(_, row)| row.read.file == read.file).map(|(name, _)| name.clone());
            let name = match &read.loaded {
                Some(loaded) => loaded.drill.name().to_owned(),
                None => known.unwrap_or_else(|| read.file.clone()),
            };
            let (name, read) = if named.contains(&name) {
                let first = Some(format!("another file has a drill `{name}`"));
                (read.file.clone(), Arc::new(OnShelf { loaded: None, first, ..(*read).clone() }))
            } else {
                (name, read)
            };
            named.insert(name.clone());
            let row = state.rows.entry(name).or_insert_with(|| Row::of(read.clone()));
            if let Some(loaded) = &read.loaded {
                row.drill = Some(loaded.clone());
            }
            row.read = read;
        }
        state.rows.retain(|name, row| named.contains(name) || row.going.is_some());
    }

    /// Reads how a drill stands.
    pub(super) async fn stand(&self, name: &str, now: Millis) -> Result<(), JournalError> {
        let store = &self.kit.store;
        let unknown = self.state().rows.get(name).is_some_and(|row| row.last.is_none());
        let last = store.drills(Some(name), 1).await?.pop();
        let first = if unknown { store.first_drill(name).await? } else { None };
        let good = store.last_good_drill(name, now).await?.and_then(|entry| entry.result).map(|result| result.ended_at);
        let mut state = self.state();
        let State { rows, watched, .. } = &mut *state;
        let Some(row) = rows.get_mut(name) else { return Ok(()) };
        if unknown {
            row.oldest = first.map(|entry| entry.claim.at);
        }
        let claimed = last.as_ref().map(|entry| entry.claim.slot);
        // What passed before anybody knew of the drill was never missed.
        let watch = watched.of_drill(name, now, claimed.unwrap_or(now));
        row.since = watch.since;
        row.handled = row.handled.max(watch.handled).max(claimed.unwrap_or(Millis::MIN));
        row.last = last;
        row.last_good = good;
        if row.watch(now) {
            match row.alarm {
                Some(since) => {
                    tracing::error!(drill = name, since = report::stamp(since), "ALARM: a good drill is missing")
                }
                None => tracing::info!(drill = name, "a good drill has passed: the alarm is over"),
            }
        }
        Ok(())
    }

    /// Takes in the slots of a drill that have come, and begins one.
    fn see_to(self: &Arc<Self>, name: &str, now: Millis) {
        let mut state = self.state();
        if state.ending.values().any(|drill| drill == name) {
            // The sandbox is cleaned up first; slots are looked at when that is over.
            return;
        }
        let State { rows, watched, .. } = &mut *state;
        let Some(row) = rows.get_mut(name) else { return };
        if let Some(came) = row.take_in(now) {
            row.dropped = row.dropped.saturating_add(came.dropped);
            if came.dropped > 0 {
                tracing::warn!(drill = name, slots = came.dropped, "slots of a drill do not take place");
            }
            if !came.queued {
                // Nothing in the history will say that they were seen to.
                watched.handled(name, row.handled);
            }
        }
        if let Some(slot) = row.next() {
            self.begin(row, name, slot, None, self.actor.clone());
        }
    }
}

impl Row {
    fn of(read: Arc<OnShelf>) -> Self {
        Self {
            drill: read.loaded.clone(),
            read,
            going: None,
            queue: Default::default(),
            elsewhere: false,
            last: None,
            last_good: None,
            oldest: None,
            since: Millis::MAX,
            handled: Millis::MIN,
            dropped: 0,
            alarm: None,
            trouble: None,
        }
    }
}
