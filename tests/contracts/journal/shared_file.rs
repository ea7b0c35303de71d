//! More than one connection, or process, at what runs share in one file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use runtime::{Journal, JournalError, Mailbox, SharedPools, SiteLocks, Want};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use crate::child_process::ChildProcess;
use crate::fixture::{driven, head};
use crate::pattern::SITES;
use crate::reopen::open;

fn file() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    (folder, path)
}

#[tokio::test]
async fn of_two_rivals_for_a_site_one_wins() {
    let (_folder, path) = file();
    let (one, two) = (open(&path).await, open(&path).await);
    for round in 0..20 {
        let (mine, theirs) = (head(&format!("one {round}")), head(&format!("two {round}")));
        let shared = format!("site {round}");
        let (own, other) = ([format!("own {round}"), shared.clone()], [shared, format!("other {round}")]);
        let (first, second) = tokio::join!(
            one.create_holding(&mine, b"plan", "prod", &own),
            two.create_holding(&theirs, b"plan", "prod", &other)
        );
        let (winner, loser) = match (first, second) {
            (Ok(()), Err(JournalError::SiteHeld { run, .. })) if run == mine.run => (mine, theirs),
            (Err(JournalError::SiteHeld { run, .. }), Ok(())) if run == theirs.run => (theirs, mine),
            other => panic!("{other:?}"),
        };
        assert!(matches!(one.plan(&loser.run).await, Err(JournalError::NoSuchRun(_))));
        assert_eq!(two.let_go_all(&winner.run).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn kill_9_leaves_no_run_without_its_sites_and_no_site_without_its_run() {
    let (_folder, path) = file();
    for round in 0..5_usize {
        let mut child = ChildProcess::start("create", &path);
        for _ in 0..=round * 3 {
            child.answer().parse::<usize>().unwrap();
        }
        let said = child.kill();
        let store = open(&path).await;
        let runs = store.list().await.unwrap().len();
        if let Some(last) = said.last() {
            assert!(runs >= last.parse().unwrap());
        }
        for run in 0..runs {
            let sites: Vec<String> = (0..SITES).map(|site| format!("{run}/{site}")).collect();
            let holders = store.holders("prod", &sites).await.unwrap();
            assert_eq!(holders.len(), SITES);
            assert!(holders.iter().all(|held| held.run == format!("run {run}")));
        }
        store.close().await;
        let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        let held: i64 = sqlx::query_scalar("SELECT count(*) FROM held_sites").fetch_one(&mut connection).await.unwrap();
        assert_eq!(held.unsigned_abs(), (runs * SITES) as u64);
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_operator_in_another_process_is_answered() {
    let (_folder, path) = file();
    let (driver, operator) = (open(&path).await, open(&path).await);
    let lease = driven(&driver, "a", 10_000).await;
    let id = operator.post("a", b"pause", 1_000).await.unwrap();
    let posted = driver.take(&lease, 0).await.unwrap();
    assert_eq!(posted[0].bytes, b"pause");
    assert_eq!(operator.withdraw(id).await.unwrap(), runtime::Fate::Taken);
    driver.answer(&lease, id, b"paused").await.unwrap();
    assert_eq!(operator.fate(id).await.unwrap(), runtime::Fate::Answered(b"paused".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_in_different_processes_never_use_more_than_there_is() {
    const LIMIT: u32 = 5;
    let (_folder, path) = file();
    let in_use = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..4_u32 {
        let (store, in_use) = (open(&path).await, Arc::clone(&in_use));
        tasks.spawn(async move {
            let lease = driven(&store, &run.to_string(), u64::MAX).await;
            let mut used = 0;
            for round in 0..60 {
                // Some end before the report, and none starts until the answer is there.
                let ends = used.min((round + run) % 3);
                used -= ends;
                in_use.fetch_sub(ends, Ordering::SeqCst);
                let want = Want {
                    pool: "p".into(),
                    key: String::new(),
                    limit: LIMIT,
                    used,
                    want: 1 + (round * 7 + run) % 6,
                    unit: 1 + run % 2,
                };
                let grant = store.share(&lease, "prod", &[want]).await.unwrap()[0];
                let starts = grant.slots.saturating_sub(used);
                used += starts;
                assert!(in_use.fetch_add(starts, Ordering::SeqCst) + starts <= LIMIT);
            }
            in_use.fetch_sub(used, Ordering::SeqCst);
            store.leave(&lease).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(in_use.load(Ordering::SeqCst), 0);
}
