//! What the scheduler remembers beside the history: since when it knows a drill, and slots that it let pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::Millis;
use serde::{Deserialize, Serialize};

/// Since when a drill is known, so that one that never took place raises the alarm too, however often the daemon was
/// started since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) since: Millis,
    /// Slots up to it need not be looked at again, whatever the history says.
    pub(super) handled: Millis,
}

/// What is remembered, by the name of the drill, in a file of the home.
#[derive(Debug, Default)]
pub(super) struct Watched {
    path: PathBuf,
    drills: BTreeMap<String, Watch>,
    changed: bool,
}

impl Watched {
    /// Reads the file; what cannot be read is begun anew.
    pub(super) fn of(home: &Path) -> Self {
        let path = home.join("drills.json");
        let drills = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "what was known of drills cannot be read");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, drills, changed: false }
    }

    /// What is known of a drill; it is known since `now` else, and slots up to `handled` are seen to.
    pub(super) fn of_drill(&mut self, name: &str, now: Millis, handled: Millis) -> Watch {
        match self.drills.get(name) {
            Some(watch) => *watch,
            None => {
                let watch = Watch { since: now, handled };
                self.changed = true;
                self.drills.insert(name.to_owned(), watch);
                watch
            }
        }
    }

    /// Slots up to a time are seen to.
    pub(super) fn handled(&mut self, name: &str, until: Millis) {
        if let Some(watch) = self.drills.get_mut(name).filter(|watch| watch.handled < until) {
            watch.handled = until;
            self.changed = true;
        }
    }

    /// Writes it down if anything changed. Blocks for a moment.
    pub(super) fn keep(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let next = self.path.with_extension("json.new");
        let bytes = serde_json::to_vec_pretty(&self.drills).unwrap_or_default();
        if let Err(error) = std::fs::write(&next, bytes).and_then(|()| std::fs::rename(&next, &self.path)) {
            tracing::error!(path = %self.path.display(), %error, "what is known of drills cannot be written");
            self.changed = true;
        }
    }
}
