//! Many who watch: each sees the same, soon.
//!
//! `REINSTATE_WATCHERS=200 REINSTATE_SITES=100000 cargo nextest run --release ... watchers` is the long version.

use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Home};

fn number(name: &str, usual: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn many_watchers_all_see_the_run_to_its_end_and_soon() {
    let (watchers, sites) = (number("REINSTATE_WATCHERS", 40), number("REINSTATE_SITES", 2_000));
    let home = Home::new(sites);
    // Small runs last some seconds; large ones go as fast as they can, so that what they lose to watchers shows.
    home.write("runbooks/slow.yaml", &crate::daemon::paced(if sites < 10_000 { 200 } else { 1_000_000 }));
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let address = daemon.address.clone();
    let mut delays: Vec<Duration> = std::thread::scope(|scope| {
        let watch = || {
            let daemon = &daemon;
            scope.spawn(move || {
                let mut delays = Vec::new();
                for (kind, data) in daemon.follow("", "r") {
                    if kind != "run" {
                        continue;
                    }
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
                    let newest = data["last_at"].as_u64().unwrap_or_default();
                    if data["state"]["over"] == true {
                        return delays;
                    }
                    // While the run goes on something happens all the time, so the newest event seen is as old as the view.
                    if data["sites"]["returned"].as_u64() > Some(10) {
                        delays.push(now.saturating_sub(Duration::from_millis(newest)));
                    }
                }
                panic!("the stream ended")
            })
        };
        let threads: Vec<_> = (0..watchers).map(|_| watch()).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it saw the end")).collect()
    });
    delays.sort();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    let run = daemon.seen("", "/api/v1/runs/r");
    let wall = run["last_at"].as_u64().unwrap_or_default() - run["opened_at"].as_u64().unwrap_or_default();
    eprintln!("the run took {wall} ms");
    eprintln!(
        "{watchers} watchers of {sites} sites at {address}: {} views, delay p50 {:?}, p99 {:?}",
        delays.len(),
        at(50),
        at(99)
    );
    // On a machine that others load too a short look proves nothing.
    if std::env::var_os("REINSTATE_WATCHERS").is_some() {
        assert!(at(99) < Duration::from_secs(2), "p99 {:?}", at(99));
    }
    assert!(!delays.is_empty(), "everybody saw the run while it went on");
    let begun = Instant::now();
    while !daemon.get("", "/metrics").body.contains("reinstate_http_watchers{} 0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "streams that nobody reads are let go");
    }
}
