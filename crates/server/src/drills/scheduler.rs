//! The scheduler: it sleeps until a slot comes, an alarm is due, or something changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Millis;
use runtime::Clock;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::drills::lost::Lost;
use crate::drills::row::Row;
use crate::drills::shelf::Shelf;
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
    /// Drills that have not ended and do not go on here, by run.
    pub(super) lost: BTreeMap<String, Lost>,
    pub(super) watched: Watched,
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
        let state = self.shared.state();
        state.rows.iter().map(|(name, row)| show(name, row, state.elsewhere(name), now)).collect()
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
        // Before anybody can ask for a drill that has just been read.
        let began = self.clock.now();
        let lost = self.take_up_lost(began).await;
        if let Err(error) = &lost {
            tracing::error!(error = chain(error), "lost drills could not be looked for");
        }
        let shared = self.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let mut shelf = shared.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.look(&shared.kit.catalogue())
        });
        if let Ok(found) = looked.await {
            self.shelve(found);
        }
        let now = self.clock.now();
        let names: Vec<String> = self.state().rows.keys().cloned().collect();
        for name in names {
            if let Err(error) = self.stand(&name, now).await {
                // Without the history it is not known which slots were seen to.
                tracing::error!(drill = name, error = chain(&error), "the history of a drill cannot be read");
                continue;
            }
            if lost.is_ok() {
                self.see_to(&name, now);
            }
        }
        let shared = self.clone();
        let _ = tokio::task::spawn_blocking(move || shared.state().watched.keep()).await;
        let next = self.state().rows.values().filter_map(|row| row.wakes(now)).min();
        // Time may have gone on since lost drills were looked for.
        next.map_or(began + LOOK_MS, |next| next.min(began + LOOK_MS))
    }

    /// Takes in the slots of a drill that have come, and begins one.
    fn see_to(self: &Arc<Self>, name: &str, now: Millis) {
        let mut state = self.state();
        let (lost, elsewhere) = (state.in_the_way(name), state.elsewhere(name));
        let State { rows, watched, .. } = &mut *state;
        let Some(row) = rows.get_mut(name) else { return };
        row.blocked = lost.map(|lost| format!("drill {lost} has to be cleaned up first"));
        if row.blocked.is_some() {
            // Slots are looked at when that is over.
            return;
        }
        if let Some(came) = row.take_in(elsewhere, now) {
            row.dropped = row.dropped.saturating_add(came.dropped);
            if came.dropped > 0 {
                tracing::warn!(drill = name, slots = came.dropped, "slots of a drill do not take place");
            }
            if !came.queued {
                // Nothing in the history will say that they were seen to.
                watched.handled(name, row.handled);
            }
        }
        if let Some(slot) = row.next(elsewhere, now) {
            self.begin(row, name, slot, None, None);
        }
    }
}
