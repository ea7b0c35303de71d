//! Forecasts of the rest, made by a thread of their own from a copy of the fold, so that nobody waits for them.

use std::time::Duration;

use report::{Fold, Rest};
use runtime::{Clock, SystemClock};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Least time between two forecasts.
const BETWEEN: Duration = Duration::from_secs(5);
/// Time after which a forecast is made again although nothing has happened: its end is a time of day.
const AGES: Duration = Duration::from_secs(30);
/// What is worked out again and again may take one part in this of a processor's time.
pub(super) const SHARE: u32 = 20;

pub(super) struct Forecasts {
    at: Instant,
    begun: Instant,
    moved: bool,
    coming: Option<oneshot::Receiver<Option<Rest>>>,
}

impl Forecasts {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { at: now, begun: now, moved: false, coming: None }
    }

    /// The fold has moved.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// Takes a forecast that has been made.
    pub(super) fn take(&mut self) -> Option<Option<Rest>> {
        let mut coming = self.coming.take()?;
        match coming.try_recv() {
            Ok(rest) => {
                let cost = self.begun.elapsed();
                self.at = Instant::now() + (cost * SHARE).max(BETWEEN);
                Some(rest)
            }
            Err(oneshot::error::TryRecvError::Empty) => {
                self.coming = Some(coming);
                None
            }
            Err(oneshot::error::TryRecvError::Closed) => None,
        }
    }

    /// Has the next one made when it is time.
    pub(super) fn begin(&mut self, fold: &Fold, has_one: bool) {
        let now = Instant::now();
        let aged = has_one && now >= self.begun + AGES;
        if self.coming.is_some() || now < self.at || !(self.moved || aged) {
            return;
        }
        (self.moved, self.begun) = (false, now);
        let (told, coming) = oneshot::channel();
        self.coming = Some(coming);
        let fold = fold.clone();
        // Not a task: whoever leaves does not wait for it.
        std::thread::spawn(move || {
            let _ = told.send(fold.rest(SystemClock.now()));
        });
    }
}
