//! How often something is tried again, and for how long.

use std::time::Duration;

use tokio::time::Instant;

use super::connect::Door;
use super::trouble::Failure;

/// How long to wait for a server that is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries at a server that is away.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// How often something is done again that other transactions were preferred to.
const COLLISIONS: u32 = 20;

/// Tries at one thing.
pub(super) struct Attempts {
    /// Until when a server that is away is waited for.
    pub(super) until: Instant,
    collisions: u32,
    /// Whether an answer got lost, so that nobody knows what became of the try.
    pub(super) lost: bool,
    /// Whether changes were taken at this address before.
    changed: bool,
}

impl Attempts {
    pub(super) fn new(door: &Door) -> Self {
        Self { until: Instant::now() + PATIENCE, collisions: 0, lost: false, changed: door.takes_changes() }
    }

    /// Says whether to try again, after a pause. `twice` says that it does no harm to do it once more if nobody knows
    /// whether it was done. Losses count by time alone: a pooler may refuse many times in a second.
    pub(super) async fn again(&mut self, failure: &Failure, twice: bool) -> bool {
        if failure.is_collision() {
            self.collisions += 1;
            // A little longer each time, so that one of many gets through.
            tokio::time::sleep(Duration::from_millis(self.collisions.into())).await;
            return self.collisions < COLLISIONS;
        }
        // Where a server was lost, one that only reads is a standby that takes its place in a moment. What it refuses is surely
        // not done.
        let is_standby = failure.only_reads() && (self.lost || self.changed);
        self.lost |= failure.is_lost();
        if !(is_standby || twice && failure.is_lost()) || Instant::now() + PAUSE >= self.until {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
        true
    }

    /// The failure that is told when all tries are used up: where changes were taken before, they will be again.
    pub(super) fn last(&self, failure: Failure) -> Failure {
        if self.changed && failure.only_reads() { Failure::ReadsNow } else { failure }
    }
}
