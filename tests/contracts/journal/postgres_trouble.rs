//! Servers that are killed, connections that are cut, processes that die or are stopped: what was acknowledged is there,
//! once, and who was taken over changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reinstate_tests::postgres::Cluster;
use runtime::{Appended, Holder, Journal, JournalError, Lease};
use store::PostgresStore;

use crate::child_process::ChildProcess;
use crate::fixture::{head, holder};
use crate::pattern;
use crate::pooler::Pooler;
use crate::postgres_schema::open;
use crate::schema::{Schema, postgres_address};

/// Cuts the connections over which groups go.
const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE query LIKE '%{s}.positions SET next%' AND pid <> pg_backend_pid()";

/// Runs that are appended to at the same time.
const RUNS: u64 = 4;

/// Appends to a run until told to stop, and counts what was acknowledged. What nobody knows is looked up, as the port says.
///
/// Gives how many groups there are, and how often nobody knew.
async fn append(
    store: Arc<PostgresStore>,
    lease: Lease,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> (u64, u64) {
    let (mut seq, mut unknown) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        match store.append(&lease, seq, &pattern::group(seq)).await {
            Ok(Appended { next }) => seq = next,
            Err(JournalError::Unavailable { .. }) => loop {
                unknown += 1;
                match store.load(&lease.run, seq, 2).await {
                    Ok(found) => {
                        seq += found.len() as u64;
                        break;
                    }
                    Err(JournalError::Unavailable { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            },
            Err(error) => panic!("{error}"),
        }
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    (seq, unknown)
}

/// Has runs appended to while something is done `rounds` times, each time after some more groups; then compares. Gives how
/// often an append could not say what became of it.
async fn under(address: &str, rounds: u64, mut harm: impl FnMut()) -> u64 {
    let store = Arc::new(PostgresStore::open(&postgres_address(address)).await.unwrap());
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut appenders = Vec::new();
    for run in 0..RUNS {
        let name = format!("run {run}");
        store.create(&head(&name), b"plan").await.unwrap();
        let lease = store.acquire(&name, &holder("one"), u64::MAX).await.unwrap();
        appenders.push(tokio::spawn(append(store.clone(), lease, acknowledged.clone(), stop.clone())));
    }
    for round in 1..=rounds {
        while acknowledged.load(Ordering::SeqCst) < round * 60 {
            tokio::task::yield_now().await;
        }
        harm();
    }
    let before = acknowledged.load(Ordering::SeqCst);
    while acknowledged.load(Ordering::SeqCst) < before + 60 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut all_unknown = 0;
    for (run, appender) in (0..RUNS).zip(appenders) {
        let (appended, unknown) = appender.await.unwrap();
        all_unknown += unknown;
        let groups = store.load(&format!("run {run}"), 0, u32::MAX).await.unwrap();
        assert_eq!(groups.len() as u64, appended, "all that was acknowledged, and nothing twice");
        assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    }
    all_unknown
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_server_loses_nothing_that_was_acknowledged() {
    let mut cluster = Cluster::with().set("fsync", "on").start();
    let address = cluster.url("postgres");
    under(&address, 3, || {
        tokio::task::block_in_place(|| {
            cluster.strike();
            cluster.start_again();
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_in_the_middle_of_a_commit_change_nothing() {
    let schema = Schema::new();
    let unknown = under(&schema.text(), 40, || tokio::task::block_in_place(|| schema.sql(CUT))).await;
    assert_eq!(unknown, 0, "what became of a group is looked up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pooler_says_of_a_server_that_crashed_is_no_refusal() {
    let mut cluster = Cluster::with().set("fsync", "on").start();
    let Some(pooler) = Pooler::start(&cluster) else { return };
    let unknown = under(&pooler.text(&Schema::new()), 2, || {
        tokio::task::block_in_place(|| {
            cluster.strike();
            cluster.start_again();
        });
    })
    .await;
    assert_eq!(unknown, 0, "what became of a group is looked up");
}

#[tokio::test]
async fn kill_9_of_a_driver_loses_nothing_and_only_time_frees_its_lease() {
    let schema = Schema::new();
    let store = open(&schema).await;
    let mut acknowledged = 0;
    for round in 0..4_i64 {
        schema.set_clock(round * 7_200_000);
        let mut child = ChildProcess::start("append", schema.text());
        for _ in 0..=round * 17 {
            let said = child.answer();
            acknowledged = said.parse::<u64>().unwrap_or_else(|_| panic!("said `{said}`")) + 1;
        }
        for said in child.kill() {
            acknowledged = said.parse::<u64>().unwrap() + 1;
        }
        // Its last message may still be on its way; taking the lease over settles it.
        assert!(matches!(store.acquire("a", &holder("two"), 1).await, Err(JournalError::Held { .. })));
        schema.set_clock(round * 7_200_000 + 3_600_000);
        store.acquire("a", &holder("two"), 1).await.unwrap();
        let groups = store.load("a", 0, u32::MAX).await.unwrap();
        assert!(groups.len() as u64 >= acknowledged, "{} of {acknowledged}", groups.len());
        assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    }
}

#[tokio::test]
async fn a_stopped_driver_wakes_up_fenced() {
    let schema = Schema::new();
    let store = open(&schema).await;
    schema.set_clock(0);
    let mut child = ChildProcess::start("step", schema.text());
    assert_eq!(child.answer(), "driving");
    child.poke();
    assert_eq!(child.answer(), "1");
    child.signal("-STOP");
    schema.set_clock(7_200_000);
    let me = Holder { name: "the test".to_owned(), pid: std::process::id(), host: "another host".to_owned() };
    let lease = store.acquire("a", &me, 60_000).await.unwrap();
    store.append(&lease, 1, b"taken over").await.unwrap();
    child.poke();
    child.signal("-CONT");
    assert_eq!(child.answer(), "journal-fenced");
    assert_eq!(store.load("a", 0, 9).await.unwrap().len(), 2);
}
