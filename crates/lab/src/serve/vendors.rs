//! Third-party app vendors: slow, rate-limited and flaky on purpose, the same way for the same seed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::population::VENDORS;
use crate::random::Random;

/// Requests per second that a vendor allows, and at once.
const RATE: f64 = 120.0;
const BURST: f64 = 40.0;

/// The vendors' gates.
#[derive(Debug)]
pub(super) struct Vendors {
    seed: u64,
    authorization: String,
    gates: HashMap<&'static str, Gate>,
}

#[derive(Debug)]
struct Gate {
    requests: AtomicU64,
    bucket: Mutex<(f64, Instant)>,
}

/// What an admitted request will see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    /// 503 before anything happened.
    Down,
    /// The effect takes place, its answer is lost: a 503 of the gateway, without `Retry-After`.
    LostReply,
}

impl Vendors {
    pub(super) fn new(seed: u64, token: &str) -> Self {
        let gate = || Gate { requests: AtomicU64::new(0), bucket: Mutex::new((BURST, Instant::now())) };
        let gates = VENDORS.into_iter().map(|name| (name, gate())).collect();
        Self { seed, authorization: format!("Bearer {token}"), gates }
    }

    /// Checks token and rate, waits as long as the vendor thinks, and says in what mood it is.
    pub(super) async fn admit(&self, vendor: &str, headers: &HeaderMap) -> Result<Mood, Problem> {
        let gate = self
            .gates
            .get(vendor)
            .ok_or_else(|| Problem::not_found("unknown-vendor", format!("no vendor `{vendor}`")))?;
        if headers.get(header::AUTHORIZATION).map(|v| v.as_bytes()) != Some(self.authorization.as_bytes()) {
            return Err(Problem::unauthorized());
        }
        if !gate.take() {
            return Err(Problem::later(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "too many requests"));
        }
        let n = gate.requests.fetch_add(1, Ordering::Relaxed);
        let mut random = Random::new(self.seed, &format!("{vendor} {n}"));
        tokio::time::sleep(Duration::from_millis(20 + random.below(41))).await;
        Ok(match random.below(50) {
            0 => Mood::LostReply,
            1..4 => Mood::Down,
            _ => Mood::Fine,
        })
    }
}

impl Gate {
    fn take(&self) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (tokens, since) = *bucket;
        let tokens = (tokens + RATE * now.duration_since(since).as_secs_f64()).min(BURST);
        let granted = tokens >= 1.0;
        *bucket = (if granted { tokens - 1.0 } else { tokens }, now);
        granted
    }
}

/// The 503 of a gateway that lost the vendor's answer.
pub(super) fn lost() -> Problem {
    Problem::unclear("vendor-unavailable", "the vendor did not answer")
}

/// The 503 of a vendor that is down.
pub(super) fn unavailable() -> Problem {
    Problem::later(StatusCode::SERVICE_UNAVAILABLE, "vendor-unavailable", "try again")
}
