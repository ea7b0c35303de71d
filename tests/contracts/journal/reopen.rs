//! A file that is closed and opened again, or opened twice.

use std::path::Path;

use runtime::{Journal, JournalError, Lease};
use store::{SqliteJournal, SqliteOptions};

use crate::fixture::{head, holder};
use crate::pattern;

pub(crate) async fn open(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, SqliteOptions::new(|| 1_000)).await.unwrap()
}

/// Opens a new file with one run, `a`, of so many groups.
pub(crate) async fn with_groups(path: &Path, groups: u64) -> (SqliteJournal, Lease) {
    let journal = open(path).await;
    journal.create(&head("a"), b"the plan").await.unwrap();
    let lease = journal.acquire("a", &holder("one"), 10_000).await.unwrap();
    for seq in 0..groups {
        journal.append(&lease, seq, &pattern::group(seq)).await.unwrap();
    }
    (journal, lease)
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 40).await;
    // Dropped without a word, with its -wal file still unfolded perhaps.
    drop(journal);
    let again = open(&path).await;
    let groups = again.load("a", 0, 100).await.unwrap();
    assert_eq!(groups.len(), 40);
    assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    assert_eq!(again.plan("a").await.unwrap(), (head("a"), b"the plan".to_vec()));
    assert!(matches!(again.acquire("a", &holder("two"), 1).await, Err(JournalError::Held { .. })));
    again.append(&lease, 40, b"goes on").await.unwrap();
}

#[tokio::test]
async fn a_released_run_leaves_a_small_file_and_a_closed_one_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (journal, lease) = with_groups(&path, 200).await;
    let wal = folder.path().join("runs.db-wal");
    assert!(wal.metadata().unwrap().len() > 0);
    journal.release(&lease).await.unwrap();
    assert_eq!(wal.metadata().unwrap().len(), 0);
    journal.close().await;
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["runs.db"]);
}

#[tokio::test]
async fn two_in_one_file_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let (first, second) = tokio::join!(open(&path), open(&path));
    first.create(&head("a"), b"plan").await.unwrap();
    assert!(matches!(second.create(&head("a"), b"").await, Err(JournalError::Exists(_))));
    let lease = second.acquire("a", &holder("two"), 5).await.unwrap();
    second.append(&lease, 0, b"x").await.unwrap();
    assert_eq!(first.load("a", 0, 9).await.unwrap().len(), 1);
    assert!(matches!(first.acquire("a", &holder("one"), 5).await, Err(JournalError::Held { .. })));
}

#[tokio::test]
async fn a_file_that_was_moved_away_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (folder.path().join("runs.db"), folder.path().join("elsewhere.db"));
    let (journal, lease) = with_groups(&path, 1).await;
    std::fs::rename(&path, &elsewhere).unwrap();
    let refused = journal.append(&lease, 1, b"lost?").await.unwrap_err();
    assert!(matches!(&refused, JournalError::Unavailable { context, .. } if context.contains("moved")), "{refused}");
    std::fs::rename(&elsewhere, &path).unwrap();
    journal.append(&lease, 1, b"kept").await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_and_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/runs.db");
    for (path, words) in [(missing.as_path(), "does not exist"), (folder.path(), "is a folder")] {
        let refused = SqliteJournal::open(path, SqliteOptions::new(|| 0)).await.err().unwrap();
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(refused.code(), "journal-unavailable");
    }
}

#[tokio::test]
async fn addresses_open_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", folder.path().join("runs.db").display());
    let journal = store::open(&address).await.unwrap();
    journal.create(&head("a"), b"plan").await.unwrap();
    let schema = crate::schema::Schema::new();
    store::open(&schema.text()).await.unwrap().create(&head("a"), b"plan").await.unwrap();
    let refused = store::open("mysql://user:secret@db/runs").await.err().unwrap();
    assert_eq!(refused.code(), "journal-unsupported");
    assert!(!format!("{refused} {refused:?}").contains("secret"));
}
