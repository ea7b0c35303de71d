//! What a follower publishes: a snapshot with the state of every site, and what is rendered of it, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::live::grid::Grid;
use crate::live::snapshot::Snapshot;
use crate::live::wire;

/// A run as it stood at one moment. Immutable; whoever looks shares it.
#[derive(Debug)]
pub struct View {
    /// Number of the view, one more with each that the follower publishes.
    pub number: u64,
    /// The run summed up.
    pub snapshot: Snapshot,
    /// The state of every site.
    pub grid: Arc<Grid>,
    /// What differs from the grid of the view before; `None` if that is not known.
    changes: Option<Vec<(usize, String)>>,
    json: OnceLock<Bytes>,
    run_event: OnceLock<Bytes>,
    grid_event: OnceLock<Bytes>,
    changes_event: OnceLock<Bytes>,
    fragments: Mutex<BTreeMap<String, Bytes>>,
}

impl View {
    pub(crate) fn first(snapshot: Snapshot) -> Self {
        Self::new(0, snapshot, Arc::default(), None)
    }

    /// The next view.
    pub(super) fn after(before: &Self, snapshot: Snapshot, grid: Arc<Grid>) -> Self {
        let changes = grid.since(&before.grid);
        Self::new(before.number + 1, snapshot, grid, changes)
    }

    fn new(number: u64, snapshot: Snapshot, grid: Arc<Grid>, changes: Option<Vec<(usize, String)>>) -> Self {
        Self {
            number,
            snapshot,
            grid,
            changes,
            json: OnceLock::new(),
            run_event: OnceLock::new(),
            grid_event: OnceLock::new(),
            changes_event: OnceLock::new(),
            fragments: Mutex::default(),
        }
    }

    /// The run summed up as JSON, lists shortened: what waits for people, and the newest events of note.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| wire::json(self).into()).clone()
    }

    /// The event `run` of the stream: the run summed up, lists shortened.
    #[must_use]
    pub fn run_event(&self) -> Bytes {
        self.run_event.get_or_init(|| wire::run_event(self)).clone()
    }

    /// The event `grid` of the stream: every site.
    #[must_use]
    pub fn grid_event(&self) -> Bytes {
        self.grid_event.get_or_init(|| wire::grid_event(self)).clone()
    }

    /// The event that brings someone up to date who last saw the view `seen`: `sites` with what changed for the view just
    /// before, `grid` for any other. `None` if no site differs.
    #[must_use]
    pub fn sites_event(&self, seen: Option<u64>) -> Option<Bytes> {
        let Some(changes) = self.changes.as_ref().filter(|_| seen.is_some_and(|seen| seen + 1 == self.number)) else {
            return Some(self.grid_event());
        };
        let event = || self.changes_event.get_or_init(|| wire::changes_event(self.number, changes)).clone();
        (!changes.is_empty()).then(event)
    }

    /// What `render` makes of this view, made once for everybody and kept under `name`; so that two hundred watchers of a
    /// page cost one rendering.
    pub fn rendered(&self, name: &str, render: impl FnOnce(&Self) -> Bytes) -> Bytes {
        if let Some(kept) = self.fragments.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return kept.clone();
        }
        // Rendered outside of the lock: the same may be made twice, nobody waits for another's.
        let made = render(self);
        self.fragments.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert(made).clone()
    }
}
