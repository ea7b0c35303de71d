//! The pure core under a seeded simulator: random plans, faults as events, invariants after each event.
//!
//! `REINSTATE_SIM_RUNS=100000 cargo nextest run -p reinstate-tests --release simulation` is the long version;
//! `REINSTATE_SIM_SEED=N` runs one seed alone.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod forecast;

use reinstate_tests::sim;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn random_runs_keep_every_invariant() {
    if let Some(seed) = number("REINSTATE_SIM_SEED") {
        let trace = sim::run(seed).unwrap();
        eprintln!("seed {seed}: {} records, {} crashes, {}", trace.records, trace.crashes, trace.status);
        return;
    }
    let runs = number("REINSTATE_SIM_RUNS").unwrap_or(2_000);
    let (mut records, mut crashes) = (0, 0);
    for seed in 0..runs {
        match sim::run(seed) {
            Ok(trace) => {
                records += trace.records;
                crashes += trace.crashes;
            }
            Err(broken) => panic!("REINSTATE_SIM_SEED={seed}: {broken}"),
        }
    }
    eprintln!("{runs} runs, {records} records, {crashes} crashes");
    assert!(records > 0 && (crashes > 0 || runs < 100), "the simulator must do something");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        assert_eq!(sim::run(seed), sim::run(seed), "seed {seed}");
    }
}
