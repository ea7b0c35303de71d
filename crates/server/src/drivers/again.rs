//! Whether a drive that failed is begun again, and when.

use std::time::Duration;

use runtime::{DriveError, JournalError, RecoverError, Settings};
use tokio::time::Instant;

use crate::drivers::DriveOnceError;

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
    /// Time before a drive that failed is begun again. Doubled each time that the store failed it.
    pub(super) first: Duration,
    pub(super) longest: Duration,
    /// Time for which a run that another process holds is tried for: the lease of a verb, or one that could not be given
    /// back, is over by then.
    pub(super) held: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        let held = Duration::from_millis(2 * Settings::default().lease_ms);
        Self { first: Duration::from_secs(2), longest: Duration::from_secs(60), held }
    }
}

/// What is remembered of one run from drive to drive.
#[derive(Debug)]
pub(super) struct Again {
    pauses: Pauses,
    next: Duration,
    /// Since when somebody has held the run, as far as was seen.
    held_since: Option<Instant>,
    /// Whether the run was ever ours.
    pub(super) has_begun: bool,
}

impl Again {
    pub(super) fn new(pauses: Pauses) -> Self {
        Self { pauses, next: pauses.first, held_since: None, has_begun: false }
    }

    /// The run was ours: whoever holds it next does so anew.
    pub(super) fn begun(&mut self) {
        (self.held_since, self.has_begun) = (None, true);
    }

    /// Time after which a drive that failed may work; `None` if it will not by waiting.
    pub(super) fn after(&mut self, error: &DriveOnceError) -> Option<Duration> {
        match of_store(error)? {
            // Somebody took the lease when it had run out, perhaps for one verb alone: then nobody drives the run now.
            JournalError::Fenced { .. } => Some(self.pauses.first),
            JournalError::Held { .. } => {
                let since = *self.held_since.get_or_insert_with(Instant::now);
                (since.elapsed() < self.pauses.held).then_some(self.pauses.first)
            }
            error if error.may_pass() => {
                let now = self.next;
                self.next = (now * 2).min(self.pauses.longest);
                Some(now)
            }
            _ => None,
        }
    }
}

/// Whether a drive that failed may work later, here or elsewhere.
pub(super) fn may_pass(error: &DriveOnceError) -> bool {
    let passes = |error: &JournalError| {
        error.may_pass() || matches!(error, JournalError::Held { .. } | JournalError::Fenced { .. })
    };
    of_store(error).is_some_and(passes)
}

fn of_store(error: &DriveOnceError) -> Option<&JournalError> {
    match error {
        DriveOnceError::Journal(error)
        | DriveOnceError::Drive(DriveError::Journal(error))
        | DriveOnceError::Recover(RecoverError::Journal(error)) => Some(error),
        _ => None,
    }
}
