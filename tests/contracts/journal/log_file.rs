//! What the file of logs owes beyond the port: it is nobody's burden, and outlives the process that wrote it.

use std::sync::Arc;

use runtime::{AttemptLogs, Journal, JournalError, LogBook, LogTally, ManualClock, RunHead};

use crate::child_process::ChildProcess;
use crate::fixture::head;
use crate::reopen::open;

#[tokio::test]
async fn kill_9_keeps_every_line_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut child = ChildProcess::start("log", &path);
    for line in 0..50 {
        assert_eq!(child.answer(), line.to_string());
    }
    let last = child.kill().last().map_or(49, |last| last.parse().unwrap());
    let store = open(&path).await;
    let lines = store.log_lines("a", "u", 1, 0, u32::MAX).await.unwrap();
    assert!(lines.len() as u64 > last, "{} lines, {last} was kept", lines.len());
    assert!((0..).zip(&lines).all(|(number, line)| line.number == number && line.text == format!("line {number}")));
}

#[tokio::test]
async fn no_file_is_made_by_those_who_write_nothing_or_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = open(&path).await;
    store.create(&head("r"), b"plan").await.unwrap();
    assert!(store.logs_of("r", "u").await.unwrap().is_empty());
    assert!(!folder.path().join("runs.db-logs").exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_kept_costs_lines_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let logs = folder.path().join("runs.db-logs");
    std::fs::write(&logs, "no database, but somebody's").unwrap();
    let store = Arc::new(open(&path).await);
    store.create(&head("r"), b"plan").await.unwrap();
    let book = LogBook::new("r", store.clone(), Arc::new(ManualClock::new(0)), 1 << 30);
    let log = book.of("u".to_owned(), 1);
    log.note("one\ntwo");
    book.flush().await;
    assert!(matches!(store.logs_of("r", "u").await, Err(JournalError::Corrupt(_))));
    assert_eq!(std::fs::read(&logs).unwrap(), b"no database, but somebody's");
    std::fs::remove_file(&logs).unwrap();
    log.note("three");
    book.flush().await;
    let tally = store.logs_of("r", "u").await.unwrap()[0].tally;
    assert_eq!(tally, LogTally { lines: 3, bytes: 11, lost: 2, ..LogTally::default() });
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn another_run_of_the_same_name_has_other_logs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    for created_at in [1, 2] {
        let store = Arc::new(open(&path).await);
        store.create(&RunHead { created_at, ..head("r") }, b"plan").await.unwrap();
        let book = LogBook::new("r", store.clone(), Arc::new(ManualClock::new(0)), 1 << 30);
        book.of("u".to_owned(), 1).note(created_at);
        book.flush().await;
        let lines = store.log_lines("r", "u", 1, 0, 9).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), [created_at.to_string()]);
        drop((book, store));
        // Somebody starts anew, and leaves the logs behind.
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("runs.db{end}")));
        }
    }
}
