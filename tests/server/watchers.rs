//! Many who watch: each sees the same, soon, and the run goes on as without them.
//!
//! `REINSTATE_WATCHERS=200 REINSTATE_SITES=100000 cargo nextest run --release -p reinstate-tests --no-capture many_watchers`
//! is the long version: in turn, a run that one watches and a run that all watch, as fast as they can.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::Request;
use crate::daemon::{Daemon, Home, paced};

/// Pairs of runs in the long version; what comes first takes turns.
const ROUNDS: usize = 3;

/// What came of one run.
struct Watched {
    wall_ms: u64,
    /// Ages of the views that one watcher saw.
    delays: Vec<Duration>,
}

impl Watched {
    fn delay(&self, share: usize) -> Duration {
        self.delays[(self.delays.len() - 1) * share / 100]
    }
}

#[test]
fn many_watchers_all_see_the_run_to_its_end_and_soon() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let (Some(watchers), Some(sites)) = (number("REINSTATE_WATCHERS"), number("REINSTATE_SITES")) else {
        // Seconds long, so that there is something to see.
        let _ = watched(40, 2_000, &paced(200));
        return;
    };
    let more = (0..26).map(|ix| format!("  after{ix}: {{ needs: {}, uses: noop@1 }}\n", before(ix)));
    let book = paced(1_000_000) + &more.collect::<String>();
    let (mut alone, mut many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for watch in if round % 2 == 0 { [1, watchers] } else { [watchers, 1] } {
            let seen = watched(watch, sites, &book);
            let (p50, p99) = (seen.delay(50), seen.delay(99));
            eprintln!(
                "{watch} watchers: {} ms, {} views, delay p50 {p50:?}, p99 {p99:?}",
                seen.wall_ms,
                seen.delays.len()
            );
            assert!(p99 < Duration::from_secs(2), "p99 {p99:?}");
            if watch == 1 { &mut alone } else { &mut many }.push(seen.wall_ms);
        }
    }
    let median = |walls: &mut Vec<u64>| {
        walls.sort_unstable();
        walls[walls.len() / 2] as f64
    };
    let ratio = median(&mut many) / median(&mut alone);
    eprintln!("{watchers} watchers of {sites} sites: the run takes {ratio:.2} times as long (median of {ROUNDS})");
}

fn before(ix: u32) -> String {
    ix.checked_sub(1).map_or_else(|| "extra".to_owned(), |before| format!("after{before}"))
}

/// Reads what a watcher is sent, with little work: says whether the end came.
fn sees_the_end(address: &str) -> std::thread::JoinHandle<bool> {
    const END: &[u8] = br#""over":true"#;
    let mut stream = Request::new("GET", "/api/v1/runs/r/events").stream(address);
    std::thread::spawn(move || {
        let (mut buffer, mut kept) = (vec![0; 1 << 16], 0);
        while let Ok(read @ 1..) = stream.read(&mut buffer[kept..]) {
            let all = kept + read;
            if buffer[..all].windows(END.len()).any(|window| window == END) {
                return true;
            }
            // It may be cut in two.
            kept = all.min(END.len());
            buffer.copy_within(all - kept..all, 0);
        }
        false
    })
}

/// A run that one watcher understands to its end while the others only read; all are let go afterwards.
fn watched(watchers: u32, sites: u32, book: &str) -> Watched {
    let home = Home::new(sites);
    home.write("runbooks/slow.yaml", book);
    let daemon = Daemon::start(&home);
    daemon.launch("", "slow.yaml", "r");
    let readers: Vec<_> = (1..watchers).map(|_| sees_the_end(&daemon.address)).collect();
    let mut delays = Vec::new();
    let over = daemon.follow("", "r").filter(|(kind, _)| kind == "run").find_map(|(_, run)| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let newest = Duration::from_millis(run["last_at"].as_u64().unwrap_or_default());
        // While the run goes on something happens all the time, so the newest event seen is as old as the view.
        if run["sites"]["returned"].as_u64() > Some(10) && run["state"]["over"] != true {
            delays.push(now.saturating_sub(newest));
        }
        (run["state"]["over"] == true).then_some(run)
    });
    let run = over.expect("the stream goes on to the end");
    assert_eq!(run["sites"]["returned"], sites, "{run:#}");
    assert!(!delays.is_empty(), "it was seen while it went on");
    delays.sort();
    assert!(readers.into_iter().all(|reader| reader.join().expect("it reads")), "everybody saw the end");
    let begun = Instant::now();
    while !daemon.get("", "/metrics").body.contains("reinstate_http_watchers{} 0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "streams that nobody reads are let go");
    }
    let at = |name: &str| run[name].as_u64().unwrap_or_default();
    Watched { wall_ms: at("last_at") - at("opened_at"), delays }
}
