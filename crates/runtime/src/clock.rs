//! Clocks: the system's, and one that is told.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use engine::Millis;
use tokio::sync::watch;

use crate::ports::Clock;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }

    async fn until(&self, at: Millis) {
        let left = u64::try_from(at.saturating_sub(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(left)).await;
    }
}

/// A clock that stands still until it is set: the reference implementation, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Millis>,
    asked: Mutex<Option<Millis>>,
}

impl ManualClock {
    /// Starts at a time.
    #[must_use]
    pub fn new(at: Millis) -> Self {
        Self { now: watch::Sender::new(at), asked: Mutex::new(None) }
    }

    /// Sets the time; whoever waits for it goes on.
    pub fn set(&self, at: Millis) {
        self.now.send_replace(at);
    }

    /// The time that somebody waited for last.
    #[must_use]
    pub fn asked(&self) -> Option<Millis> {
        self.asked.lock().map_or(None, |asked| *asked)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Millis {
        *self.now.borrow()
    }

    async fn until(&self, at: Millis) {
        if let Ok(mut asked) = self.asked.lock() {
            *asked = Some(at);
        }
        let mut now = self.now.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = now.wait_for(|&now| now >= at).await;
    }
}
