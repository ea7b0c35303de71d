//! Whose orders count: those of the newest epoch of a run that is there, and of its last drive.

use runtime::{JournalError, Lease, RunCopy};

use crate::dispatch::{
    LIFE, TTL, answered, claim, collect, enlisted, holds, next_lease, numbers, order, says, send, taken_back, waits,
    worker,
};
use crate::fixture::{Fixture, driven, head, holder};

pub(crate) async fn older_epochs_are_fenced(it: Fixture) {
    let old = driven(&*it.journal, "a", TTL).await;
    send(&it, &old, 1..=1).await;
    let new = next_lease(&it, &old).await;
    let fenced = [
        it.journal.dispatch(&old, &[order(2, &[])]).await,
        it.journal.dispatch(&old, &[]).await,
        it.journal.collect(&old, &[], 9).await.map(drop),
        it.journal.collect(&old, &[1], 9).await.map(drop),
        it.journal.take_back(&old, &[1]).await,
        it.journal.left_orders(&old, 0).await.map(drop),
        it.journal.withdraw_orders(&old, 0).await.map(drop),
        it.journal.dispatch(&Lease { epoch: new.epoch + 1, ..new.clone() }, &[]).await,
        it.journal.withdraw_orders(&Lease { epoch: 0, ..new.clone() }, 0).await.map(drop),
    ];
    for refused in fenced {
        assert!(matches!(&refused, Err(JournalError::Fenced { run, .. }) if run == "a"), "{refused:?}");
    }
    let nowhere = Lease { run: "nowhere".to_owned(), ..new.clone() };
    let unknown = [
        it.journal.dispatch(&nowhere, &[order(2, &[])]).await,
        it.journal.collect(&nowhere, &[], 9).await.map(drop),
        it.journal.collect(&nowhere, &[1], 9).await.map(drop),
        it.journal.take_back(&nowhere, &[1]).await,
        it.journal.left_orders(&nowhere, 0).await.map(drop),
        it.journal.withdraw_orders(&nowhere, 0).await.map(drop),
        it.journal.waiting_orders("nowhere").await.map(drop),
    ];
    for refused in unknown {
        assert!(matches!(&refused, Err(JournalError::NoSuchRun(run)) if run == "nowhere"), "{refused:?}");
    }
    // Nothing came of it; and an epoch whose lease has expired, and that nobody followed, is the newest still.
    assert_eq!(waits(&*it.journal, "a").await, 0);
    it.clock.advance(TTL as i64);
    send(&it, &new, 1..=1).await;
    assert_eq!(waits(&*it.journal, "a").await, 1);
}

pub(crate) async fn a_newer_epoch_withdraws_what_older_ones_sent(it: Fixture) {
    let old = driven(&*it.journal, "a", TTL).await;
    send(&it, &old, 1..=5).await;
    let (one, two) = (enlisted(&it, 2).await, enlisted(&it, 2).await);
    let (mine, theirs) = (claim(&it, one).await, claim(&it, two).await);
    says(&it, one, &mine[1..]).await;
    let new = next_lease(&it, &old).await;
    assert!(collect(&it, &new, &[1, 2]).await.is_empty(), "they are not its own");
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 3);
    assert_eq!((waits(&*it.journal, "a").await, claim(&it, one).await), (0, Vec::new()));
    assert_eq!(it.journal.beat(one, LIFE).await.unwrap(), [mine[0].id], "what was answered is gone");
    assert_eq!(it.journal.beat(two, LIFE).await.unwrap(), [theirs[0].id, theirs[1].id]);
    assert_eq!(it.journal.beat(two, LIFE).await.unwrap(), [theirs[0].id, theirs[1].id], "each time");
    assert_eq!(says(&it, one, &theirs).await, [false; 2], "nobody ends what is another's");
    assert_eq!(says(&it, two, &theirs[..1]).await, [false], "it is refused, and ends it");
    assert_eq!(it.journal.beat(two, LIFE).await.unwrap(), [theirs[1].id]);
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 2);
    send(&it, &new, 1..=1).await;
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 2, "its own stay");
    assert_eq!(waits(&*it.journal, "a").await, 1);
    assert!(collect(&it, &new, &[]).await.is_empty());
}

pub(crate) async fn the_first_orders_of_an_epoch_withdraw_those_of_lower_ones(it: Fixture) {
    let old = driven(&*it.journal, "a", TTL).await;
    send(&it, &old, 1..=3).await;
    let one = enlisted(&it, 1).await;
    let mine = claim(&it, one).await;
    let new = next_lease(&it, &old).await;
    // With none as well.
    it.journal.dispatch(&new, &[]).await.unwrap();
    assert_eq!(it.journal.beat(one, LIFE).await.unwrap(), [mine[0].id]);
    let newest = next_lease(&it, &new).await;
    send(&it, &newest, 2..=2).await;
    assert_eq!(waits(&*it.journal, "a").await, 1);
    assert_eq!(says(&it, one, &mine).await, [false]);
    assert_eq!(numbers(&claim(&it, one).await), [2]);
}

pub(crate) async fn a_drive_withdraws_what_an_earlier_one_of_its_epoch_sent(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=6).await;
    let one = enlisted(&it, 3).await;
    let mine = claim(&it, one).await;
    says(&it, one, &mine[..1]).await;
    it.journal.take_back(&lease, &[5]).await.unwrap();
    // 1 is answered, 2 and 3 are claimed, 4 and 6 wait, 5 is taken back.
    assert_eq!(it.journal.withdraw_orders(&lease, 3).await.unwrap(), 1);
    assert_eq!(collect(&it, &lease, &[]).await, [taken_back(5)]);
    assert_eq!(waits(&*it.journal, "a").await, 2);
    assert_eq!(it.journal.beat(one, LIFE).await.unwrap(), [mine[1].id]);
    assert_eq!(it.journal.withdraw_orders(&lease, 3).await.unwrap(), 1);
    assert_eq!(it.journal.withdraw_orders(&lease, 9).await.unwrap(), 2);
    assert!(collect(&it, &lease, &[]).await.is_empty());
    assert_eq!(waits(&*it.journal, "a").await, 0);
    assert_eq!(says(&it, one, &mine).await, [false; 3]);
    // What was on its way meanwhile is not sent any more.
    send(&it, &lease, 7..=10).await;
    assert_eq!(numbers(&claim(&it, one).await), [9, 10]);
    assert_eq!(it.journal.withdraw_orders(&lease, 2).await.unwrap(), 0, "a lower number withdraws nothing more");
    send(&it, &lease, 2..=11).await;
    assert_eq!(numbers(&claim(&it, one).await), [9, 10, 11]);
    // A newer epoch counts from its own beginning.
    let next = next_lease(&it, &lease).await;
    send(&it, &next, 1..=1).await;
    assert_eq!(waits(&*it.journal, "a").await, 1);
}

pub(crate) async fn a_newer_epoch_learns_what_surely_became_of_what_older_ones_sent(it: Fixture) {
    let old = driven(&*it.journal, "a", TTL).await;
    send(&it, &old, 1..=6).await;
    let one = enlisted(&it, 3).await;
    let mine = claim(&it, one).await;
    says(&it, one, &mine[..1]).await;
    it.journal.take_back(&old, &[5]).await.unwrap();
    let new = next_lease(&it, &old).await;
    // 1 is answered, 2 and 3 are claimed, 4 and 6 wait, 5 is taken back.
    let left = it.journal.left_orders(&new, 0).await.unwrap();
    let known: Vec<_> = left.iter().map(|one| (&*one.unit, one.attempt, one.mode)).collect();
    let sent = [1, 4, 5, 6].map(|number| order(number, &[]));
    let sent: Vec<_> = sent.iter().map(|order| (&*order.unit, order.attempt, order.mode)).collect();
    assert_eq!(known, sent, "by the order in which they were sent");
    assert_eq!(left[0].fate, answered(1).fate);
    assert!(left[1..].iter().all(|one| one.fate == taken_back(9).fate));
    assert_eq!(it.journal.left_orders(&new, 0).await.unwrap(), left, "each time");
    // What ends later is known later; nothing of it is this epoch's own.
    says(&it, one, &mine[1..2]).await;
    assert_eq!(it.journal.left_orders(&new, 0).await.unwrap().len(), 5);
    assert!(collect(&it, &new, &[]).await.is_empty());
    // Another one may die before it has written it down.
    let newest = next_lease(&it, &new).await;
    assert_eq!(it.journal.left_orders(&newest, 0).await.unwrap().len(), 5);
    assert_eq!(it.journal.withdraw_orders(&newest, 0).await.unwrap(), 1, "nobody else has any");
    assert!(it.journal.left_orders(&newest, 0).await.unwrap().is_empty());
}

pub(crate) async fn a_drive_learns_what_an_earlier_one_of_its_epoch_left(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=3).await;
    let left = it.journal.left_orders(&lease, 3).await.unwrap();
    assert_eq!(left.len(), 2);
    assert_eq!(waits(&*it.journal, "a").await, 1, "its own stay");
    assert_eq!(numbers(&claim(&it, enlisted(&it, 3).await).await), [3]);
}

pub(crate) async fn withdrawn_orders_of_workers_that_are_gone_do_not_count(it: Fixture) {
    let old = driven(&*it.journal, "a", u64::MAX).await;
    send(&it, &old, 1..=3).await;
    let (one, two) = (enlisted(&it, 1).await, it.journal.enlist(&worker(&[], 1), TTL).await.unwrap());
    let mine = claim(&it, one).await;
    claim(&it, two).await;
    let new = next_lease(&it, &old).await;
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 2);
    it.clock.advance(LIFE as i64);
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 1);
    it.journal.retire(two).await.unwrap();
    assert!(collect(&it, &new, &[]).await.is_empty());
    assert_eq!(it.journal.withdraw_orders(&new, 0).await.unwrap(), 0);
    assert_eq!(says(&it, one, &mine).await, [false]);
}

pub(crate) async fn nothing_is_claimed_under_a_lease_that_is_over(it: Fixture) {
    let lease = driven(&*it.journal, "a", 100).await;
    let one = it.journal.enlist(&worker(&[], 1), TTL).await.unwrap();
    send(&it, &lease, 1..=9).await;
    it.clock.advance(100);
    assert!(claim(&it, one).await.is_empty(), "it has expired");
    it.journal.renew(&lease, 100).await.unwrap();
    let mine = claim(&it, one).await;
    assert_eq!(numbers(&mine), [1]);
    it.journal.hand_on(&lease).await.unwrap();
    assert_eq!(says(&it, one, &mine).await, [true], "what is in hand may be answered");
    assert!(claim(&it, one).await.is_empty(), "it was given back");
    let next = it.journal.acquire("a", &holder("next"), 100).await.unwrap();
    assert!(claim(&it, one).await.is_empty(), "they are an older epoch's");
    send(&it, &next, 7..=7).await;
    assert_eq!(numbers(&claim(&it, one).await), [7]);
}

pub(crate) async fn runs_are_apart(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    send(&it, &a, 1..=2).await;
    send(&it, &b, 1..=2).await;
    let one = enlisted(&it, 3).await;
    let mine = claim(&it, one).await;
    let runs: Vec<(&str, u64)> = mine.iter().map(|mine| (mine.run.as_str(), mine.order.number)).collect();
    assert_eq!(runs, [("a", 1), ("a", 2), ("b", 1)], "the oldest first");
    says(&it, one, &mine[1..]).await;
    it.journal.take_back(&a, &[2]).await.unwrap();
    assert_eq!((waits(&*it.journal, "a").await, waits(&*it.journal, "b").await), (0, 1));
    assert_eq!(collect(&it, &a, &[1]).await, [answered(2)]);
    assert_eq!(collect(&it, &b, &[2]).await, [answered(1)]);
    let a = next_lease(&it, &a).await;
    assert_eq!(it.journal.withdraw_orders(&a, 99).await.unwrap(), 1);
    assert_eq!(it.journal.withdraw_orders(&b, 0).await.unwrap(), 0);
    assert_eq!(collect(&it, &b, &[1]).await, []);
    assert_eq!(numbers(&claim(&it, one).await), [2]);
}

pub(crate) async fn a_discarded_run_leaves_no_orders(it: Fixture) {
    let (a, b) = (driven(&*it.journal, "a", TTL).await, driven(&*it.journal, "b", TTL).await);
    send(&it, &a, 1..=4).await;
    let one = enlisted(&it, 2).await;
    let mine = claim(&it, one).await;
    says(&it, one, &mine[..1]).await;
    it.journal.discard(&a).await.unwrap();
    for _ in 0..2 {
        assert_eq!(holds(&it).await, [(one, 0)]);
        assert!(it.journal.beat(one, LIFE).await.unwrap().is_empty() && claim(&it, one).await.is_empty());
        assert_eq!(says(&it, one, &mine).await, [false; 2]);
        let gone = it.journal.dispatch(&a, &[order(9, &[])]).await;
        assert!(matches!(gone, Err(JournalError::NoSuchRun(_))));
        while it.journal.free().await.unwrap().is_some() {}
    }
    // Its place is another run's, which finds nothing of it.
    it.journal.create(&head("c"), b"plan").await.unwrap();
    assert_eq!(waits(&*it.journal, "c").await, 0);
    send(&it, &b, 1..=1).await;
    assert_eq!(numbers(&claim(&it, one).await), [1]);
}

pub(crate) async fn a_copy_has_no_orders_and_gets_its_own(it: Fixture) {
    let copy = RunCopy {
        head: head("a"),
        plan: b"plan".to_vec(),
        epoch: 9,
        groups: vec![vec![1]],
        estate: "prod".to_owned(),
        sites: vec![],
    };
    it.journal.create_copy(&copy).await.unwrap();
    assert_eq!(waits(&*it.journal, "a").await, 0);
    let lease = it.journal.acquire("a", &holder("x"), TTL).await.unwrap();
    assert_eq!(it.journal.withdraw_orders(&lease, 1).await.unwrap(), 0);
    send(&it, &lease, 1..=1).await;
    let one = enlisted(&it, 1).await;
    assert_eq!(numbers(&claim(&it, one).await), [1]);
}
