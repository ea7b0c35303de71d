//! More than one process at one file: killed, stopped, and in each other's way.

use std::time::Duration;

use runtime::{Holder, Journal, JournalError};
use store::{SqliteJournal, SqliteOptions};

use crate::child_process::ChildProcess;
use crate::pattern;
use crate::reopen::{open, with_groups};

fn me() -> Holder {
    Holder { name: "the test".to_owned(), pid: std::process::id(), host: "this host".to_owned() }
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged_and_frees_the_lease() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut acknowledged = 0;
    for round in 0..6 {
        let mut child = ChildProcess::start("append", &path);
        for _ in 0..=round * 17 {
            let said = child.answer();
            // The first answer also shows that the dead process before is not waited for.
            acknowledged = said.parse::<u64>().unwrap_or_else(|_| panic!("said `{said}`")) + 1;
        }
        for said in child.kill() {
            acknowledged = said.parse::<u64>().unwrap() + 1;
        }
        let journal = open(&path).await;
        let groups = journal.load("a", 0, u32::MAX).await.unwrap();
        assert!(groups.len() as u64 >= acknowledged, "{} of {acknowledged}", groups.len());
        assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
        journal.close().await;
    }
}

#[tokio::test]
async fn a_living_holder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut child = ChildProcess::start("step", &path);
    assert_eq!(child.answer(), "driving");
    let journal = SqliteJournal::open(&path, SqliteOptions::new(store::system_now)).await.unwrap();
    let held = journal.acquire("a", &me(), 1).await.unwrap_err();
    assert!(matches!(&held, JournalError::Held { holder, .. } if *holder == format!("child {}", child.pid())));
    let mut second = ChildProcess::start("step", &path);
    assert_eq!(second.answer(), "journal-held");
}

#[tokio::test]
async fn a_stopped_holder_wakes_up_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut child = ChildProcess::start("step", &path);
    assert_eq!(child.answer(), "driving");
    child.poke();
    assert_eq!(child.answer(), "1");
    child.signal("-STOP");
    let journal = SqliteJournal::open(&path, SqliteOptions::new(store::system_now)).await.unwrap();
    // Stopped is not dead.
    assert!(matches!(journal.acquire("a", &me(), 1).await, Err(JournalError::Held { .. })));
    let later = SqliteJournal::open(&path, SqliteOptions::new(|| store::system_now() + 7_200_000)).await.unwrap();
    let lease = later.acquire("a", &me(), 60_000).await.unwrap();
    later.append(&lease, 1, b"taken over").await.unwrap();
    child.poke();
    child.signal("-CONT");
    assert_eq!(child.answer(), "journal-fenced");
    assert_eq!(later.load("a", 0, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn who_locks_the_file_is_named_and_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 1).await;
    journal.close().await;
    let options = SqliteOptions::new(|| 1_000).lock_wait(Duration::ZERO);
    let journal = SqliteJournal::open(&path, options).await.unwrap();
    let mut child = ChildProcess::start("hold", &path);
    assert_eq!(child.answer(), "held");
    let locked = journal.append(&lease, 1, b"x").await.unwrap_err();
    assert_eq!(locked.code(), "journal-unavailable");
    assert!(locked.to_string().contains(&format!("journal-child (pid {})", child.pid())), "{locked}");
    // Readers are not in its way.
    assert_eq!(journal.load("a", 0, 9).await.unwrap().len(), 1);
    child.kill();
    journal.append(&lease, 1, b"x").await.unwrap();
}
