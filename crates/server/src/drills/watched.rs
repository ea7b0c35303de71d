//! What the scheduler remembers beside files and history: since when it knows a drill, slots that it let pass, and what its
//! alarm needs, which so sounds without either.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::Millis;
use serde::{Deserialize, Serialize};

/// Since when a drill is known, so that one that never took place raises the alarm too, however often the daemon was
/// started since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) since: Millis,
    /// Slots up to it need not be looked at again, whatever the history says.
    pub(super) handled: Millis,
    /// Name of its file when that was read last without an error.
    #[serde(default)]
    pub(super) file: String,
    /// Its `alarm_after` then.
    #[serde(default)]
    pub(super) alarm_after_ms: Option<u64>,
    /// When the last drill ended that the history knew as a good one.
    #[serde(default)]
    pub(super) last_good: Option<Millis>,
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
                tracing::error!(path = %path.display(), %error, "what was known of drills cannot be read: it is begun anew");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, drills, changed: false }
    }

    /// What is known of a drill; it is known since `now` else, and slots up to `handled` are seen to. What a clock wrote down
    /// that was ahead is put right: slots to come were not seen to.
    pub(super) fn of_drill(&mut self, name: &str, now: Millis, handled: Millis) -> Watch {
        let new = Watch { since: now, handled, file: String::new(), alarm_after_ms: None, last_good: None };
        let watch = self.drills.entry(name.to_owned()).or_insert_with(|| {
            self.changed = true;
            new
        });
        self.changed |= watch.since > now || watch.handled > now;
        watch.since = watch.since.min(now);
        watch.handled = watch.handled.min(now);
        watch.clone()
    }

    /// Slots of a drill up to a time are seen to.
    pub(super) fn handled(&mut self, name: &str, until: Millis) {
        self.of_known(name, |watch| watch.handled = watch.handled.max(until));
    }

    /// Changes what is remembered of a drill that is known.
    pub(super) fn of_known(&mut self, name: &str, change: impl FnOnce(&mut Watch)) {
        if let Some(watch) = self.drills.get_mut(name) {
            let before = watch.clone();
            change(watch);
            self.changed |= *watch != before;
        }
    }

    /// The drill whose file that was.
    pub(super) fn name_of(&self, file: &str) -> Option<&str> {
        self.drills.iter().find(|(_, watch)| watch.file == file).map(|(name, _)| name.as_str())
    }

    /// Drills with an alarm, whether or not they have a file.
    pub(super) fn alarmed(&self) -> impl Iterator<Item = (&str, &Watch)> {
        let alarmed = self.drills.iter().filter(|(_, watch)| watch.alarm_after_ms.is_some());
        alarmed.map(|(name, watch)| (name.as_str(), watch))
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
