//! What is counted as it happens: HTTP requests, attempts, and how long the journal takes.

use std::sync::Arc;
use std::time::Duration;

use engine::{Event, Record};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use runtime::{Clock, SystemClock};

/// Counters of this process; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) counted: Arc<Counted>,
}

#[derive(Debug)]
pub(super) struct Counted {
    pub(super) requests: Family<Request, Counter>,
    pub(super) request_seconds: Histogram,
    pub(super) attempts: Family<Attempt, Counter>,
    pub(super) commit_seconds: Histogram,
    pub(super) watchers: Family<Nothing, prometheus_client::metrics::gauge::Gauge>,
}

/// Labels of a request: routes are those of the router, so that no path of a client makes a label.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Request {
    method: String,
    route: String,
    status: u16,
}

/// Labels of a series of its own.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Nothing {}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Attempt {
    what: What,
}

/// What became of attempts.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
enum What {
    Started,
    Succeeded,
    Refused,
    InDoubt,
    NotBegun,
}

/// In the order in which they are counted.
const WHATS: [What; 5] = [What::Started, What::Succeeded, What::Refused, What::InDoubt, What::NotBegun];

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let counted = Counted {
            requests: Family::default(),
            request_seconds: Histogram::new(buckets),
            attempts: Family::default(),
            commit_seconds: Histogram::new(buckets),
            watchers: Family::default(),
        };
        Self { counted: Arc::new(counted) }
    }
}

impl Metrics {
    /// Counts an answered request; `route` is the router's pattern, empty if there was none.
    pub fn answered(&self, method: &http::Method, route: &str, status: u16, took: Duration) {
        let known = [http::Method::GET, http::Method::POST, http::Method::DELETE, http::Method::HEAD];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let labels = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.counted.requests.get_or_create(&labels).inc();
        self.counted.request_seconds.observe(took.as_secs_f64());
    }

    /// Counts someone who follows a stream, until the guard is dropped.
    #[must_use]
    pub(crate) fn watcher(&self) -> Watcher {
        self.counted.watchers.get_or_create(&Nothing {}).inc();
        Watcher { metrics: self.clone() }
    }

    /// Counts what became durable.
    pub fn committed(&self, records: &[Record]) {
        if let Some(last) = records.last() {
            let ms = SystemClock.now().saturating_sub(last.at).max(0);
            self.counted.commit_seconds.observe(ms as f64 / 1_000.0);
        }
        let mut counts = [0_u64; 5];
        for record in records {
            match record.event {
                Event::Started { .. } => counts[0] += 1,
                Event::Succeeded { .. } => counts[1] += 1,
                Event::Refused { .. } => counts[2] += 1,
                Event::InDoubt { .. } => counts[3] += 1,
                Event::NotBegun { .. } => counts[4] += 1,
                _ => {}
            }
        }
        for (what, count) in WHATS.into_iter().zip(counts) {
            if count > 0 {
                self.counted.attempts.get_or_create(&Attempt { what }).inc_by(count);
            }
        }
    }
}

/// Someone who follows a stream.
#[derive(Debug)]
pub(crate) struct Watcher {
    metrics: Metrics,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.metrics.counted.watchers.get_or_create(&Nothing {}).dec();
    }
}
