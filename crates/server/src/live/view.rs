//! What a follower publishes: a snapshot with the state of every site, and what is rendered of it, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use report::Drawing;

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
    /// The graph of the plan that the snapshot's steps are of: an amendment changes both at once. Empty while the journal is
    /// read for the first time.
    pub drawing: Drawing,
    json: OnceLock<Bytes>,
    run_event: OnceLock<Bytes>,
    grid_event: OnceLock<Bytes>,
    fragments: Mutex<BTreeMap<String, Bytes>>,
}

/// What somebody was sent of the sites of a run.
#[derive(Clone, Debug)]
pub struct SentSites {
    view: u64,
    grid: Arc<Grid>,
}

impl View {
    pub(crate) fn first(snapshot: Snapshot) -> Self {
        Self::new(0, snapshot, Arc::default(), Drawing::default())
    }

    /// The next view.
    pub(super) fn after(before: &Self, snapshot: Snapshot, grid: Arc<Grid>, drawing: Drawing) -> Self {
        Self::new(before.number + 1, snapshot, grid, drawing)
    }

    fn new(number: u64, snapshot: Snapshot, grid: Arc<Grid>, drawing: Drawing) -> Self {
        Self {
            number,
            snapshot,
            grid,
            drawing,
            json: OnceLock::new(),
            run_event: OnceLock::new(),
            grid_event: OnceLock::new(),
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

    /// The sites of this view, for whoever has been sent them.
    #[must_use]
    pub fn sites(&self) -> SentSites {
        SentSites { view: self.number, grid: self.grid.clone() }
    }

    /// The event that brings someone up to date who was last sent these sites of the run: `sites` with what has changed
    /// since, or `grid` if that is shorter or nothing was sent yet. `None` if no site differs. Made once for all who were
    /// last sent the same.
    #[must_use]
    pub fn sites_event(&self, sent: Option<&SentSites>) -> Option<Bytes> {
        let Some(sent) = sent else { return Some(self.grid_event()) };
        if Arc::ptr_eq(&sent.grid, &self.grid) {
            return None;
        }
        let event = self.rendered(&format!("sites since {}", sent.view), |view| match view.grid.since(&sent.grid) {
            None => view.grid_event(),
            Some(changes) if changes.is_empty() => Bytes::new(),
            Some(changes) => wire::changes_event(view.number, &changes),
        });
        (!event.is_empty()).then_some(event)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn next(before: &View, letters: &str) -> View {
        View::after(before, Snapshot::default(), Arc::new(Grid::drawn(letters)), before.drawing.clone())
    }

    fn text(event: Option<Bytes>) -> String {
        event.map_or_else(String::new, |event| String::from_utf8_lossy(&event).into_owned())
    }

    #[test]
    fn who_misses_views_is_sent_what_changed_since_and_not_every_site() {
        let first = next(&View::first(Snapshot::default()), "wwwwwwww");
        let sent = first.sites();
        assert!(text(first.sites_event(None)).starts_with("event: grid\n"));
        let last = next(&next(&next(&first, "rwwwwwww"), "orwwwwww"), "oorwwwww");
        let event = text(last.sites_event(Some(&sent)));
        assert!(event.starts_with("event: sites\n") && event.contains("[[0,\"oor\"]]"), "{event}");
        assert_eq!(last.sites_event(Some(&last.sites())), None);
        assert_eq!(next(&last, "oorwwwww").sites_event(Some(&last.sites())), None, "no site differs");
        assert!(text(next(&last, "ww").sites_event(Some(&sent))).starts_with("event: grid\n"), "another plan");
    }
}
