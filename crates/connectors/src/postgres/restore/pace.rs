//! How fast the live database is written to, so that those who use it do not feel it.
//!
//! A rate that grows step by step as long as the live database answers in time, and is halved when it does not
//! (additive increase, multiplicative decrease). A number of connections alone does not do: the second one of two
//! cores brings speed and four times the latency, the third nothing but latency.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The slowest that a restore is held to, in bytes a second: it must end some day.
const SLOWEST: f64 = 64.0 * 1024.0;
/// Where a guarded restore begins, in bytes a second.
const BEGIN: f64 = 2.0 * 1024.0 * 1024.0;
/// What a second without a breach adds, in bytes a second.
const STEP: f64 = 2.0 * 1024.0 * 1024.0;
/// How much may be sent at once after a pause, in seconds of the rate.
const BURST: f64 = 0.1;

/// A rate shared by the connections of a restore.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Option<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Bytes a second.
    rate: f64,
    /// When what was let through so far is worked off at this rate.
    free_at: Instant,
}

impl Pace {
    /// A pace without limit.
    pub(crate) fn unlimited() -> Self {
        Self { state: None }
    }

    /// A pace that [`Pace::heard`] sets.
    pub(crate) fn guarded() -> Self {
        Self { state: Some(Mutex::new(State { rate: BEGIN, free_at: Instant::now() })) }
    }

    /// Waits until these bytes may be sent.
    ///
    /// # Cancel safety
    /// The bytes count as sent.
    pub(crate) async fn wait(&self, bytes: usize) {
        let Some(until) = self.due(bytes) else { return };
        tokio::time::sleep_until(until).await;
    }

    fn due(&self, bytes: usize) -> Option<Instant> {
        let mut state = self.state.as_ref()?.lock().ok()?;
        state.due(Instant::now(), bytes)
    }

    /// Takes what was measured over some time: the latency of the live database against its limit.
    pub(crate) fn heard(&self, latency: Duration, limit: Duration, over: Duration) {
        let Some(Ok(mut state)) = self.state.as_ref().map(Mutex::lock) else { return };
        state.rate = next(state.rate, latency > limit, over);
    }
}

impl State {
    /// Lets bytes through; returns from when on, if not at once.
    fn due(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let earliest = now.checked_sub(Duration::from_secs_f64(BURST)).unwrap_or(now);
        let begin = self.free_at.max(earliest);
        self.free_at = begin + Duration::from_secs_f64(bytes as f64 / self.rate);
        (begin > now).then_some(begin)
    }
}

fn next(rate: f64, breach: bool, over: Duration) -> f64 {
    if breach { (rate / 2.0).max(SLOWEST) } else { rate + STEP * over.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_halves_and_calm_adds() {
        let second = Duration::from_secs(1);
        assert_eq!(next(8.0 * STEP, true, second), 4.0 * STEP);
        assert_eq!(next(4.0 * STEP, false, second), 5.0 * STEP);
        assert_eq!(next(SLOWEST, true, second), SLOWEST);
    }

    #[test]
    fn bytes_pass_at_the_rate_whoever_sends_them() {
        let begun = Instant::now();
        let mut state = State { rate: BEGIN, free_at: begun };
        let half = BEGIN as usize / 2;
        assert_eq!(state.due(begun, half), None, "the first begin at once");
        let due = state.due(begun, half).expect("it was made to be so");
        assert_eq!(due - begun, Duration::from_millis(500));
        // After a pause a little may be sent at once, and not all that was not sent meanwhile.
        let later = begun + Duration::from_secs(60);
        assert_eq!(state.due(later, half), None);
        assert_eq!(state.due(later, half).expect("it was made to be so") - later, Duration::from_millis(400));
    }
}
