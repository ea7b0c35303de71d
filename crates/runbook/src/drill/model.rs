//! A drill as its file describes it.

use std::collections::BTreeMap;

use engine::{DrillObjectives, Millis};

use crate::drill::sample::Sample;
use crate::drill::schedule::Schedule;
use crate::model::Runbook;
use crate::source::Source;

/// A drill without errors, ready to be prepared for a slot.
#[derive(Clone, Debug)]
pub struct Drill {
    pub(crate) source: Source,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) files: DrillFiles,
    /// Values of the runbook's inputs, as they would be typed.
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) sample: Sample,
    /// Restore points are drawn from so long before the runbook's; 0 for the runbook's own.
    pub(crate) window_ms: u64,
    pub(crate) objectives: DrillObjectives,
    pub(crate) alarm_after_ms: Option<u64>,
    pub(crate) take_back: bool,
    /// Steps as runbooks of their own over the sites of the runbook.
    pub(crate) set_up: Option<Runbook>,
    pub(crate) clean_up: Runbook,
    /// What tells how the sandbox stands after the run, as a chaos drill compares it.
    pub(crate) compare: Option<Runbook>,
}

/// The files that a drill is made of, as it names them: relative to its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrillFiles {
    /// The runbook.
    pub runbook: String,
    /// The estate, a sandbox.
    pub estate: String,
    /// The list of sites that the sample is drawn from.
    pub sites: String,
}

/// What becomes of a drill that is due while the one before still goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It does not take place.
    #[default]
    Skip,
    /// It begins when the other has ended.
    Queue,
    /// The other is called off and cleaned up first.
    Cancel,
}

/// What becomes of slots that passed while nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// They are gone.
    None,
    /// The newest takes place.
    #[default]
    Last,
    /// The newest so many take place, in their order.
    All(u32),
}

/// Says since when there should have been a good drill of an alarm that is known without its file; as [`Drill::alarm`].
#[must_use]
pub fn overdue(alarm_after_ms: u64, last_good: Option<Millis>, since: Millis, now: Millis) -> Option<Millis> {
    let after = i64::try_from(alarm_after_ms).unwrap_or(i64::MAX);
    let late = last_good.unwrap_or(since).saturating_add(after);
    (now > late).then_some(late)
}

impl Drill {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the description; empty if there is none.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns the source that was checked.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the files that it names.
    #[must_use]
    pub fn files(&self) -> &DrillFiles {
        &self.files
    }

    /// Returns when it takes place by itself; `None` for one that somebody starts.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// Returns how its sites are drawn.
    #[must_use]
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Returns what it is judged by.
    #[must_use]
    pub fn objectives(&self) -> DrillObjectives {
        self.objectives
    }

    /// Returns the time without a good drill after which somebody must know, in milliseconds.
    #[must_use]
    pub fn alarm_after_ms(&self) -> Option<u64> {
        self.alarm_after_ms
    }

    /// Says whether the run is taken back by its own undo steps before the clean-up.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.take_back
    }

    /// Says since when there should have been a good drill, if the last is too long ago; `since` is when the drill
    /// began to be watched, for one that never passed.
    #[must_use]
    pub fn alarm(&self, last_good: Option<Millis>, since: Millis, now: Millis) -> Option<Millis> {
        overdue(self.alarm_after_ms?, last_good, since, now)
    }

    /// Returns the seed of a slot: the file's own, or one that the slot itself gives.
    #[must_use]
    pub fn seed_of(&self, slot: Millis) -> u64 {
        self.sample.seed.unwrap_or_else(|| engine::mix(slot.cast_unsigned()) >> 32)
    }
}
