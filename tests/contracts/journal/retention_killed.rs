//! A process that gives runs up is killed between any two pieces, or while others write.

use std::time::{Duration, Instant};

use runtime::{AttemptLogs, Journal, LogLine, LogPiece, LogTally, Retention, RunHead, Voice};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::child_process::ChildProcess;
use crate::fixture::{head, holder};
use crate::reopen::open;

const RUNS: i64 = 4;
const GROUPS: u64 = 600;

#[tokio::test]
async fn kill_9_leaves_each_run_whole_or_gone_and_the_next_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = open(&path).await;
    for run in 0..RUNS {
        store.create(&RunHead { created_at: run, ..head(&format!("run {run}")) }, &[1; 3_000_000]).await.unwrap();
        let name = format!("run {run}");
        let lease = store.acquire(&name, &holder("maker"), 1).await.unwrap();
        let appends = (0..GROUPS).map(|seq| store.append(&lease, seq, &[2; 200]));
        for append in appends {
            append.await.unwrap();
        }
        store.release(&lease).await.unwrap();
        let piece = |attempt| {
            let line = LogLine { number: 0, at: 0, voice: Voice::Stdout, text: "x".repeat(500) };
            let tally = LogTally { lines: 1, bytes: 500, ..LogTally::default() };
            LogPiece { unit: "u".to_owned(), attempt, lines: vec![line], forget: None, tally }
        };
        store.keep_logs(&name, &(0..100).map(piece).collect::<Vec<_>>()).await.unwrap();
    }
    store.close().await;
    let mut left = RUNS;
    for round in 0_usize.. {
        let mut child = ChildProcess::start("prune", &path);
        let mut answers = 0;
        while answers <= 2 + round * 3 && child.answer() != "done" {
            answers += 1;
        }
        child.kill();
        let store = open(&path).await;
        let runs = store.list().await.unwrap();
        assert!(runs.len() as i64 <= left);
        left = runs.len() as i64;
        for run in &runs {
            assert_eq!(store.load(&run.head.run, 0, u32::MAX).await.unwrap().len() as u64, GROUPS);
            assert_eq!(store.plan(&run.head.run).await.unwrap().1.len(), 3_000_000);
            assert_eq!(store.logs_of(&run.head.run, "u").await.unwrap().len(), 100);
        }
        store.close().await;
        if left == 0 {
            break;
        }
    }
    let store = open(&path).await;
    while store.free().await.unwrap().is_some() {}
    assert!(store.spare().await.unwrap() > 3_000_000 * 3, "it is free for later runs");
    store.close().await;
    for (file, tables) in [
        ("runs.db", &["groups", "plans", "leases", "left_with", "discarded"][..]),
        ("runs.db-logs", &["runs", "logs", "lines"]),
    ] {
        let mut connection = SqliteConnectOptions::new().filename(folder.path().join(file)).connect().await.unwrap();
        for table in tables {
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(rows, 0, "{table} of {file}");
        }
        connection.close().await.unwrap();
    }
    assert!(std::fs::metadata(folder.path().join("runs.db-logs")).unwrap().len() < 100_000, "space is given back");
}

/// A large run is freed while another appends: told, not asserted, since it depends on the disk.
#[tokio::test]
async fn another_run_goes_on_between_the_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(&folder.path().join("runs.db")).await);
    store.create(&head("large"), b"plan").await.unwrap();
    let large = store.acquire("large", &holder("a"), u64::MAX).await.unwrap();
    for seq in 0..100 {
        store.append(&large, seq, &[3; 500_000]).await.unwrap();
    }
    store.create(&head("other"), b"plan").await.unwrap();
    let other = store.acquire("other", &holder("b"), u64::MAX).await.unwrap();
    store.discard(&large).await.unwrap();
    let freeing = {
        let store = store.clone();
        tokio::spawn(async move { while store.free().await.unwrap().is_some() {} })
    };
    let (mut seq, mut longest) = (0, Duration::ZERO);
    while !freeing.is_finished() {
        let begun = Instant::now();
        seq = store.append(&other, seq, b"group").await.unwrap().next;
        longest = longest.max(begun.elapsed());
    }
    freeing.await.unwrap();
    assert!(seq > 5, "appends came between the pieces: {seq}");
    eprintln!("50 MB freed beside {seq} appends, of which the longest took {longest:?}");
}
