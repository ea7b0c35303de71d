//! What the file of logs owes beyond the port: it is nobody's burden, and outlives the process that wrote it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::{
    AttemptLogs, Journal, JournalError, Log, LogBook, LogLine, LogPiece, LogTally, ManualClock, RunHead, Voice,
};

use crate::child_process::ChildProcess;
use crate::fixture::{head, holder};
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
async fn what_was_lost_of_an_attempt_that_writes_no_more_is_told_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("runs.db-logs");
    std::fs::write(&logs, "no database, but somebody's").unwrap();
    let store = Arc::new(open(&folder.path().join("runs.db")).await);
    store.create(&head("r"), b"plan").await.unwrap();
    let book = LogBook::new("r", store.clone(), Arc::new(ManualClock::new(0)), 1 << 30);
    book.of("u".to_owned(), 1).note("its last words");
    book.flush().await;
    std::fs::remove_file(&logs).unwrap();
    book.flush().await;
    let tally = store.logs_of("r", "u").await.unwrap()[0].tally;
    assert_eq!(tally, LogTally { lines: 1, bytes: 14, lost: 1, ..LogTally::default() });
}

#[tokio::test]
async fn a_file_that_was_replaced_is_left_for_the_one_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (path, logs) = (folder.path().join("runs.db"), folder.path().join("runs.db-logs"));
    let (one, two) = (open(&path).await, open(&path).await);
    one.create(&head("r"), b"plan").await.unwrap();
    let piece = |attempt, text: &str| {
        let line = LogLine { number: 0, at: 0, voice: Voice::Driver, text: text.to_owned() };
        LogPiece { unit: "u".to_owned(), attempt, lines: vec![line], forget: None, tally: LogTally::default() }
    };
    let attempts = async |store: &store::SqliteJournal| store.logs_of("r", "u").await.unwrap().len();
    one.keep_logs("r", &[piece(1, "first")]).await.unwrap();
    assert_eq!((attempts(&one).await, attempts(&two).await), (1, 1));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", logs.display()));
    }
    // The other process makes it anew before this one looks.
    two.keep_logs("r", &[piece(2, "second")]).await.unwrap();
    one.keep_logs("r", &[piece(3, "third")]).await.unwrap();
    assert_eq!((attempts(&one).await, attempts(&two).await), (2, 2));
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

/// How long appends take beside attempts that print without end: told, not asserted, since it depends on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_go_on_beside_attempts_that_print_without_end() {
    const APPENDS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder.path().join("runs.db")).await);
    store.create(&head("r"), b"plan").await.unwrap();
    let lease = store.acquire("r", &holder("driver"), u64::MAX).await.unwrap();
    let book = LogBook::new("r", store.clone(), Arc::new(ManualClock::new(0)), 1 << 30);
    let mut seq = 0;
    // Beside as many tasks that take a processor and write nowhere, since processors are few.
    for is_kept in [false, true] {
        let stop = tokio_util::sync::CancellationToken::new();
        let mut attempts = tokio::task::JoinSet::new();
        for unit in 0..20 {
            let log = if is_kept { book.of(format!("u/{unit}"), 1) } else { Log::default() };
            let stop = stop.clone();
            attempts.spawn(async move {
                while !stop.is_cancelled() {
                    log.write(
                        Voice::Stdout,
                        "a line of output, about as long as lines of output are, 80 characters or so",
                    );
                    tokio::task::yield_now().await;
                }
            });
        }
        let (begun, mut longest) = (Instant::now(), Duration::ZERO);
        for _ in 0..APPENDS {
            let append = Instant::now();
            seq = store.append(&lease, seq, &[1; 200]).await.unwrap().next;
            longest = longest.max(append.elapsed());
        }
        let each = begun.elapsed() / u32::try_from(APPENDS).unwrap();
        stop.cancel();
        attempts.join_all().await;
        eprintln!("20 attempts print, kept: {is_kept}; {each:?} an append, the longest {longest:?}");
    }
    book.flush().await;
    assert_eq!(seq, 2 * APPENDS);
    let tally = store.logs_of("r", "u/0").await.unwrap()[0].tally;
    let kept = store.log_lines("r", "u/0", 1, 0, u32::MAX).await.unwrap().len() as u64;
    assert_eq!(kept + tally.cut_lines + tally.lost, tally.lines);
}
