//! A request reaches one driver at most, and its poster learns what became of it.

use runtime::{Fate, JournalError, KEPT_MS, Lease, Posted};

use crate::fixture::{Fixture, driven, holder};

const TTL: u64 = 10_000;

/// Numbers of what a driver takes.
async fn taken(it: &Fixture, lease: &Lease, after: u64) -> Vec<u64> {
    it.journal.take(lease, after).await.unwrap().iter().map(|posted| posted.id).collect()
}

pub(crate) async fn requests_come_in_the_order_of_posting_and_are_answered(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    assert!(it.journal.take(&lease, 0).await.unwrap().is_empty());
    let first = it.journal.post("a", b"pause", 1_000).await.unwrap();
    let second = it.journal.post("a", b"", 1_000).await.unwrap();
    assert!(second > first && first > 0);
    assert_eq!(it.journal.fate(first).await.unwrap(), Fate::Waiting);
    let posted = it.journal.take(&lease, 0).await.unwrap();
    let expected = [Posted { id: first, bytes: b"pause".to_vec() }, Posted { id: second, bytes: Vec::new() }];
    assert_eq!(posted, expected);
    assert_eq!(it.journal.fate(first).await.unwrap(), Fate::Taken);
    it.journal.answer(&lease, second, b"").await.unwrap();
    it.journal.answer(&lease, first, b"paused").await.unwrap();
    assert_eq!(it.journal.fate(first).await.unwrap(), Fate::Answered(b"paused".to_vec()));
    assert_eq!(it.journal.fate(second).await.unwrap(), Fate::Answered(Vec::new()));
}

pub(crate) async fn what_was_taken_comes_again_only_to_who_has_not_seen_it(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let first = it.journal.post("a", b"one", 5).await.unwrap();
    // A reply that got lost: the driver asks again with the number that it knows, even after the request's time.
    assert_eq!(taken(&it, &lease, 0).await, [first]);
    it.clock.advance(6);
    assert_eq!(taken(&it, &lease, 0).await, [first]);
    assert!(taken(&it, &lease, first).await.is_empty());
    let second = it.journal.post("a", b"two", 5).await.unwrap();
    assert_eq!(taken(&it, &lease, first).await, [second]);
    it.journal.answer(&lease, first, b"done").await.unwrap();
    assert_eq!(taken(&it, &lease, 0).await, [second]);
}

pub(crate) async fn what_a_dead_driver_took_is_lost_and_not_delivered_again(it: Fixture) {
    let dead = driven(&*it.journal, "a", TTL).await;
    let acted_on = it.journal.post("a", b"cancel", u64::MAX).await.unwrap();
    assert_eq!(taken(&it, &dead, 0).await, [acted_on]);
    let untouched = it.journal.post("a", b"pause", u64::MAX).await.unwrap();
    it.clock.advance(TTL as i64);
    assert_eq!(it.journal.fate(acted_on).await.unwrap(), Fate::Lost);
    assert_eq!(it.journal.withdraw(acted_on).await.unwrap(), Fate::Lost);
    let next = it.journal.acquire("a", &holder("two"), TTL).await.unwrap();
    assert_eq!(taken(&it, &next, 0).await, [untouched]);
    assert_eq!(it.journal.fate(acted_on).await.unwrap(), Fate::Lost);
    for late in [it.journal.answer(&dead, acted_on, b"done").await, it.journal.take(&dead, 0).await.map(drop)] {
        assert!(matches!(late, Err(JournalError::Fenced { epoch, .. }) if epoch == dead.epoch), "{late:?}");
    }
    let not_mine = it.journal.answer(&next, acted_on, b"done").await.unwrap_err();
    assert!(matches!(&not_mine, JournalError::NotTaken { id, .. } if *id == acted_on), "{not_mine}");
    assert_eq!(not_mine.code(), "journal-not-taken");
}

pub(crate) async fn a_slow_driver_that_nobody_followed_still_answers(it: Fixture) {
    let slow = driven(&*it.journal, "a", TTL).await;
    let id = it.journal.post("a", b"pause", 100).await.unwrap();
    assert_eq!(taken(&it, &slow, 0).await, [id]);
    it.journal.release(&slow).await.unwrap();
    assert_eq!(it.journal.fate(id).await.unwrap(), Fate::Lost);
    it.journal.answer(&slow, id, b"paused").await.unwrap();
    it.journal.answer(&slow, id, b"another answer").await.unwrap();
    assert_eq!(it.journal.fate(id).await.unwrap(), Fate::Answered(b"paused".to_vec()));
    assert_eq!(it.journal.withdraw(id).await.unwrap(), Fate::Answered(b"paused".to_vec()));
}

pub(crate) async fn an_expired_request_is_not_taken(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let never = it.journal.post("a", b"pause", 0).await.unwrap();
    let short = it.journal.post("a", b"pause", 10).await.unwrap();
    let long = it.journal.post("a", b"pause", 11).await.unwrap();
    it.clock.advance(10);
    assert_eq!(taken(&it, &lease, 0).await, [long]);
    assert_eq!(it.journal.fate(short).await.unwrap(), Fate::Waiting);
    assert_eq!(it.journal.withdraw(short).await.unwrap(), Fate::Withdrawn);
    assert_eq!(it.journal.withdraw(never).await.unwrap(), Fate::Withdrawn);
}

pub(crate) async fn a_withdrawn_request_is_never_taken(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let id = it.journal.post("a", b"cancel", 1_000).await.unwrap();
    for _ in 0..2 {
        assert_eq!(it.journal.withdraw(id).await.unwrap(), Fate::Withdrawn);
    }
    assert!(taken(&it, &lease, 0).await.is_empty());
    // Not even by a clock that goes back.
    it.clock.advance(-500);
    assert!(taken(&it, &lease, 0).await.is_empty());
    assert!(matches!(it.journal.answer(&lease, id, b"x").await, Err(JournalError::NotTaken { .. })));
    assert_eq!(it.journal.fate(id).await.unwrap(), Fate::Withdrawn);
    let late = it.journal.post("a", b"cancel", 1_000).await.unwrap();
    assert_eq!(taken(&it, &lease, 0).await, [late]);
    assert_eq!(it.journal.withdraw(late).await.unwrap(), Fate::Taken);
    it.journal.answer(&lease, late, b"cancelled").await.unwrap();
}

pub(crate) async fn a_request_is_withdrawn_or_taken_never_both(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let mut seen = 0;
    for _ in 0..30 {
        let id = it.journal.post("a", b"cancel", 1_000).await.unwrap();
        let (withdrawn, taken) = tokio::join!(it.journal.withdraw(id), it.journal.take(&lease, seen));
        match (withdrawn.unwrap(), &taken.unwrap()[..]) {
            (Fate::Withdrawn, []) => {}
            (Fate::Taken, [posted]) if posted.id == id => seen = id,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn mailboxes_are_apart(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    let id = it.journal.post("b", b"pause", 1_000).await.unwrap();
    assert!(taken(&it, &a, 0).await.is_empty());
    assert!(matches!(it.journal.answer(&a, id, b"x").await, Err(JournalError::NotTaken { .. })));
    assert_eq!(taken(&it, &b, 0).await, [id]);
    assert!(matches!(it.journal.answer(&a, id, b"x").await, Err(JournalError::NotTaken { .. })));
    it.journal.answer(&b, id, b"y").await.unwrap();
    assert!(matches!(it.journal.post("nowhere", b"x", 1).await, Err(JournalError::NoSuchRun(_))));
    let nobody = Lease { run: "nowhere".to_owned(), epoch: 1, was_left: false };
    assert!(matches!(it.journal.take(&nobody, 0).await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.answer(&nobody, id, b"x").await, Err(JournalError::NoSuchRun(_))));
    for id in [0, id + 1, u64::MAX] {
        assert_eq!(it.journal.fate(id).await.unwrap(), Fate::Gone);
        assert_eq!(it.journal.withdraw(id).await.unwrap(), Fate::Gone);
    }
}

pub(crate) async fn requests_are_kept_for_a_day_and_numbers_for_ever(it: Fixture) {
    let lease = driven(&*it.journal, "a", u64::MAX).await;
    let answered = it.journal.post("a", b"1", 10).await.unwrap();
    let in_hand = it.journal.post("a", b"2", 10).await.unwrap();
    assert_eq!(taken(&it, &lease, 0).await, [answered, in_hand]);
    it.journal.answer(&lease, answered, b"done").await.unwrap();
    let ignored = it.journal.post("a", b"3", 10).await.unwrap();
    it.clock.advance(9 + KEPT_MS as i64);
    it.journal.post("a", b"4", 10).await.unwrap();
    assert_eq!(it.journal.fate(answered).await.unwrap(), Fate::Answered(b"done".to_vec()));
    it.clock.advance(1);
    let last = it.journal.post("a", b"5", 10).await.unwrap();
    assert!(last > ignored);
    assert_eq!(it.journal.fate(answered).await.unwrap(), Fate::Gone);
    assert_eq!(it.journal.fate(ignored).await.unwrap(), Fate::Gone);
    // What the driver has in hand is not pulled away from under it.
    it.journal.answer(&lease, in_hand, b"at last").await.unwrap();
    assert_eq!(it.journal.fate(in_hand).await.unwrap(), Fate::Answered(b"at last".to_vec()));
}
