//! Files of format 1 open for ever: those who look leave them as they are, the first change brings them forward.

use std::path::Path;

use runtime::{Fate, Journal, Lease, Mailbox, SharedPools, SiteLocks};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::damage::sql;
use crate::fixture::{head, holder};
use crate::pattern;
use crate::reopen::open;

/// Makes a file as format 1 wrote it: run `a` with five groups, and run `b`.
pub(crate) async fn sample(path: &Path) {
    sql(path, include_str!("samples/format-1.sql")).await;
}

pub(crate) async fn format(path: &Path) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await.unwrap();
    let format = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format
}

pub(crate) async fn has_all(journal: &dyn Journal) {
    let groups = journal.load("a", 0, 5).await.unwrap();
    assert_eq!(groups.len(), 5);
    assert!(groups.iter().all(|group| group.bytes == pattern::group(group.seq)));
    assert_eq!(journal.plan("a").await.unwrap(), (head("a"), b"the plan".to_vec()));
    assert_eq!(journal.plan("b").await.unwrap(), (head("b"), b"another plan".to_vec()));
    assert_eq!(journal.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn who_looks_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    sample(&path).await;
    let before = std::fs::read(&path).unwrap();
    let journal = open(&path).await;
    has_all(&journal).await;
    assert!(journal.holders("prod", &["s1".to_owned()]).await.unwrap().is_empty());
    assert_eq!(journal.fate(1).await.unwrap(), Fate::Gone);
    let old = Lease { run: "a".to_owned(), epoch: 1, was_left: false };
    assert!(journal.take(&old, 0).await.unwrap().is_empty());
    journal.close().await;
    assert_eq!(format(&path).await, 1);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn the_first_change_brings_it_forward() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    sample(&path).await;
    let (journal, reader) = (open(&path).await, open(&path).await);
    let sites = ["s1".to_owned()];
    assert!(reader.holders("prod", &sites).await.unwrap().is_empty());
    let lease = journal.acquire("a", &holder("two"), 10_000).await.unwrap();
    assert_eq!(lease.epoch, 2);
    assert_eq!(format(&path).await, i64::from(store::FORMAT));
    has_all(&journal).await;
    journal.append(&lease, 5, b"goes on").await.unwrap();
    journal.hold_sites("b", "prod", &sites).await.unwrap();
    assert_eq!(reader.holders("prod", &sites).await.unwrap().len(), 1);
    let id = journal.post("a", b"pause", 1_000).await.unwrap();
    assert_eq!(journal.take(&lease, 0).await.unwrap()[0].id, id);
    assert!(journal.share(&lease, "prod", &[]).await.unwrap().is_empty());
    journal.close().await;
    has_all(&open(&path).await).await;
}

#[tokio::test]
async fn two_may_bring_it_forward_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    sample(&path).await;
    let (one, two) = (open(&path).await, open(&path).await);
    let (post, hold) = tokio::join!(one.post("a", b"pause", 1_000), two.hold_sites("b", "prod", &[]));
    assert_eq!(two.fate(post.unwrap()).await.unwrap(), Fate::Waiting);
    hold.unwrap();
    has_all(&one).await;
}
