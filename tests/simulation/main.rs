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
    let (from, runs) = (number("REINSTATE_SIM_FROM").unwrap_or(0), number("REINSTATE_SIM_RUNS").unwrap_or(2_000));
    let (mut records, mut crashes, mut amendments) = (0, 0, 0);
    let mut broken = Vec::new();
    for seed in from..from + runs {
        match std::panic::catch_unwind(|| sim::run(seed)) {
            Ok(Ok(trace)) => {
                records += trace.records;
                crashes += trace.crashes;
                amendments += trace.amendments;
            }
            Ok(Err(why)) => broken.push(format!("REINSTATE_SIM_SEED={seed}: {why}")),
            Err(_) => broken.push(format!("REINSTATE_SIM_SEED={seed}: a panic")),
        }
        if broken.len() >= 20 {
            break;
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    eprintln!("{runs} runs, {records} records, {crashes} crashes, {amendments} amendments");
    assert!(records > 0 && ((crashes > 0 && amendments > 0) || runs < 100), "the simulator must do something");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        assert_eq!(sim::run(seed), sim::run(seed), "seed {seed}");
    }
}

#[test]
fn an_order_of_another_length_than_the_nodes_is_refused() {
    let mut random = reinstate_tests::random::Random::new(7);
    let mut refused = 0;
    for _ in 0..50 {
        let plan = reinstate_tests::plans::plan(&mut random);
        let nodes = plan.node_count() as usize;
        for len in [nodes + 1, nodes.saturating_sub(1), 1, 2 * nodes].into_iter().filter(|&len| len > 0 && len != nodes)
        {
            let mut spec = plan.spec().clone();
            spec.extras.order = vec![0; len];
            let error = engine::Plan::new(spec).expect_err("ranks for other nodes");
            assert_eq!(error.to_string(), "the order does not match the nodes");
            refused += 1;
        }
    }
    assert!(refused > 0);
}
