//! An order is done by one worker at most, and what became of it is told until that is durable elsewhere.

use std::collections::BTreeSet;

use runtime::engine::Mode;
use runtime::{
    ClaimedOrder, JournalError, Lease, Order, OrderAnswer, OrderFate, Settled, Store, WaitingOrders, Worker,
};

use crate::fixture::{Fixture, driven, holder};

pub(crate) const TTL: u64 = 10_000;
/// How long a worker lives without a beat.
pub(crate) const LIFE: u64 = 1_000;

pub(crate) fn labels(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn order(number: u64, demands: &[&str]) -> Order {
    let (unit, call) = (format!("step/{number}"), number.to_le_bytes().to_vec());
    Order { number, unit, attempt: 1, mode: Mode::Apply, labels: labels(demands), timeout_ms: 5, call }
}

pub(crate) fn worker(has: &[&str], slots: u32) -> Worker {
    Worker { name: "w".to_owned(), labels: labels(has), slots, version: "1".to_owned() }
}

pub(crate) fn answer(claimed: &ClaimedOrder) -> OrderAnswer {
    OrderAnswer { id: claimed.id, outcome: vec![7] }
}

pub(crate) fn answered(number: u64) -> Settled {
    Settled { number, fate: OrderFate::Answered(vec![7]) }
}

pub(crate) fn lost(number: u64) -> Settled {
    Settled { number, fate: OrderFate::Lost }
}

pub(crate) fn taken_back(number: u64) -> Settled {
    Settled { number, fate: OrderFate::TakenBack }
}

/// A worker without labels.
pub(crate) async fn enlisted(it: &Fixture, slots: u32) -> u64 {
    it.journal.enlist(&worker(&[], slots), LIFE).await.unwrap()
}

/// Sends orders without labels.
pub(crate) async fn send(it: &Fixture, lease: &Lease, numbers: std::ops::RangeInclusive<u64>) {
    let orders: Vec<Order> = numbers.map(|number| order(number, &[])).collect();
    it.journal.dispatch(lease, &orders).await.unwrap();
}

pub(crate) async fn claim(it: &Fixture, worker: u64) -> Vec<ClaimedOrder> {
    it.journal.claim_orders(worker, &[]).await.unwrap()
}

pub(crate) async fn says(it: &Fixture, worker: u64, claimed: &[ClaimedOrder]) -> Vec<bool> {
    let answers: Vec<OrderAnswer> = claimed.iter().map(answer).collect();
    it.journal.answer_orders(worker, &answers).await.unwrap()
}

pub(crate) async fn collect(it: &Fixture, lease: &Lease, done: &[u64]) -> Vec<Settled> {
    it.journal.collect(lease, done, 99).await.unwrap()
}

pub(crate) async fn waits(store: &dyn Store, run: &str) -> u64 {
    store.waiting_orders(run).await.unwrap().iter().map(|waiting| waiting.orders).sum()
}

/// What each living worker holds.
pub(crate) async fn holds(it: &Fixture) -> Vec<(u64, u64)> {
    it.journal.workers().await.unwrap().iter().map(|one| (one.id, one.holds)).collect()
}

pub(crate) fn numbers(claimed: &[ClaimedOrder]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.order.number).collect()
}

pub(crate) async fn next_lease(it: &Fixture, lease: &Lease) -> Lease {
    it.journal.release(lease).await.unwrap();
    it.journal.acquire(&lease.run, &holder("next"), TTL).await.unwrap()
}

pub(crate) async fn orders_come_to_the_letter(it: Fixture) {
    let lease = driven(&*it.journal, "a' \"\\", TTL).await;
    let odd = ["", "\"", "a,b", "{}", "\\", "NULL", "ü\0"];
    let modes = [Mode::Apply, Mode::Probe, Mode::Undo, Mode::ProbeUndo];
    let sent = (1..).zip(modes).map(|(number, mode)| Order {
        number: number * 3,
        unit: format!("step\0'{number}"),
        attempt: u32::MAX,
        mode,
        labels: labels(&odd[..number as usize]),
        timeout_ms: 1 << 40,
        call: vec![0; number as usize - 1],
    });
    let sent: Vec<Order> = sent.collect();
    it.journal.dispatch(&lease, &sent).await.unwrap();
    let told = Worker { name: "host/1'".into(), labels: labels(&odd), slots: u32::MAX, version: "\0".into() };
    let one = it.journal.enlist(&told, LIFE).await.unwrap();
    let claimed = claim(&it, one).await;
    assert!(claimed.is_sorted_by_key(|claimed| claimed.id), "the oldest first");
    assert!(claimed.iter().all(|claimed| claimed.run == lease.run && claimed.epoch == lease.epoch));
    assert_eq!(claimed.into_iter().map(|claimed| claimed.order).collect::<Vec<_>>(), sent);
    let listed = it.journal.workers().await.unwrap();
    assert_eq!((listed[0].id, &listed[0].worker, listed[0].holds), (one, &told, 4));
    assert_eq!((listed[0].until, listed[0].drains), (1_001_000, false));
}

pub(crate) async fn many_and_large_orders_and_answers_come_whole(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let call = |number: u64| vec![number as u8; if number.is_multiple_of(500) { 700_000 } else { 40 }];
    let sent: Vec<Order> = (1..=2_500).map(|number| Order { call: call(number), ..order(number, &[]) }).collect();
    it.journal.dispatch(&lease, &sent).await.unwrap();
    it.journal.dispatch(&lease, &sent).await.unwrap();
    let one = enlisted(&it, 5_000).await;
    let claimed = claim(&it, one).await;
    assert!(claimed.iter().map(|claimed| &claimed.order).eq(&sent));
    let answer = |claimed: &ClaimedOrder| OrderAnswer { id: claimed.id, outcome: claimed.order.call.clone() };
    let answers: Vec<OrderAnswer> = claimed.iter().map(answer).collect();
    assert!(it.journal.answer_orders(one, &answers).await.unwrap().iter().all(|&counts| counts));
    let settled = it.journal.collect(&lease, &[], u32::MAX).await.unwrap();
    let expected = sent.iter().map(|sent| (sent.number, OrderFate::Answered(sent.call.clone())));
    assert!(settled.into_iter().map(|settled| (settled.number, settled.fate)).eq(expected));
    let done: Vec<u64> = (1..=2_500).collect();
    assert!(it.journal.collect(&lease, &done, u32::MAX).await.unwrap().is_empty());
}

pub(crate) async fn an_order_is_claimed_by_one_worker_ever(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=3).await;
    let (one, two) = (enlisted(&it, 2).await, enlisted(&it, 9).await);
    assert_eq!(numbers(&claim(&it, one).await), [1, 2]);
    assert_eq!(numbers(&claim(&it, two).await), [3]);
    // Not by another one once the first is gone, nor when what it had is settled and forgotten.
    it.journal.retire(one).await.unwrap();
    assert_eq!(numbers(&claim(&it, two).await), [3]);
    assert_eq!(collect(&it, &lease, &[]).await, [lost(1), lost(2)]);
    assert_eq!(numbers(&claim(&it, two).await), [3]);
    collect(&it, &lease, &[1, 2]).await;
    assert_eq!(numbers(&claim(&it, two).await), [3]);
}

pub(crate) async fn a_worker_has_as_many_orders_as_slots(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=9).await;
    let (none, one) = (enlisted(&it, 0).await, enlisted(&it, 2).await);
    assert!(claim(&it, none).await.is_empty());
    let mine = claim(&it, one).await;
    assert_eq!(numbers(&mine), [1, 2]);
    assert_eq!(claim(&it, one).await, mine, "whatever it says that it holds");
    assert!(it.journal.claim_orders(one, &[mine[0].id, mine[1].id]).await.unwrap().is_empty());
    assert_eq!(says(&it, one, &mine[1..]).await, [true]);
    assert_eq!(numbers(&claim(&it, one).await), [1, 3]);
    assert_eq!(holds(&it).await, [(none, 0), (one, 2)]);
    // What was withdrawn takes its slot until the worker lets go of it.
    let lease = next_lease(&it, &lease).await;
    send(&it, &lease, 1..=9).await;
    assert!(claim(&it, one).await.is_empty());
    assert_eq!(holds(&it).await, [(none, 0), (one, 2)]);
    assert_eq!(says(&it, one, &mine[..1]).await, [false]);
    assert_eq!(numbers(&claim(&it, one).await), [1]);
}

pub(crate) async fn labels_say_who_may_claim(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let sent = [order(1, &["eu"]), order(2, &["eu", "ssd"]), order(3, &["us"]), order(4, &[]), order(5, &["EU"])];
    it.journal.dispatch(&lease, &sent).await.unwrap();
    for (has, expected) in [(&[][..], vec![4]), (&["ssd", "eu"], vec![1, 2]), (&["eu", "e", ""], vec![])] {
        let one = it.journal.enlist(&worker(has, 9), LIFE).await.unwrap();
        assert_eq!(numbers(&claim(&it, one).await), expected, "{has:?}");
    }
    // Those that do not fit stand in nobody's way.
    let one = it.journal.enlist(&worker(&["EU"], 1), LIFE).await.unwrap();
    assert_eq!(numbers(&claim(&it, one).await), [5]);
}

pub(crate) async fn what_a_lost_reply_told_comes_again(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=3).await;
    let one = enlisted(&it, 3).await;
    let told = claim(&it, one).await;
    assert_eq!(claim(&it, one).await, told);
    let ids: Vec<u64> = told.iter().map(|told| told.id).collect();
    assert_eq!(it.journal.claim_orders(one, &[ids[0], ids[2], 999]).await.unwrap(), told[1..2]);
    assert!(it.journal.claim_orders(one, &ids).await.unwrap().is_empty());
    // Also while it drains, under a lease that is over; not what it has answered.
    it.journal.drain(one).await.unwrap();
    it.journal.release(&lease).await.unwrap();
    says(&it, one, &told[..1]).await;
    assert_eq!(claim(&it, one).await, told[1..]);
}

pub(crate) async fn an_answer_counts_once_and_while_its_worker_lives(it: Fixture) {
    let lease = driven(&*it.journal, "a", u64::MAX).await;
    send(&it, &lease, 1..=3).await;
    let (one, two) = (enlisted(&it, 2).await, it.journal.enlist(&worker(&[], 9), TTL).await.unwrap());
    let mine = claim(&it, one).await;
    assert_eq!(says(&it, two, &mine).await, [false, false], "they are not its own");
    let unknown = OrderAnswer { id: 999, outcome: vec![] };
    assert_eq!(it.journal.answer_orders(one, &[unknown, answer(&mine[0])]).await.unwrap(), [false, true]);
    let again = OrderAnswer { id: mine[0].id, outcome: vec![8] };
    assert_eq!(it.journal.answer_orders(one, &[again]).await.unwrap(), [true], "as when a reply was lost");
    assert!(it.journal.answer_orders(one, &[]).await.unwrap().is_empty());
    assert_eq!(collect(&it, &lease, &[]).await, [answered(1)], "the first one stays");
    collect(&it, &lease, &[1]).await;
    assert_eq!(says(&it, one, &mine[..1]).await, [false], "it is settled and forgotten");
    it.clock.advance(LIFE as i64 - 1);
    it.journal.beat(one, 10).await.unwrap();
    it.clock.advance(10);
    assert_eq!(says(&it, one, &mine[1..]).await, [false], "it has expired");
    let theirs = claim(&it, two).await;
    it.journal.retire(two).await.unwrap();
    assert_eq!(says(&it, two, &theirs).await, [false], "it was struck off");
    assert_eq!(collect(&it, &lease, &[]).await, [lost(2), lost(3)]);
}

pub(crate) async fn an_answer_stays_whatever_becomes_of_its_worker(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=2).await;
    let one = enlisted(&it, 9).await;
    let mine = claim(&it, one).await;
    assert_eq!(says(&it, one, &mine[1..]).await, [true]);
    it.clock.advance(LIFE as i64);
    let settled = [lost(1), answered(2)];
    assert_eq!(collect(&it, &lease, &[]).await, settled);
    assert_eq!(collect(&it, &lease, &[]).await, settled);
}

pub(crate) async fn what_is_lost_is_settled_and_can_no_longer_be_answered(it: Fixture) {
    let lease = driven(&*it.journal, "a", u64::MAX).await;
    send(&it, &lease, 1..=2).await;
    let one = enlisted(&it, 1).await;
    let mine = claim(&it, one).await;
    it.clock.advance(LIFE as i64 - 1);
    assert!(collect(&it, &lease, &[]).await.is_empty(), "it lives");
    it.clock.advance(1);
    assert_eq!(collect(&it, &lease, &[]).await, [lost(1)]);
    // Not even by a clock that goes back.
    it.clock.advance(-500);
    assert_eq!(says(&it, one, &mine).await, [false]);
    assert_eq!(collect(&it, &lease, &[]).await, [lost(1)]);
    assert_eq!(waits(&*it.journal, "a").await, 1);
}

pub(crate) async fn what_is_settled_comes_again_until_it_is_done(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=6).await;
    let one = enlisted(&it, 5).await;
    let mine = claim(&it, one).await;
    assert_eq!(says(&it, one, &[mine[3].clone(), mine[1].clone(), mine[0].clone()]).await, [true; 3]);
    let settled = [answered(1), answered(2), answered(4)];
    assert_eq!(collect(&it, &lease, &[]).await, settled, "by their numbers");
    assert_eq!(it.journal.collect(&lease, &[], 2).await.unwrap(), settled[..2]);
    assert!(it.journal.collect(&lease, &[], 0).await.unwrap().is_empty());
    // What is open is not done, whoever says so.
    assert_eq!(collect(&it, &lease, &[2, 3, 6, 77]).await, [answered(1), answered(4)]);
    assert_eq!(it.journal.collect(&lease, &[1, 2], 1).await.unwrap(), [answered(4)]);
    assert_eq!(says(&it, one, &mine[2..3]).await, [true]);
    assert_eq!((collect(&it, &lease, &[4]).await, waits(&*it.journal, "a").await), (vec![answered(3)], 1));
}

pub(crate) async fn what_is_sent_again_is_not_there_twice(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 5..=6).await;
    send(&it, &lease, 5..=7).await;
    send(&it, &lease, 1..=4).await;
    it.journal.dispatch(&lease, &[order(8, &[]), order(8, &[]), order(3, &[]), order(9, &[])]).await.unwrap();
    let one = enlisted(&it, 99).await;
    let mine = claim(&it, one).await;
    assert_eq!(numbers(&mine), [5, 6, 7, 8, 9]);
    says(&it, one, &mine).await;
    collect(&it, &lease, &[5, 6, 7, 8, 9]).await;
    // Nor when it was done.
    send(&it, &lease, 5..=10).await;
    assert_eq!(numbers(&claim(&it, one).await), [10]);
}

pub(crate) async fn what_nobody_has_claimed_is_taken_back(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    send(&it, &lease, 1..=4).await;
    let one = enlisted(&it, 1).await;
    let mine = claim(&it, one).await;
    for _ in 0..2 {
        it.journal.take_back(&lease, &[1, 3, 4, 99]).await.unwrap();
        assert_eq!(collect(&it, &lease, &[]).await, [taken_back(3), taken_back(4)], "until it is done");
    }
    assert_eq!((waits(&*it.journal, "a").await, says(&it, one, &mine).await), (1, vec![true]));
    let mine = claim(&it, one).await;
    assert_eq!(numbers(&mine), [2], "nobody claims what was taken back");
    it.journal.take_back(&lease, &[1, 2]).await.unwrap();
    assert_eq!(collect(&it, &lease, &[3]).await, [answered(1), taken_back(4)]);
    assert!(collect(&it, &lease, &[1, 4]).await.is_empty());
    send(&it, &lease, 3..=4).await;
    it.journal.take_back(&lease, &[3]).await.unwrap();
    assert!(collect(&it, &lease, &[]).await.is_empty());
    it.journal.retire(one).await.unwrap();
    assert_eq!(collect(&it, &lease, &[]).await, [lost(2)]);
}

pub(crate) async fn who_drains_claims_nothing_more_and_finishes_what_it_has(it: Fixture) {
    let lease = driven(&*it.journal, "a", TTL).await;
    let one = enlisted(&it, 9).await;
    send(&it, &lease, 1..=2).await;
    let mine = claim(&it, one).await;
    it.journal.drain(one).await.unwrap();
    it.journal.drain(one).await.unwrap();
    send(&it, &lease, 3..=3).await;
    assert_eq!(claim(&it, one).await, mine);
    assert!(it.journal.workers().await.unwrap()[0].drains);
    it.journal.beat(one, LIFE).await.unwrap();
    assert_eq!(says(&it, one, &mine).await, [true; 2]);
    assert!(claim(&it, one).await.is_empty());
    assert_eq!(collect(&it, &lease, &[]).await, [answered(1), answered(2)]);
}

pub(crate) async fn who_is_retired_or_expired_is_struck_off(it: Fixture) {
    let lease = driven(&*it.journal, "a", u64::MAX).await;
    send(&it, &lease, 1..=2).await;
    let mut all = Vec::new();
    for end in ["expired", "retired"] {
        let (gone, stays) = (enlisted(&it, 1).await, it.journal.enlist(&worker(&["x"], 0), TTL).await.unwrap());
        assert!(all.iter().all(|&before| before < gone) && gone < stays, "no number is given twice");
        claim(&it, gone).await;
        match end {
            "expired" => {
                it.clock.advance(LIFE as i64 - 1);
                it.journal.beat(gone, 1).await.unwrap();
                it.clock.advance(1);
            }
            _ => it.journal.retire(gone).await.unwrap(),
        }
        for refused in [
            it.journal.beat(gone, LIFE).await.map(drop),
            it.journal.claim_orders(gone, &[]).await.map(drop),
            it.journal.drain(gone).await,
        ] {
            assert!(matches!(refused, Err(JournalError::NotEnlisted(worker)) if worker == gone), "{end}: {refused:?}");
        }
        assert_eq!(holds(&it).await, [(stays, 0)], "{end}");
        it.journal.retire(gone).await.unwrap();
        it.journal.retire(stays).await.unwrap();
        all = vec![gone, stays];
    }
    assert_eq!(collect(&it, &lease, &[]).await, [lost(1), lost(2)]);
    assert!(it.journal.beat(77, LIFE).await.is_err() && it.journal.workers().await.unwrap().is_empty());
    assert!(enlisted(&it, 1).await > all[1], "not even once all are gone");
}

pub(crate) async fn what_waits_is_told_by_its_labels(it: Fixture) {
    let lease = driven(&*it.journal, "a", u64::MAX).await;
    assert!(it.journal.waiting_orders("a").await.unwrap().is_empty());
    let (eu, us) = (["eu"], ["us", "ssd"]);
    let sent = [order(1, &us), order(2, &eu), order(3, &[]), order(4, &eu), order(5, &us), order(6, &eu)];
    it.journal.dispatch(&lease, &sent).await.unwrap();
    let told = |none, some_eu, some_us| {
        let waiting = |names: &[&str], orders, fits| WaitingOrders { labels: labels(names), orders, fits };
        [waiting(&[], 1, none), waiting(&eu, 3, some_eu), waiting(&us, 2, some_us)]
    };
    assert_eq!(it.journal.waiting_orders("a").await.unwrap(), told(false, false, false));
    let one = it.journal.enlist(&worker(&["eu", "ssd"], 0), TTL).await.unwrap();
    assert_eq!(it.journal.waiting_orders("a").await.unwrap(), told(true, true, false), "it may have no free slot");
    let two = it.journal.enlist(&worker(&["ssd", "us", "x"], 0), LIFE).await.unwrap();
    assert_eq!(it.journal.waiting_orders("a").await.unwrap(), told(true, true, true));
    it.journal.drain(one).await.unwrap();
    assert_eq!(it.journal.waiting_orders("a").await.unwrap(), told(true, false, true));
    it.clock.advance(LIFE as i64);
    assert_eq!(it.journal.waiting_orders("a").await.unwrap(), told(false, false, false));
    assert!(it.journal.beat(two, LIFE).await.is_err());
    // What was claimed or taken back does not wait, nor does what an older epoch has sent.
    let three = it.journal.enlist(&worker(&["eu"], 2), TTL).await.unwrap();
    assert_eq!(numbers(&claim(&it, three).await), [2, 3]);
    it.journal.take_back(&lease, &[4, 1]).await.unwrap();
    let left: Vec<u64> = it.journal.waiting_orders("a").await.unwrap().iter().map(|waiting| waiting.orders).collect();
    assert_eq!(left, [1, 1]);
    next_lease(&it, &lease).await;
    assert!(it.journal.waiting_orders("a").await.unwrap().is_empty());
}
