//! What every journal owes, whatever it is made of.

use std::sync::Arc;

use runtime::{Appended, Journal, JournalError, Lease, RunCopy};

use crate::fixture::{Fixture, head, holder};
use crate::pattern;

const TTL: u64 = 10_000;

async fn started(journal: &dyn Journal, run: &str) -> Lease {
    journal.create(&head(run), b"plan").await.unwrap();
    journal.acquire(run, &holder("one"), TTL).await.unwrap()
}

async fn loaded(journal: &dyn Journal, run: &str) -> Vec<Vec<u8>> {
    let groups = journal.load(run, 0, u32::MAX).await.unwrap();
    assert!(groups.iter().zip(0..).all(|(group, seq)| group.seq == seq));
    groups.into_iter().map(|group| group.bytes).collect()
}

pub(crate) async fn create_then_exists(it: Fixture) {
    it.journal.create(&head("a"), b"plan").await.unwrap();
    let again = it.journal.create(&head("a"), b"other").await;
    assert!(matches!(again, Err(JournalError::Exists(run)) if run == "a"));
    assert_eq!(it.journal.plan("a").await.unwrap(), (head("a"), b"plan".to_vec()));
}

pub(crate) async fn plan_comes_back_whole(it: Fixture) {
    for size in [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000] {
        let plan: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let head = head(&format!("run of {size}"));
        it.journal.create(&head, &plan).await.unwrap();
        let (found, bytes) = it.journal.plan(&head.run).await.unwrap();
        assert!(found == head && bytes == plan, "{size}");
    }
}

pub(crate) async fn append_then_load(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    let groups: Vec<Vec<u8>> = (0..20).map(pattern::group).chain([vec![9; 3_000_000]]).collect();
    for (group, seq) in groups.iter().zip(0..) {
        assert_eq!(it.journal.append(&lease, seq, group).await.unwrap(), Appended { next: seq + 1 });
    }
    assert_eq!(loaded(&*it.journal, "a").await, groups);
}

pub(crate) async fn numbers_are_dense(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    for wrong in [1, 2, 1 << 40, u64::MAX] {
        let gap = it.journal.append(&lease, wrong, b"x").await;
        assert!(matches!(gap, Err(JournalError::Conflict { expected, .. }) if expected == wrong));
    }
    assert!(loaded(&*it.journal, "a").await.is_empty());
}

pub(crate) async fn conflict_changes_nothing(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    it.journal.append(&lease, 0, b"first").await.unwrap();
    let again = it.journal.append(&lease, 0, b"second").await;
    assert!(matches!(again, Err(JournalError::Conflict { expected: 0, .. })));
    assert_eq!(loaded(&*it.journal, "a").await, [b"first"]);
    it.journal.append(&lease, 1, b"third").await.unwrap();
}

pub(crate) async fn stale_epoch_changes_nothing(it: Fixture) {
    let stale = started(&*it.journal, "a").await;
    it.journal.append(&stale, 0, b"mine").await.unwrap();
    it.clock.advance(TTL as i64);
    // Expired, but nobody else drives: what the process did not see happen did not happen.
    it.journal.append(&stale, 1, b"late").await.unwrap();
    let fresh = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert!(fresh.epoch > stale.epoch);
    for expected in [0, 2, 3] {
        let refused = it.journal.append(&stale, expected, b"too late").await;
        assert!(matches!(refused, Err(JournalError::Fenced { epoch, .. }) if epoch == stale.epoch));
    }
    assert!(matches!(it.journal.renew(&stale, TTL).await, Err(JournalError::Fenced { .. })));
    it.journal.release(&stale).await.unwrap();
    let third = it.journal.acquire("a", &holder("three"), TTL).await;
    assert!(matches!(third, Err(JournalError::Held { holder, .. }) if holder == "two"));
    it.journal.append(&fresh, 2, b"next").await.unwrap();
    assert_eq!(loaded(&*it.journal, "a").await, [&b"mine"[..], b"late", b"next"]);
    for epoch in [0, fresh.epoch + 1, u64::MAX] {
        let never_given = Lease { run: "a".to_owned(), epoch, was_left: false };
        assert!(matches!(it.journal.append(&never_given, 3, b"x").await, Err(JournalError::Fenced { .. })));
    }
}

pub(crate) async fn lease_is_held_until_it_expires(it: Fixture) {
    let first = started(&*it.journal, "a").await;
    let refused = it.journal.acquire("a", &holder("two"), TTL).await;
    assert!(matches!(refused, Err(JournalError::Held { run, holder }) if run == "a" && holder == "one"));
    it.clock.advance(TTL as i64 - 1);
    assert!(matches!(it.journal.acquire("a", &holder("two"), TTL).await, Err(JournalError::Held { .. })));
    assert_eq!(it.journal.list().await.unwrap()[0].held_by.as_deref(), Some("one"));
    it.clock.advance(1);
    assert_eq!(it.journal.list().await.unwrap()[0].held_by, None);
    let second = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert!(second.epoch > first.epoch);
}

pub(crate) async fn lease_is_renewed_and_released(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    it.clock.advance(TTL as i64 - 1);
    it.journal.renew(&lease, TTL).await.unwrap();
    it.clock.advance(TTL as i64 - 1);
    assert!(matches!(it.journal.acquire("a", &holder("two"), TTL).await, Err(JournalError::Held { .. })));
    it.journal.release(&lease).await.unwrap();
    assert_eq!(it.journal.list().await.unwrap()[0].held_by, None);
    let next = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert!(next.epoch > lease.epoch);
    // The longest of all does not wrap around into the past.
    it.journal.renew(&next, u64::MAX).await.unwrap();
    it.clock.advance(1 << 40);
    assert!(matches!(it.journal.acquire("a", &holder("three"), TTL).await, Err(JournalError::Held { .. })));
}

pub(crate) async fn a_run_whose_driver_is_gone_is_abandoned_and_one_that_was_given_back_is_not(it: Fixture) {
    let names =
        async || -> Vec<String> { it.journal.abandoned().await.unwrap().into_iter().map(|run| run.head.run).collect() };
    it.journal.create(&head("never"), b"plan").await.unwrap();
    let (a, b) = (started(&*it.journal, "a").await, started(&*it.journal, "b").await);
    it.journal.append(&a, 0, b"x").await.unwrap();
    assert!(names().await.is_empty(), "both are driven, and one was never");
    it.clock.advance(TTL as i64);
    assert_eq!(names().await, ["a", "b"], "{}: both leases are over", it.name);
    assert_eq!(it.journal.abandoned().await.unwrap()[0].groups, 1);
    let next = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert_eq!(names().await, ["b"], "it is driven again");
    it.journal.hand_on(&a).await.unwrap();
    assert_eq!(names().await, ["b"], "the lease of somebody else is left alone");
    it.journal.release(&b).await.unwrap();
    it.journal.hand_on(&next).await.unwrap();
    assert_eq!(names().await, ["a"], "one was given back, one is left to whoever stands by");
    assert_eq!(it.journal.list().await.unwrap().iter().filter(|run| run.held_by.is_some()).count(), 0);
    let last = it.journal.acquire("a", &holder("three"), TTL).await.unwrap();
    it.journal.release(&last).await.unwrap();
    assert!(names().await.is_empty());
}

pub(crate) async fn a_lease_that_is_borrowed_leaves_the_run_as_it_was_also_if_who_borrowed_it_is_gone(it: Fixture) {
    let abandoned = async || !it.journal.abandoned().await.unwrap().is_empty();
    let borrow = async || it.journal.borrow("a", &holder("a verb"), TTL).await.unwrap();
    it.journal.create(&head("a"), b"plan").await.unwrap();
    for left in [false, true] {
        let lease = it.journal.acquire("a", &holder("driver"), TTL).await.unwrap();
        if left { it.journal.hand_on(&lease).await } else { it.journal.release(&lease).await }.unwrap();
        let lent = borrow().await;
        assert!(matches!(it.journal.acquire("a", &holder("driver"), TTL).await, Err(JournalError::Held { .. })));
        assert_eq!((lent.was_left, abandoned().await), (left, false), "{}", it.name);
        it.journal.give_back(&lent).await.unwrap();
        assert_eq!(abandoned().await, left);
        let lent = borrow().await;
        it.clock.advance(TTL as i64);
        assert_eq!(abandoned().await, left, "{}: who borrowed it is gone", it.name);
        let again = borrow().await;
        assert_eq!((again.was_left, again.epoch), (left, lent.epoch + 1));
        it.journal.give_back(&again).await.unwrap();
    }
    let lent = borrow().await;
    it.journal.release(&lent).await.unwrap();
    assert!(!abandoned().await, "who borrows it may also end that it goes on");
    let lent = borrow().await;
    it.journal.hand_on(&lent).await.unwrap();
    assert!(abandoned().await, "or have it go on");
}

pub(crate) async fn a_lease_that_was_given_back_is_not_renewed(it: Fixture) {
    for handed_on in [false, true] {
        let run = if handed_on { "a" } else { "b" };
        let lease = started(&*it.journal, run).await;
        it.clock.advance(TTL as i64);
        it.journal.renew(&lease, TTL).await.unwrap();
        if handed_on { it.journal.hand_on(&lease).await } else { it.journal.release(&lease).await }.unwrap();
        // As a message that the network has kept.
        let late = it.journal.renew(&lease, TTL).await;
        assert!(matches!(late, Err(JournalError::Fenced { .. })), "{}: {late:?}", it.name);
        let abandoned = it.journal.abandoned().await.unwrap();
        assert_eq!(abandoned.iter().any(|left| left.head.run == run), handed_on, "{}: {abandoned:?}", it.name);
        let next = it.journal.acquire(run, &holder("two"), TTL).await.unwrap();
        assert_eq!(next.epoch, lease.epoch + 1, "{}", it.name);
    }
}

pub(crate) async fn unknown_runs_are_named(it: Fixture) {
    let lease = Lease { run: "nowhere".to_owned(), epoch: 1, was_left: false };
    let named = |error: JournalError| matches!(error, JournalError::NoSuchRun(run) if run == "nowhere");
    assert!(named(it.journal.acquire("nowhere", &holder("one"), TTL).await.unwrap_err()));
    assert!(named(it.journal.renew(&lease, TTL).await.unwrap_err()));
    assert!(named(it.journal.append(&lease, 0, b"x").await.unwrap_err()));
    assert!(named(it.journal.plan("nowhere").await.unwrap_err()));
    assert!(named(it.journal.load("nowhere", 0, 1).await.unwrap_err()));
    it.journal.release(&lease).await.unwrap();
    it.journal.hand_on(&lease).await.unwrap();
    assert!(it.journal.list().await.unwrap().is_empty() && it.journal.abandoned().await.unwrap().is_empty());
}

pub(crate) async fn load_pages(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    for seq in 0..10 {
        it.journal.append(&lease, seq, &pattern::group(seq)).await.unwrap();
    }
    for from in [0, 3, 9, 10, 11, 1 << 40, u64::MAX] {
        for limit in [0, 1, 4, 100, u32::MAX] {
            let page = it.journal.load("a", from, limit).await.unwrap();
            let expected: Vec<u64> = (from..10).take(limit as usize).collect();
            assert_eq!(page.iter().map(|group| group.seq).collect::<Vec<_>>(), expected);
            assert!(page.iter().all(|group| group.bytes == pattern::group(group.seq)));
        }
    }
}

pub(crate) async fn list_is_newest_first(it: Fixture) {
    for (run, created_at) in [("a", 5), ("b", 9), ("c", 5), ("d", 1)] {
        it.journal.create(&runtime::RunHead { created_at, ..head(run) }, b"").await.unwrap();
    }
    let lease = it.journal.acquire("c", &holder("one"), TTL).await.unwrap();
    for seq in 0..3 {
        it.journal.append(&lease, seq, b"x").await.unwrap();
    }
    let listed = it.journal.list().await.unwrap();
    assert_eq!(listed.iter().map(|run| run.head.run.as_str()).collect::<Vec<_>>(), ["b", "c", "a", "d"]);
    assert_eq!(listed.iter().map(|run| run.groups).collect::<Vec<_>>(), [0, 3, 0, 0]);
    assert_eq!(listed[1].held_by.as_deref(), Some("one"));
}

pub(crate) async fn many_appenders_to_many_runs(it: Fixture) {
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..8_u64 {
        let journal = Arc::clone(&it.journal);
        tasks.spawn(async move {
            let name = format!("run {run}");
            let lease = started(&*journal, &name).await;
            for seq in 0..50 {
                journal.append(&lease, seq, &pattern::group(run * 1_000 + seq)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    for run in 0..8_u64 {
        let expected: Vec<Vec<u8>> = (0..50).map(|seq| pattern::group(run * 1_000 + seq)).collect();
        assert!(loaded(&*it.journal, &format!("run {run}")).await == expected, "{run}");
    }
}

pub(crate) async fn one_of_two_rivals_wins_each_number(it: Fixture) {
    let lease = started(&*it.journal, "a").await;
    for seq in 0..30 {
        let (one, two) = tokio::join!(it.journal.append(&lease, seq, b"one"), it.journal.append(&lease, seq, b"two"));
        let winner: &[u8] = match (one, two) {
            (Ok(_), Err(JournalError::Conflict { .. })) => b"one",
            (Err(JournalError::Conflict { .. }), Ok(_)) => b"two",
            other => panic!("{other:?}"),
        };
        assert_eq!(it.journal.load("a", seq, 1).await.unwrap()[0].bytes, winner);
    }
}

pub(crate) async fn a_copy_is_whole_and_nobody_drives_it(it: Fixture) {
    let groups: Vec<Vec<u8>> = (0..1_100).map(pattern::group).collect();
    let (estate, sites) = ("prod".to_owned(), vec!["s1".to_owned(), "s2".to_owned()]);
    let copy = RunCopy { head: head("a"), plan: b"plan".to_vec(), epoch: 7, groups, estate, sites };
    it.journal.create_copy(&copy).await.unwrap();
    assert_eq!(it.journal.plan("a").await.unwrap(), (head("a"), b"plan".to_vec()));
    assert!(loaded(&*it.journal, "a").await == copy.groups);
    let listed = it.journal.list().await.unwrap();
    assert_eq!((listed[0].groups, listed[0].held_by.as_deref()), (1_100, None));
    assert_eq!(it.journal.holders("prod", &copy.sites).await.unwrap().len(), 2);
    let lease = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert_eq!(lease.epoch, 8);
    it.journal.append(&lease, 1_100, b"goes on").await.unwrap();
    assert!(matches!(it.journal.create_copy(&copy).await, Err(JournalError::Exists(run)) if run == "a"));
    let other = RunCopy { head: head("b"), ..copy };
    assert!(matches!(it.journal.create_copy(&other).await, Err(JournalError::SiteHeld { more: 1, .. })));
    assert!(matches!(it.journal.plan("b").await, Err(JournalError::NoSuchRun(_))), "all of it or nothing");
}
