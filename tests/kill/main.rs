//! kill -9 and SIGTERM of the real binary at random moments of a real restore; afterwards the estate equals that of an
//! undisturbed run and no effect was applied twice.
//!
//! `REINSTATE_KILLS=100 cargo nextest run --release -p reinstate-tests --test kill` is the long version.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod postgres;

use reinstate_tests::process::{ServedLab, expect, reinstate, shipped, strike};
use reinstate_tests::random::Random;

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

fn kills() -> u64 {
    std::env::var("REINSTATE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Strikes a restore `kills` times at random moments, counted in journaled events, then lets it end.
fn restore_under(signal: &str, seed: u64) {
    let kills = kills();
    let damaged = 16 + kills as u32 * 2;
    eprintln!("seed {seed}, {kills} times {signal}, {damaged} sites");
    let mut random = Random::new(seed);
    let lab = ServedLab::damaged(BINARY, damaged * 2, damaged, 2, seed);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    // About 70 events a site; the strikes are spread over all of them.
    let most = (u64::from(damaged) * 70 / kills.max(1)).max(20);
    let mut struck = 0;
    let mut first = true;
    while struck < kills {
        let mut command = reinstate(BINARY);
        if first {
            command.arg("run").args(lab.planned(&shipped("restoration-2.yaml"))).args(["--run", "k", "--yes"]);
        } else {
            command.args(["resume", "k"]);
        }
        command.args(["--json", "--store", &store]);
        let (status, ended) = strike(&mut command, random.between(1, most), signal);
        if ended && status.code() == Some(0) {
            break;
        }
        assert!(!ended || status.code() == Some(6), "it ended with {status}");
        struck += 1;
        first = first && !lab_has_run(&store);
    }
    let _ = expect(reinstate(BINARY).args(["resume", "k", "--json", "--store", &store]), 0);
    let diff = lab.diff();
    assert_eq!(diff["clean"], true, "seed {seed}: {diff:#}");
    assert_eq!(diff["sites_equal"], damaged, "seed {seed}");
    assert_eq!(diff["effects_applied_twice"], 0, "seed {seed}");
    assert!(struck * 2 >= kills, "only {struck} of {kills} strikes met a running process");
    eprintln!("{struck} strikes survived");
}

/// Whether the run was created before the strike.
fn lab_has_run(store: &str) -> bool {
    let output = reinstate(BINARY).args(["runs", "--json", "--store", store]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("\"run\":\"k\"")
}

#[test]
fn kill_9_at_random_moments_leaves_the_estate_as_an_undisturbed_run() {
    restore_under("-KILL", 9);
}

#[test]
fn sigterm_at_random_moments_leaves_the_estate_as_an_undisturbed_run() {
    restore_under("-TERM", 15);
}
