//! Orders on PostgreSQL where two meet at a row: who comes second finds what the first one decided.

use std::sync::Arc;

use reinstate_tests::postgres::shared;
use runtime::{Dispatch, Journal, JournalError, Lease, OrderAnswer, OrderFate, Retention};
use store::PostgresStore;

use crate::dispatch::{order, worker};
use crate::fixture::{Fixture, HandClock, driven, holder};
use crate::hand::Hand;
use crate::postgres_schema::open;
use crate::schema::Schema;

/// A store with a run, its driver, orders 1 and 2, and a worker with one slot that lives for a second.
struct Stage {
    schema: Schema,
    store: Arc<PostgresStore>,
    clock: HandClock,
    lease: Lease,
    worker: u64,
}

async fn stage() -> Stage {
    let schema = Schema::new();
    let store = Arc::new(open(&schema).await);
    let clock = Fixture::postgres(open(&schema).await, schema.clone()).clock;
    let lease = driven(&*store, "a", u64::MAX).await;
    store.dispatch(&lease, &[order(1, &[]), order(2, &[])]).await.unwrap();
    let worker = store.enlist(&worker(&[], 1), 1_000).await.unwrap();
    Stage { schema, store, clock, lease, worker }
}

impl Stage {
    async fn holding(&self, text: &str) -> Hand {
        Hand::holding(&self.schema, text).await
    }

    fn count(&self, table: &str) -> String {
        shared().sql("postgres", &format!("SELECT count(*) FROM {}.{table}", self.schema.name))
    }

    async fn claim(&self) -> Vec<u64> {
        let claimed = self.store.claim_orders(self.worker, &[]).await.unwrap();
        claimed.iter().map(|claimed| claimed.order.number).collect()
    }

    /// What became of the orders, by their numbers.
    async fn fates(&self) -> Vec<(u64, OrderFate)> {
        let settled = self.store.collect(&self.lease, &[], 9).await.unwrap();
        settled.into_iter().map(|settled| (settled.number, settled.fate)).collect()
    }
}

#[tokio::test]
async fn what_an_older_driver_sends_late_is_turned_away_by_what_a_newer_one_withdrew() {
    let it = stage().await;
    let newer =
        "UPDATE {s}.positions SET epoch = 2; UPDATE {s}.sent_orders SET epoch = 2, last = 0; DELETE FROM {s}.orders";
    let mut hand = it.holding(newer).await;
    let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
    let late = tokio::spawn(async move { store.dispatch(&lease, &[order(3, &[])]).await });
    hand.until_waiting(1, &[&late]).await;
    hand.say("COMMIT").await;
    assert!(matches!(late.await.unwrap(), Err(JournalError::Fenced { epoch: 1, .. })));
    assert_eq!(it.count("orders"), "0");
}

#[tokio::test]
async fn who_withdraws_waits_for_what_an_older_driver_is_sending() {
    let it = stage().await;
    it.store.release(&it.lease).await.unwrap();
    let newer = it.store.acquire("a", &holder("next"), 1_000).await.unwrap();
    let sends = "UPDATE {s}.sent_orders SET last = 3; INSERT INTO {s}.orders (run, epoch, number, unit, attempt, mode, \
                 labels, timeout_ms, call, fate) SELECT run, 1, 3, 'u', 1, 0, '{}', 1, '', 0 FROM {s}.sent_orders";
    let mut hand = it.holding(sends).await;
    let store = Arc::clone(&it.store);
    let withdraw = tokio::spawn(async move { store.withdraw_orders(&newer, 0).await });
    hand.until_waiting(1, &[&withdraw]).await;
    hand.say("COMMIT").await;
    assert_eq!(withdraw.await.unwrap().unwrap(), 0);
    assert_eq!(it.count("orders"), "0");
}

#[tokio::test]
async fn what_is_claimed_while_it_is_withdrawn_is_marked_and_what_is_answered_is_gone() {
    for (meanwhile, held, left) in [("worker = 1", 1, "1"), ("worker = 1, fate = 1, answer = ''", 0, "0")] {
        let it = stage().await;
        it.store.take_back(&it.lease, &[2]).await.unwrap();
        let mut hand = it.holding(&format!("UPDATE {{s}}.orders SET {meanwhile} WHERE number = 1")).await;
        let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
        let withdraw = tokio::spawn(async move { store.withdraw_orders(&lease, 9).await });
        hand.until_waiting(1, &[&withdraw]).await;
        hand.say("COMMIT").await;
        assert_eq!(withdraw.await.unwrap().unwrap(), held, "{meanwhile}");
        assert_eq!(it.count("orders"), left, "{meanwhile}");
    }
}

#[tokio::test]
async fn an_answer_waits_for_who_settles_and_then_does_not_count() {
    for (end, counts) in [("COMMIT", false), ("ROLLBACK", true)] {
        let it = stage().await;
        assert_eq!(it.claim().await, [1]);
        let mut hand = it.holding("UPDATE {s}.orders SET fate = 2 WHERE number = 1").await;
        let (store, worker) = (Arc::clone(&it.store), it.worker);
        let answers = [OrderAnswer { id: 1, outcome: vec![7] }];
        let answer = tokio::spawn(async move { store.answer_orders(worker, &answers).await });
        hand.until_waiting(1, &[&answer]).await;
        hand.say(end).await;
        assert_eq!(answer.await.unwrap().unwrap(), [counts]);
        let fate = if counts { OrderFate::Answered(vec![7]) } else { OrderFate::Lost };
        assert_eq!(it.fates().await, [(1, fate)]);
    }
}

#[tokio::test]
async fn who_settles_waits_for_an_answer_and_then_does_not_lose_it() {
    for (end, fate) in [("COMMIT", OrderFate::Answered(vec![7])), ("ROLLBACK", OrderFate::Lost)] {
        let it = stage().await;
        assert_eq!(it.claim().await, [1]);
        let mut hand = it.holding("UPDATE {s}.orders SET fate = 1, answer = '\\x07' WHERE number = 1").await;
        it.clock.advance(1_000);
        let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
        let collect = tokio::spawn(async move { store.collect(&lease, &[], 9).await });
        hand.until_waiting(1, &[&collect]).await;
        hand.say(end).await;
        assert_eq!(collect.await.unwrap().unwrap()[0].fate, fate);
    }
}

#[tokio::test]
async fn a_beat_waits_for_who_strikes_its_worker_off() {
    for (end, lives) in [("COMMIT", false), ("ROLLBACK", true)] {
        let it = stage().await;
        let mut hand = it.holding("DELETE FROM {s}.workers").await;
        let (store, worker) = (Arc::clone(&it.store), it.worker);
        let beat = tokio::spawn(async move { store.beat(worker, 1_000).await });
        hand.until_waiting(1, &[&beat]).await;
        hand.say(end).await;
        let beat = beat.await.unwrap();
        assert_eq!(beat.is_ok(), lives);
        assert!(lives || matches!(beat, Err(JournalError::NotEnlisted(_))));
    }
}

#[tokio::test]
async fn who_settles_passes_by_a_worker_that_beats_in_this_moment() {
    for (end, fates) in [("COMMIT", vec![]), ("ROLLBACK", vec![(1, OrderFate::Lost)])] {
        let it = stage().await;
        assert_eq!(it.claim().await, [1]);
        // It began in time.
        let mut hand = it.holding("UPDATE {s}.workers SET expires_at = expires_at + 1000").await;
        it.clock.advance(1_000);
        assert!(it.fates().await.is_empty());
        hand.say(end).await;
        assert_eq!(it.fates().await, fates);
    }
}

#[tokio::test]
async fn claims_pass_by_orders_that_somebody_has_locked() {
    let it = stage().await;
    let mut hand = it.holding("SELECT 1 FROM {s}.orders WHERE number = 1 FOR UPDATE").await;
    assert_eq!(it.claim().await, [2]);
    hand.say("ROLLBACK").await;
}

#[tokio::test]
async fn a_claim_that_comes_twice_at_once_takes_no_more_than_the_slots() {
    let it = stage().await;
    let mut hand = it.holding("UPDATE {s}.workers SET slots = slots").await;
    let claim = || {
        let (store, worker) = (Arc::clone(&it.store), it.worker);
        tokio::spawn(async move { store.claim_orders(worker, &[]).await.unwrap() })
    };
    let (one, two) = (claim(), claim());
    hand.until_waiting(2, &[&one, &two]).await;
    hand.say("COMMIT").await;
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!((one.len(), &one), (1, &two), "both are told of the same one");
}

#[tokio::test]
async fn of_who_takes_back_and_who_claims_one_has_it() {
    for (end, claimed) in [("COMMIT", vec![]), ("ROLLBACK", vec![(1, OrderFate::TakenBack)])] {
        let it = stage().await;
        let mut hand = it.holding("UPDATE {s}.orders SET worker = 1 WHERE number = 1").await;
        let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
        let take = tokio::spawn(async move { store.take_back(&lease, &[1]).await });
        hand.until_waiting(1, &[&take]).await;
        hand.say(end).await;
        take.await.unwrap().unwrap();
        assert_eq!(it.fates().await, claimed);
    }
}

#[tokio::test]
async fn what_is_sent_while_its_run_is_given_up_is_not_there() {
    // Who sends comes second, or first.
    let it = stage().await;
    let mut hand = it.holding("DELETE FROM {s}.runs; DELETE FROM {s}.positions; DELETE FROM {s}.sent_orders").await;
    let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
    let late = tokio::spawn(async move { store.dispatch(&lease, &[order(3, &[])]).await });
    hand.until_waiting(1, &[&late]).await;
    hand.say("COMMIT").await;
    assert!(matches!(late.await.unwrap(), Err(JournalError::NoSuchRun(_))));
    assert_eq!(it.count("orders WHERE number = 3"), "0");
    let it = stage().await;
    let mut hand =
        it.holding("UPDATE {s}.sent_orders SET last = 3; UPDATE {s}.orders SET number = 3 WHERE number = 2").await;
    let (store, lease) = (Arc::clone(&it.store), it.lease.clone());
    let discard = tokio::spawn(async move { store.discard(&lease).await });
    hand.until_waiting(1, &[&discard]).await;
    hand.say("COMMIT").await;
    discard.await.unwrap().unwrap();
    assert_eq!((it.count("orders"), it.count("sent_orders")), ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_look_that_finds_nothing_writes_nothing() {
    let it = stage().await;
    assert_eq!(it.claim().await, [1]);
    // Whoever wants to write waits for ever.
    let mut hand = it.holding("LOCK TABLE {s}.workers, {s}.orders, {s}.sent_orders IN EXCLUSIVE MODE").await;
    for _ in 0..3 {
        assert_eq!(it.claim().await, [1], "it has no free slot");
        assert!(it.fates().await.is_empty());
        assert_eq!(it.store.waiting_orders("a").await.unwrap().len(), 1);
        assert_eq!(it.store.workers().await.unwrap()[0].holds, 1);
    }
    hand.say("ROLLBACK").await;
}

#[tokio::test]
async fn answers_and_beats_stay_in_their_pages() {
    let it = stage().await;
    let store = &it.store;
    let orders: Vec<_> = (3..=200).map(|number| order(number, &[])).collect();
    store.dispatch(&it.lease, &orders).await.unwrap();
    let many = store.enlist(&worker(&[], 1_000), 1_000).await.unwrap();
    let claimed = store.claim_orders(many, &[]).await.unwrap();
    let answers: Vec<_> = claimed.iter().map(|claimed| OrderAnswer { id: claimed.id, outcome: vec![7; 50] }).collect();
    assert_eq!(store.answer_orders(many, &answers).await.unwrap(), [true; 200]);
    for _ in 0..100 {
        store.beat(many, 1_000).await.unwrap();
    }
    Arc::into_inner(it.store).unwrap().close().await;
    let read = |what: &str, table: &str| {
        let asked = format!(
            "SELECT {what} FROM pg_stat_all_tables WHERE schemaname = '{}' AND relname = '{table}'",
            it.schema.name
        );
        shared().sql("postgres", &asked).parse::<u64>().unwrap()
    };
    // A session's numbers are there once it has ended. Each order was updated by its claim and its answer.
    while read("n_tup_upd", "orders") < 400 || read("n_tup_upd", "workers") < 100 {}
    assert!(read("n_tup_hot_upd", "workers") >= 100);
    let hot = read("n_tup_hot_upd", "orders");
    assert!(hot >= 150, "{hot} of 200 answers");
}
