//! The text of `/metrics`: what was counted, and how the followed runs stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::drills::DrillShown;
use crate::live::View;
use crate::metrics::Metrics;

/// Runs told of; a store may have thousands.
const RUNS: usize = 50;
/// Pools told of a run.
const POOLS: usize = 50;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfState {
    run: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPool {
    run: String,
    pool: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRun {
    run: String,
}

/// Writes everything as text for Prometheus; runs are those that this process drives or somebody looks at, in the order
/// of `views`, and those that it could not drive any further, by `troubles`.
pub(crate) fn render(
    metrics: &Metrics,
    views: &[Arc<View>],
    troubles: &BTreeMap<String, String>,
    drills: &[DrillShown],
) -> String {
    let mut registry = Registry::with_prefix("reinstate");
    let counted = &metrics.counted;
    registry.register("http_requests", "Requests answered, by route and status", counted.requests.clone());
    registry.register("http_request_seconds", "Time to an answer", counted.request_seconds.clone());
    registry.register("http_watchers", "Streams that are followed", counted.watchers.clone());
    registry.register("attempts", "Attempts of the runs driven here", counted.attempts.clone());
    registry.register(
        "journal_commit_seconds",
        "From a decision to its record being durable",
        counted.commit_seconds.clone(),
    );
    runs(&mut registry, views);
    let trouble = Family::<OfRun, Gauge>::default();
    // Somebody else may drive it by now.
    let goes_on = |run: &String| views.iter().any(|view| view.snapshot.run == *run && !view.snapshot.is_adrift());
    for run in troubles.keys().filter(|run| !goes_on(run)).take(RUNS) {
        trouble.get_or_create(&OfRun { run: run.clone() }).set(1);
    }
    registry.register("drive_trouble", "Whether this process could not drive the run any further", trouble);
    crate::metrics::drills::register(&mut registry, drills);
    let mut text = String::new();
    // Writing to a text has no way to fail.
    let _ = encode(&mut text, &registry);
    text
}

fn runs(registry: &mut Registry, views: &[Arc<View>]) {
    let (sites, units) = (Family::<OfState, Gauge>::default(), Family::<OfState, Gauge>::default());
    let (used, slots) = (Family::<OfPool, Gauge>::default(), Family::<OfPool, Gauge>::default());
    let (flight, rest) = (Family::<OfRun, Gauge>::default(), Family::<OfRun, Gauge>::default());
    // What has not been read to its end would be measured as nothing.
    for view in views.iter().filter(|view| view.snapshot.reading.is_none()).take(RUNS) {
        let seen = &view.snapshot;
        let run = seen.run.clone();
        let of = &seen.sites;
        for (state, count) in [
            ("returned", of.returned),
            ("degraded", of.degraded),
            ("quarantined", of.quarantined),
            ("undone", of.undone),
            ("excluded", of.excluded),
            ("released", of.released),
            ("restoring", of.under_way),
            ("waiting", of.waiting),
        ] {
            sites.get_or_create(&OfState { run: run.clone(), state }).set(count.into());
        }
        let mut sum = [0_i64; 7];
        for step in &seen.steps {
            let of = [step.done, step.running, step.waiting, step.failed, step.degraded, step.not_run, step.undone];
            sum.iter_mut().zip(of).for_each(|(sum, count)| *sum += i64::from(count));
        }
        let states = ["succeeded", "running", "waiting", "failed", "degraded", "not_run", "undone"];
        for (state, count) in states.into_iter().zip(sum) {
            units.get_or_create(&OfState { run: run.clone(), state }).set(count);
        }
        for pool in seen.pools.iter().take(POOLS) {
            let labels = OfPool { run: run.clone(), pool: pool.name.clone() };
            used.get_or_create(&labels).set(pool.used.into());
            if let Some(limit) = pool.slots {
                slots.get_or_create(&labels).set(limit.into());
            }
        }
        flight.get_or_create(&OfRun { run: run.clone() }).set(i64::try_from(seen.in_flight).unwrap_or(i64::MAX));
        if let Some(forecast) = &seen.forecast {
            rest.get_or_create(&OfRun { run }).set(forecast.p50_s as i64);
        }
    }
    registry.register("sites", "Sites by state", sites);
    registry.register("step_keys", "Steps by state, once for each site, batch or group that they run for", units);
    registry.register("pool_used", "Slots in use", used);
    registry.register("pool_slots", "Slots there are", slots);
    registry.register("attempts_in_flight", "Attempts in flight", flight);
    registry.register("rest_seconds", "Forecast of the rest, median", rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Driver, Snapshot};

    fn view(run: &str, reading: Option<(u64, u64)>, driver: Driver) -> Arc<View> {
        Arc::new(View::first(Snapshot { run: run.to_owned(), reading, driver, ..Snapshot::default() }))
    }

    #[test]
    fn what_is_still_being_read_is_not_measured_and_takes_no_place() {
        let mut views: Vec<_> = (0..RUNS).map(|run| view(&run.to_string(), Some((1, 9)), Driver::NotKnown)).collect();
        views.push(view("read", None, Driver::NotKnown));
        let text = render(&Metrics::default(), &views, &BTreeMap::new(), &[]);
        assert!(text.contains("reinstate_sites{run=\"read\",state=\"waiting\"} 0"), "{text}");
        assert!(!text.contains("run=\"1\""), "{text}");
    }

    #[test]
    fn a_run_that_could_not_be_driven_is_measured_until_somebody_drives_it() {
        let views = [view("a", None, Driver::Nobody), view("b", None, Driver::Process("pid 7".to_owned()))];
        let troubles = ["a", "b", "c"].map(|run| (run.to_owned(), "no space".to_owned())).into();
        let text = render(&Metrics::default(), &views, &troubles, &[]);
        let mut told: Vec<&str> = text.lines().filter(|line| line.starts_with("reinstate_drive_trouble{")).collect();
        told.sort_unstable();
        assert_eq!(told, ["reinstate_drive_trouble{run=\"a\"} 1", "reinstate_drive_trouble{run=\"c\"} 1"]);
    }
}
