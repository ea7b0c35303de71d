//! Copies of runs whose process is killed: each is whole or not there, and can be made again.

use runtime::{JournalError, RunCopy, Store};

use crate::child_process::ChildProcess;
use crate::fixture::{Fixture, driven, head, postgres_in};
use crate::pattern::{self, COPIED, SITES};
use crate::schema::Schema;

/// Kills who copies after some more copies each time, between any two writes of the next one.
async fn killed(address: &str) {
    for round in 0..5_usize {
        let mut child = ChildProcess::start("copy", address);
        for _ in 0..=round % 2 {
            let said = child.answer();
            said.parse::<usize>().unwrap_or_else(|_| panic!("said `{said}`"));
        }
        let said = child.kill();
        let store = store::open(address).await.unwrap();
        let listed = store.list().await.unwrap();
        if let Some(last) = said.last() {
            assert!(listed.len() >= last.parse().unwrap());
        }
        for run in 0..listed.len() {
            let name = format!("run {run}");
            assert_eq!(store.plan(&name).await.unwrap().1, pattern::group(run as u64));
            let groups = store.load(&name, 0, u32::MAX).await.unwrap();
            assert!(
                groups.len() as u64 == COPIED && groups.iter().all(|group| group.bytes == pattern::group(group.seq))
            );
            let sites: Vec<String> = (0..SITES).map(|site| format!("{run}/{site}")).collect();
            assert_eq!(store.holders("prod", &sites).await.unwrap().len(), SITES);
        }
        let next: Vec<String> = (0..SITES).map(|site| format!("{}/{site}", listed.len())).collect();
        assert!(store.holders("prod", &next).await.unwrap().is_empty(), "no site without its run");
    }
}

#[tokio::test]
async fn kill_9_leaves_a_copy_whole_or_not_there_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    killed(&format!("sqlite://{}", folder.path().join("runs.db").display())).await;
}

#[tokio::test]
async fn kill_9_leaves_a_copy_whole_or_not_there_in_a_schema() {
    killed(&Schema::new().text()).await;
}

pub(crate) async fn a_spent_name_is_refused_to_a_copy(it: Fixture) {
    let lease = driven(&*it.journal, "a", 1_000).await;
    it.journal.discard(&lease).await.unwrap();
    let (estate, sites) = ("prod".to_owned(), vec!["s1".to_owned()]);
    let copy = RunCopy { head: head("a"), plan: b"plan".to_vec(), epoch: 7, groups: vec![vec![1]], estate, sites };
    let store: &dyn Store = &*it.journal;
    assert!(matches!(store.create_copy(&copy).await, Err(JournalError::Spent(run)) if run == "a"));
    assert!(store.list().await.unwrap().is_empty());
    assert!(store.holders("prod", &copy.sites).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_copied_has_no_newer_length_than_its_own() {
    let schema = Schema::new();
    let it = postgres_in(schema.clone()).await;
    let groups = (0..3).map(pattern::group).collect();
    let copy = RunCopy {
        head: head("a"),
        plan: b"plan".to_vec(),
        epoch: 7,
        groups,
        estate: "prod".to_owned(),
        sites: Vec::new(),
    };
    it.journal.create_copy(&copy).await.unwrap();
    schema.sql("DELETE FROM {s}.groups WHERE seq = 2");
    let shorter = it.journal.load("a", 0, 9).await.unwrap_err();
    assert!(matches!(&shorter, JournalError::Corrupt(what) if what.contains("2 groups, and had 3")), "{shorter}");
}
