//! Files that are damaged, newer, or somebody else's.

use std::path::Path;

use runtime::{Journal, JournalError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store::{SqliteJournal, SqliteOptions};

use crate::reopen::{open, with_groups};

pub(crate) async fn sql(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refused(path: &Path) -> JournalError {
    SqliteJournal::open(path, SqliteOptions::new(|| 0)).await.err().unwrap()
}

#[tokio::test]
async fn a_flipped_byte_in_a_group_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 3).await;
    let marker = b"these bytes are on the disk exactly once";
    journal.append(&lease, 3, marker).await.unwrap();
    journal.append(&lease, 4, b"after").await.unwrap();
    journal.close().await;
    let mut file = std::fs::read(&path).unwrap();
    let at = file.windows(marker.len()).position(|window| window == marker).unwrap();
    file[at + 7] ^= 1;
    std::fs::write(&path, file).unwrap();
    let journal = open(&path).await;
    assert_eq!(journal.load("a", 0, 3).await.unwrap().len(), 3);
    for (from, limit) in [(0, 100), (3, 1)] {
        let damaged = journal.load("a", from, limit).await.unwrap_err();
        assert!(matches!(&damaged, JournalError::Corrupt(what) if what.contains("group 3 of run a")), "{damaged}");
    }
}

#[tokio::test]
async fn a_journal_that_is_shorter_than_when_it_was_left_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 6).await;
    journal.release(&lease).await.unwrap();
    // Of somebody who goes on and is killed: longer is fine.
    let again = journal.acquire("a", &crate::fixture::holder("two"), 10_000).await.unwrap();
    journal.append(&again, 6, b"more").await.unwrap();
    assert_eq!((journal.load("a", 0, 10).await.unwrap().len(), journal.load("a", 7, 10).await.unwrap().len()), (7, 0));
    journal.close().await;
    sql(&path, "DELETE FROM groups WHERE id & 0xffffffffff >= 5").await;
    let journal = open(&path).await;
    assert_eq!(journal.load("a", 0, 5).await.unwrap().len(), 5, "what is there is whole");
    for (from, limit) in [(0, 10), (5, 1)] {
        let damaged = journal.load("a", from, limit).await.unwrap_err();
        assert!(matches!(&damaged, JournalError::Corrupt(what) if what.contains("5 groups, and had 6")), "{damaged}");
    }
}

#[tokio::test]
async fn a_missing_group_and_a_swapped_group_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    with_groups(&path, 6).await.0.close().await;
    sql(&path, "DELETE FROM groups WHERE id & 0xffffffffff = 2").await;
    let journal = open(&path).await;
    assert!(matches!(journal.load("a", 0, 10).await, Err(JournalError::Corrupt(what)) if what.contains("group 2")));
    assert!(matches!(journal.load("a", 2, 1).await, Err(JournalError::Corrupt(_))));
    assert_eq!(journal.load("a", 3, 10).await.unwrap().len(), 3);
    journal.close().await;
    sql(&path, "UPDATE groups SET id = id - 1 WHERE id & 0xffffffffff = 3").await;
    let journal = open(&path).await;
    assert!(matches!(journal.load("a", 0, 10).await, Err(JournalError::Corrupt(what)) if what.contains("checksum")));
}

#[tokio::test]
async fn a_changed_plan_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    for damage in ["UPDATE plans SET bytes = x'00'", "UPDATE runs SET plan_hash = 'other'", "DELETE FROM plans"] {
        let _ = std::fs::remove_file(&path);
        with_groups(&path, 1).await.0.close().await;
        sql(&path, damage).await;
        let found = open(&path).await.plan("a").await;
        assert!(matches!(found, Err(JournalError::Corrupt(_))), "{damage}: {found:?}");
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    with_groups(&path, 3).await.0.close().await;
    sql(&path, "PRAGMA user_version = 9").await;
    let before = std::fs::read(&path).unwrap();
    let newer = refused(&path).await;
    assert!(matches!(newer, JournalError::NewerFormat { found: 9, known: store::FORMAT }), "{newer}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_journal_that_turns_newer_while_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 3).await;
    journal.close().await;
    let journal = open(&path).await;
    sql(&path, "PRAGMA user_version = 9").await;
    let newer = journal.append(&lease, 3, b"x").await.unwrap_err();
    assert!(matches!(newer, JournalError::NewerFormat { found: 9, .. }), "{newer}");
}

#[tokio::test]
async fn the_file_of_another_program_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    for theirs in ["CREATE TABLE customers (id INTEGER)", "PRAGMA application_id = 1", "PRAGMA user_version = 4"] {
        let _ = std::fs::remove_file(&path);
        sql(&path, theirs).await;
        let before = std::fs::read(&path).unwrap();
        let foreign = refused(&path).await;
        assert!(matches!(&foreign, JournalError::Corrupt(what) if what.contains("another program")), "{foreign}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn garbage_is_named_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut torn = {
        with_groups(&path, 50).await.0.close().await;
        std::fs::read(&path).unwrap()
    };
    torn.truncate(torn.len() / 2);
    for (garbage, loads) in [(b"site,deleted_at\n".repeat(500), false), (torn, true)] {
        std::fs::write(&path, &garbage).unwrap();
        let damaged = match SqliteJournal::open(&path, SqliteOptions::new(|| 0)).await {
            Ok(journal) if loads => journal.load("a", 0, 100).await.unwrap_err(),
            Ok(_) => panic!("opened garbage"),
            Err(error) => error,
        };
        assert!(matches!(damaged, JournalError::Corrupt(_)), "{damaged}");
        assert_eq!(damaged.code(), "journal-corrupt");
        assert_eq!(std::fs::read(&path).unwrap(), garbage);
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    std::fs::write(&path, b"").unwrap();
    with_groups(&path, 3).await.0.close().await;
}
