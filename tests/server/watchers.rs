//! Many who watch: each sees the same, soon.
//!
//! `REINSTATE_WATCHERS=200 REINSTATE_SITES=100000 cargo nextest run --release -p reinstate-tests --no-capture many_watchers`
//! is the long version: in turn, a run that one watches and a run that all watch, as fast as they can; it tells what they cost.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::Request;
use crate::daemon::{Daemon, Home, paced};

/// Pairs of runs in the long version; what comes first takes turns.
const ROUNDS: usize = 3;

/// What came of one run.
struct Watched {
    wall_ms: u64,
    /// What the daemon computed, from its start.
    cpu_ms: u64,
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
    // Without the pool nothing but the machine holds it up.
    let book = paced(1).replace("pool: pace, ", "") + &more.collect::<String>();
    let (mut alone, mut many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for watch in if round % 2 == 0 { [1, watchers] } else { [watchers, 1] } {
            let seen = watched(watch, sites, &book);
            let (p50, p99) = (seen.delay(50), seen.delay(99));
            let (wall_ms, cpu_ms, views) = (seen.wall_ms, seen.cpu_ms, seen.delays.len());
            eprintln!(
                "{watch} watchers: {wall_ms} ms, {cpu_ms} ms of CPU, {views} views, delay p50 {p50:?}, p99 {p99:?}"
            );
            assert!(p99 < Duration::from_secs(2), "p99 {p99:?}");
            if watch == 1 { &mut alone } else { &mut many }.push((wall_ms, cpu_ms));
        }
    }
    let median = |of: &dyn Fn(&(u64, u64)) -> u64, runs: &[(u64, u64)]| {
        let mut times: Vec<u64> = runs.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2] as f64
    };
    let ratio = |of: &dyn Fn(&(u64, u64)) -> u64| median(of, &many) / median(of, &alone);
    let (wall, cpu) = (ratio(&|run| run.0), ratio(&|run| run.1));
    eprintln!(
        "{watchers} watchers of {sites} sites: {wall:.2} times the time, {cpu:.2} times the CPU (medians of {ROUNDS})"
    );
}

fn before(ix: u32) -> String {
    ix.checked_sub(1).map_or_else(|| "extra".to_owned(), |before| format!("after{before}"))
}

/// What a watcher keeps of what it was sent last: more than one view is.
const KEPT: usize = 1 << 20;

/// Reads what a watcher is sent, with as little work as can be, for it is done where the run is driven; once the run is known
/// to be over, looks for the end. Says whether it came.
fn sees_the_end(address: &str, over: Arc<AtomicBool>) -> std::thread::JoinHandle<bool> {
    const END: &[u8] = br#""over":true"#;
    let mut stream = Request::new("GET", "/api/v1/runs/r/events").stream(address);
    std::thread::spawn(move || {
        let (mut buffer, mut kept) = (vec![0; 1 << 16], Vec::with_capacity(2 * KEPT));
        // Whoever has seen the end already is woken by the next comment.
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..read]);
            if kept.len() > 2 * KEPT {
                kept.drain(..kept.len() - KEPT);
            }
            if over.load(Ordering::Acquire) && kept.windows(END.len()).any(|window| window == END) {
                return true;
            }
        }
        false
    })
}

/// A run that one watcher understands to its end while the others only read; all are let go afterwards.
fn watched(watchers: u32, sites: u32, book: &str) -> Watched {
    let home = Home::new(sites);
    home.write("runbooks/slow.yaml", book);
    // As much as a daemon logs if nobody says otherwise: a span for each attempt would cost more than the attempts do.
    let daemon = Daemon::start_with(&home, &[], &[("REINSTATE_LOG", "warn")]);
    daemon.launch("", "slow.yaml", "r");
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (1..watchers).map(|_| sees_the_end(&daemon.address, is_over.clone())).collect();
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
    is_over.store(true, Ordering::Release);
    let cpu_ms = daemon.cpu_ms();
    assert!(!delays.is_empty(), "it was seen while it went on");
    delays.sort();
    assert!(readers.into_iter().all(|reader| reader.join().expect("it reads")), "everybody saw the end");
    let begun = Instant::now();
    while !daemon.get("", "/metrics").body.contains("reinstate_http_watchers{} 0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "streams that nobody reads are let go");
    }
    let at = |name: &str| run[name].as_u64().unwrap_or_default();
    Watched { wall_ms: at("last_at") - at("opened_at"), cpu_ms, delays }
}
