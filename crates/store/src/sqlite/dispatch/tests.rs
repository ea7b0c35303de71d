//! The rules of orders, on the file as on the reference.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use runtime::engine::Mode;
use runtime::{
    Dispatch, Holder, Journal, JournalError, MemoryJournal, Order, OrderAnswer, OrderFate, RunHead, Settled, Worker,
};

use crate::{SqliteJournal, SqliteOptions};

fn labels(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn order(number: u64, demands: &[&str]) -> Order {
    let (unit, call) = (format!("step/{number}"), number.to_le_bytes().to_vec());
    Order { number, unit, attempt: 1, mode: Mode::ProbeUndo, labels: labels(demands), timeout_ms: 5, call }
}

fn worker(has: &[&str], slots: u32) -> Worker {
    Worker { name: "w".to_owned(), labels: labels(has), slots, version: "1".to_owned() }
}

fn said(id: u64) -> OrderAnswer {
    OrderAnswer { id, outcome: vec![7] }
}

async fn rules(store: &(impl Journal + Dispatch), clock: &AtomicI64) {
    let head = RunHead { run: "r".to_owned(), plan_hash: "h".to_owned(), created_at: 1 };
    let holder = Holder { name: "d".to_owned(), pid: 0, host: "here".to_owned() };
    store.create(&head, b"plan").await.unwrap();
    let first = store.acquire("r", &holder, 1_000).await.unwrap();
    let sent = [order(1, &["eu"]), order(2, &["eu"]), order(3, &["us"]), order(4, &["eu"])];
    store.dispatch(&first, &sent).await.unwrap();
    store.dispatch(&first, &sent).await.unwrap();
    let one = store.enlist(&worker(&["eu", "ssd"], 2), 100).await.unwrap();
    let two = store.enlist(&worker(&["eu"], 9), 10_000).await.unwrap();
    let mine = store.claim_orders(one, &[]).await.unwrap();
    assert_eq!(mine.iter().map(|claimed| claimed.order.number).collect::<Vec<_>>(), [1, 2], "as many as slots");
    assert_eq!((&mine[0].order, mine[0].run.as_str(), mine[0].epoch), (&sent[0], "r", first.epoch));
    assert_eq!(store.claim_orders(one, &[mine[0].id]).await.unwrap(), mine[1..], "a lost reply comes again");
    let theirs = store.claim_orders(two, &[]).await.unwrap();
    assert_eq!(theirs.iter().map(|claimed| claimed.order.number).collect::<Vec<_>>(), [4]);
    let waiting = store.waiting_orders("r").await.unwrap();
    assert_eq!((waiting.len(), waiting[0].orders, waiting[0].fits), (1, 1, false), "nobody is in the US");
    assert_eq!(store.answer_orders(two, &[said(mine[0].id)]).await.unwrap(), [false], "it is not theirs");
    assert_eq!(store.answer_orders(one, &[said(mine[0].id), said(mine[0].id)]).await.unwrap(), [true, true]);
    clock.fetch_add(100, Ordering::SeqCst);
    assert_eq!(store.answer_orders(one, &[said(mine[1].id)]).await.unwrap(), [false], "it expired");
    assert!(matches!(store.beat(one, 100).await, Err(JournalError::NotEnlisted(id)) if id == one));
    assert!(matches!(store.claim_orders(one, &[]).await, Err(JournalError::NotEnlisted(_))));
    let settled =
        [Settled { number: 1, fate: OrderFate::Answered(vec![7]) }, Settled { number: 2, fate: OrderFate::Lost }];
    assert_eq!(store.collect(&first, &[], 9).await.unwrap(), settled);
    assert_eq!(store.collect(&first, &[1], 9).await.unwrap(), settled[1..]);
    assert!(store.collect(&first, &[2], 9).await.unwrap().is_empty());
    store.dispatch(&first, &sent).await.unwrap();
    assert_eq!(store.waiting_orders("r").await.unwrap(), waiting, "what was settled does not come back");
    clock.fetch_add(1_000, Ordering::SeqCst);
    let next = store.acquire("r", &holder, 1_000).await.unwrap();
    for stale in [
        store.dispatch(&first, &sent).await,
        store.collect(&first, &[], 9).await.map(drop),
        store.withdraw_orders(&first, 0).await.map(drop),
    ] {
        assert!(matches!(stale, Err(JournalError::Fenced { .. })), "{stale:?}");
    }
    assert_eq!(store.withdraw_orders(&next, 0).await.unwrap(), 1);
    assert!(store.waiting_orders("r").await.unwrap().is_empty());
    assert_eq!(store.beat(two, 10_000).await.unwrap(), [theirs[0].id]);
    assert_eq!(store.answer_orders(two, &[said(theirs[0].id)]).await.unwrap(), [false]);
    assert_eq!(store.withdraw_orders(&next, 0).await.unwrap(), 0, "it let go");
    store.dispatch(&next, &[order(1, &[]), order(2, &[])]).await.unwrap();
    store.take_back(&next, &[2, 3]).await.unwrap();
    let back = Settled { number: 2, fate: OrderFate::TakenBack };
    assert_eq!(store.collect(&next, &[], 9).await.unwrap(), [back]);
    assert!(store.collect(&next, &[2], 9).await.unwrap().is_empty());
    store.drain(two).await.unwrap();
    assert!(store.claim_orders(two, &[]).await.unwrap().is_empty(), "it drains");
    let three = store.enlist(&worker(&[], 1), 10_000).await.unwrap();
    assert!(three > two);
    assert_eq!(store.claim_orders(three, &[]).await.unwrap().len(), 1);
    assert_eq!(
        store.workers().await.unwrap().iter().map(|one| (one.drains, one.holds)).collect::<Vec<_>>(),
        [(true, 0), (false, 1)]
    );
    store.retire(three).await.unwrap();
    assert_eq!(store.collect(&next, &[], 9).await.unwrap(), [Settled { number: 1, fate: OrderFate::Lost }]);
}

#[tokio::test]
async fn the_file_and_the_reference_keep_the_rules_of_orders() {
    let clock = Arc::new(AtomicI64::new(1_000));
    let time = Arc::clone(&clock);
    rules(&MemoryJournal::new(move || time.load(Ordering::SeqCst)), &clock).await;
    let time = Arc::clone(&clock);
    let path = std::env::temp_dir().join(format!("reinstate-dispatch-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let store = SqliteJournal::open(&path, SqliteOptions::new(move || time.load(Ordering::SeqCst))).await.unwrap();
    rules(&store, &clock).await;
    store.close().await;
    let _ = std::fs::remove_file(&path);
}
