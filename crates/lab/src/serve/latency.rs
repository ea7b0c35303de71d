//! What live tenants feel: how long their transactions take, by phases that whoever drives the lab names.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::clock::{self, Millis, rfc3339};
use crate::sql::StoreError;

/// What `recent` in the answer looks back on.
const RECENT: Duration = Duration::from_secs(5);
/// The phase in which a server begins.
const FIRST: &str = "before";

/// The latencies of live transactions since the server began.
#[derive(Debug)]
pub(super) struct Latency {
    file: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    phases: Vec<Phase>,
    /// When each transaction of late ended, and how long it took in microseconds.
    recent: VecDeque<(Instant, u64)>,
}

#[derive(Debug)]
struct Phase {
    name: String,
    from: Millis,
    taken: Histogram,
    failed: u64,
}

impl Phase {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), from: clock::now(), taken: Histogram::default(), failed: 0 }
    }
}

impl Latency {
    pub(super) fn new(file: &Path) -> Self {
        let inner = Inner { phases: vec![Phase::new(FIRST)], recent: VecDeque::new() };
        Self { file: file.to_owned(), inner: Mutex::new(inner) }
    }

    /// Begins another phase; what ends from now on counts for it.
    pub(super) fn phase(&self, name: &str) {
        self.locked(|inner| inner.phases.push(Phase::new(name)));
    }

    /// Counts a transaction: how long it took from when it was due, `None` if it failed.
    pub(super) fn count(&self, taken: Option<Duration>) {
        self.locked(|inner| {
            let Some(phase) = inner.phases.last_mut() else { return };
            let Some(taken) = taken else {
                phase.failed += 1;
                return;
            };
            let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
            phase.taken.add(micros);
            inner.recent.push_back((Instant::now(), micros));
            inner.forget();
        });
    }

    /// Every phase and the last seconds, in milliseconds.
    pub(super) fn summary(&self) -> Json {
        self.locked(|inner| {
            inner.forget();
            let mut recent = Histogram::default();
            inner.recent.iter().for_each(|(_, micros)| recent.add(*micros));
            let ends = inner.phases.iter().skip(1).map(|next| Some(next.from)).chain([None]);
            let phases: Vec<Json> = inner
                .phases
                .iter()
                .zip(ends)
                .map(|(phase, end)| {
                    let mut json = phase.taken.summary();
                    json["failed"] = phase.failed.into();
                    json["name"] = phase.name.as_str().into();
                    json["from"] = rfc3339(phase.from).into();
                    json["to"] = end.map(rfc3339).into();
                    json
                })
                .collect();
            json!({ "recent": recent.summary(), "recent_s": RECENT.as_secs(), "phases": phases })
        })
    }

    /// Writes the summary into the lab's folder, in one rename.
    pub(super) fn write(&self) -> Result<(), StoreError> {
        let new = self.file.with_extension("json.new");
        std::fs::write(&new, format!("{:#}\n", self.summary())).map_err(StoreError::io(&new))?;
        std::fs::rename(&new, &self.file).map_err(StoreError::io(&self.file))
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn forget(&mut self) {
        while self.recent.front().is_some_and(|(ended, _)| ended.elapsed() > RECENT) {
            self.recent.pop_front();
        }
    }
}

/// Counts by size, each class at most a thirty-second wide of what it holds.
#[derive(Debug, Clone, Default)]
struct Histogram {
    classes: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    fn add(&mut self, value: u64) {
        let class = class(value);
        if self.classes.len() <= class {
            self.classes.resize(class + 1, 0);
        }
        self.classes[class] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// The value that this share of all does not exceed, rounded up to the end of its class; 0 of nothing.
    fn quantile(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.classes.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(0, |class| end(class).min(self.max))
    }

    fn summary(&self) -> Json {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        json!({
            "transactions": self.count, "p50_ms": ms(self.quantile(50)), "p95_ms": ms(self.quantile(95)),
            "p99_ms": ms(self.quantile(99)), "max_ms": ms(self.max),
        })
    }
}

/// Below 64 every value is a class of its own; above, each doubling has 32.
fn class(value: u64) -> usize {
    if value < 64 {
        return value as usize;
    }
    let doubling = value.ilog2();
    let within = (value >> (doubling - 5)) as usize - 32;
    64 + (doubling as usize - 6) * 32 + within
}

/// The largest value of a class.
fn end(class: usize) -> u64 {
    if class < 64 {
        return class as u64;
    }
    let (doubling, within) = ((class - 64) / 32, (class - 64) % 32);
    ((32 + within as u64 + 1) << (doubling + 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_order_and_narrow() {
        let mut before = 0;
        for value in (0..5_000).chain((5_000..5_000_000).step_by(997)) {
            let class = class(value);
            assert!(class >= before && value <= end(class), "{value}");
            assert!(end(class) - value <= value / 32, "{value}");
            before = class;
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(99), 0);
        (1..=100).for_each(|n| histogram.add(n * 10));
        assert_eq!((histogram.count, histogram.max), (100, 1_000));
        for (percent, exact) in [(50, 500), (95, 950), (99, 990), (100, 1_000)] {
            let found = histogram.quantile(percent);
            assert!((exact..=exact + exact / 32).contains(&found), "{percent}: {found}");
        }
    }

    #[test]
    fn a_new_phase_counts_for_itself() {
        let latency = Latency::new(Path::new("unused"));
        latency.count(Some(Duration::from_millis(2)));
        latency.phase("during");
        latency.count(Some(Duration::from_millis(8)));
        latency.count(None);
        let summary = latency.summary();
        let phases = summary["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told: Vec<_> =
            phases.iter().map(|p| (&p["name"], &p["transactions"], &p["failed"], &p["max_ms"])).collect();
        let expected = [json!(["before", 1, 0, 2.0]), json!(["during", 1, 1, 8.0])];
        assert_eq!(told.iter().map(|(a, b, c, d)| json!([a, b, c, d])).collect::<Vec<_>>(), expected);
        assert_eq!((&summary["recent"]["transactions"], phases[0]["to"] == phases[1]["from"]), (&json!(2), true));
    }
}
