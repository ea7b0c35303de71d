//! Who a worker is, and the times by which it lives.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Longest time, in milliseconds, that a worker may live without a beat. Who drives waits half as long again for what an older
/// driver's workers still have.
pub const LEASE_MAX_MS: u64 = 60_000;

/// Time that a cancelled attempt gets to end in its own way, at most.
const CANCEL_GRACE: Duration = Duration::from_secs(3);

/// Longest time between two beats: each also tells which orders were withdrawn.
const BEAT: Duration = Duration::from_secs(2);

/// Who a worker is, and how it lives.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Host and process, for people.
    pub name: String,
    /// What it has that steps may demand.
    pub labels: BTreeSet<String>,
    /// Orders that it executes at once, at least 1.
    pub slots: u32,
    /// Version of the program.
    pub version: String,
    /// Time that it lives without a beat, in milliseconds; more than [`LEASE_MAX_MS`] is taken for that. It beats seven times as
    /// often, and every two seconds at least.
    pub ttl_ms: u64,
    /// Cancelled when it should claim nothing more, finish what it has, and end.
    pub drain: CancellationToken,
    /// Cancelled when it should end now; attempts get some seconds to end in their own way.
    pub at_once: CancellationToken,
}

impl WorkerSettings {
    /// What the store is told: until when it counts among those that live.
    pub(super) fn ttl_ms(&self) -> u64 {
        self.ttl_ms.min(LEASE_MAX_MS)
    }

    fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms())
    }

    /// Time between two beats.
    pub(super) fn beats_every(&self) -> Duration {
        (self.ttl() / 7).clamp(Duration::from_millis(1), BEAT)
    }

    /// Time that it goes on without a beat. The store waits longer before it gives its orders up for lost: by as long as its
    /// attempts get to end once they are cancelled, or a quarter of all where that is less, and by a twentieth for clocks
    /// that run at different speeds.
    pub(super) fn lives(&self) -> Duration {
        let ttl = self.ttl();
        ttl.saturating_sub(self.grace() + ttl / 20)
    }

    /// Time that cancelled attempts get to end in their own way.
    pub(super) fn grace(&self) -> Duration {
        (self.ttl() / 4).min(CANCEL_GRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_has_is_over_before_the_store_gives_it_up() {
        for ttl_ms in [1, 100, 1_000, 15_000, LEASE_MAX_MS, u64::MAX] {
            let settings = WorkerSettings {
                name: String::new(),
                labels: BTreeSet::new(),
                slots: 1,
                version: String::new(),
                ttl_ms,
                drain: CancellationToken::new(),
                at_once: CancellationToken::new(),
            };
            let all = settings.lives() + settings.grace();
            assert!(all <= settings.ttl() && settings.ttl().as_millis() <= LEASE_MAX_MS.into(), "{ttl_ms}");
            assert!(
                settings.beats_every() * 3 < settings.lives() || ttl_ms < 100,
                "{ttl_ms}: it has more than one try"
            );
        }
    }
}
