//! Random operations on orders and workers: every store answers as the reference in memory does, whatever comes.

use proptest::prelude::*;
use runtime::{Lease, OrderAnswer, Store};

use crate::dispatch::{order, worker};
use crate::fixture::{Fixture, config, head, holder, memory, postgres_in, sqlite};
use crate::schema::Schema;

const LABELS: [&str; 2] = ["eu", "ssd"];

/// One operation. Orders and workers are meant by how long ago they came about, so that most operations meet something.
#[derive(Clone, Debug)]
enum Op {
    Acquire { run: u8, ttl: u16 },
    Renew { run: u8, ttl: u16 },
    Release { run: u8 },
    Send { run: u8, stale: bool, again: u8, skips: u8, orders: Vec<u8> },
    Collect { run: u8, stale: bool, done: Vec<u8>, limit: u8 },
    TakeBack { run: u8, stale: bool, numbers: Vec<u8> },
    Left { run: u8, stale: bool, back: Option<u8> },
    Withdraw { run: u8, stale: bool, back: Option<u8> },
    Waiting { run: u8 },
    Enlist { labels: u8, slots: u8, ttl: u16 },
    Beat { worker: u8, ttl: u16 },
    Drain { worker: u8 },
    Retire { worker: u8 },
    Claim { worker: u8, holds: Vec<u8> },
    Answer { orders: Vec<u8>, by: Option<u8> },
    Workers,
    Discard { run: u8 },
    Advance { millis: u16 },
}

fn op() -> impl Strategy<Value = Op> {
    let (run, ttl, worker) = (0..3_u8, 0..600_u16, 0..3_u8);
    let stale = prop_oneof![9 => Just(false), 1 => Just(true)];
    let some = || proptest::collection::vec(0..8_u8, 0..6);
    prop_oneof![
        3 => (run.clone(), ttl.clone()).prop_map(|(run, ttl)| Op::Acquire { run, ttl: ttl * 4 }),
        1 => (run.clone(), ttl.clone()).prop_map(|(run, ttl)| Op::Renew { run, ttl }),
        1 => run.clone().prop_map(|run| Op::Release { run }),
        8 => (run.clone(), stale.clone(), 0..3_u8, 0..3_u8, proptest::collection::vec(0..4_u8, 0..5))
            .prop_map(|(run, stale, again, skips, orders)| Op::Send { run, stale, again, skips, orders }),
        8 => (run.clone(), stale.clone(), some(), 0..9_u8)
            .prop_map(|(run, stale, done, limit)| Op::Collect { run, stale, done, limit }),
        3 => (run.clone(), stale.clone(), some()).prop_map(|(run, stale, numbers)| Op::TakeBack { run, stale, numbers }),
        2 => (run.clone(), stale.clone(), proptest::option::of(0..8_u8))
            .prop_map(|(run, stale, back)| Op::Left { run, stale, back }),
        2 => (run.clone(), stale, proptest::option::of(0..8_u8))
            .prop_map(|(run, stale, back)| Op::Withdraw { run, stale, back }),
        2 => run.clone().prop_map(|run| Op::Waiting { run }),
        4 => (0..4_u8, 0..6_u8, ttl.clone()).prop_map(|(labels, slots, ttl)| Op::Enlist { labels, slots, ttl: ttl * 2 }),
        4 => (worker.clone(), ttl).prop_map(|(worker, ttl)| Op::Beat { worker, ttl }),
        1 => worker.clone().prop_map(|worker| Op::Drain { worker }),
        1 => worker.clone().prop_map(|worker| Op::Retire { worker }),
        10 => (worker.clone(), some()).prop_map(|(worker, holds)| Op::Claim { worker, holds }),
        10 => (some(), proptest::option::weighted(0.1, worker)).prop_map(|(orders, by)| Op::Answer { orders, by }),
        2 => Just(Op::Workers),
        1 => run.prop_map(|run| Op::Discard { run }),
        3 => (0..300_u16).prop_map(|millis| Op::Advance { millis }),
    ]
}

/// What the operations have come to so far; the same for all stores.
#[derive(Default)]
struct Known {
    epochs: [u64; 3],
    /// The next number of each run.
    next: [u64; 3],
    workers: Vec<u64>,
    /// Orders and who claimed them.
    claimed: Vec<(u64, u64)>,
}

impl Known {
    fn lease(&self, run: u8, stale: bool) -> Lease {
        let epoch = self.epochs[run as usize].saturating_sub(stale.into());
        Lease { run: format!("run {run}"), epoch, was_left: false }
    }

    fn number(&self, run: u8, back: u8) -> u64 {
        self.next[run as usize].saturating_sub(back.into())
    }

    fn numbers(&self, run: u8, back: &[u8]) -> Vec<u64> {
        back.iter().map(|&back| self.number(run, back)).collect()
    }

    fn worker(&self, back: u8) -> u64 {
        self.workers.iter().rev().nth(back.into()).copied().unwrap_or(77)
    }

    /// The orders meant, each once.
    fn claims(&self, back: &[u8]) -> Vec<(u64, u64)> {
        let mut back = back.to_vec();
        back.sort_unstable();
        back.dedup();
        back.iter().filter_map(|&back| self.claimed.iter().rev().nth(back.into()).copied()).collect()
    }
}

/// Does an operation and gives the answer as text, errors with all their fields; and what it made known: workers and orders.
async fn ask(it: &Fixture, known: &Known, op: &Op) -> (String, Vec<u64>) {
    let store: &dyn Store = &*it.journal;
    let mut new = Vec::new();
    let told = match op {
        Op::Acquire { run, ttl } => {
            format!("{:?}", store.acquire(&known.lease(*run, false).run, &holder("x"), (*ttl).into()).await)
        }
        Op::Renew { run, ttl } => format!("{:?}", store.renew(&known.lease(*run, false), (*ttl).into()).await),
        Op::Release { run } => format!("{:?}", store.release(&known.lease(*run, false)).await),
        Op::Send { run, stale, again, skips, orders } => {
            let first = known.number(*run, *again) + u64::from(*skips);
            let demanded =
                |mask: u8| -> Vec<&str> { (0..2).filter(|at| mask >> at & 1 == 1).map(|at| LABELS[at]).collect() };
            let orders: Vec<_> = (first..).zip(orders).map(|(number, mask)| order(number, &demanded(*mask))).collect();
            format!("{:?}", store.dispatch(&known.lease(*run, *stale), &orders).await)
        }
        Op::Collect { run, stale, done, limit } => {
            let lease = known.lease(*run, *stale);
            format!("{:?}", store.collect(&lease, &known.numbers(*run, done), (*limit).into()).await)
        }
        Op::TakeBack { run, stale, numbers } => {
            format!("{:?}", store.take_back(&known.lease(*run, *stale), &known.numbers(*run, numbers)).await)
        }
        Op::Left { run, stale, back } => {
            let below = back.map_or(0, |back| known.number(*run, back));
            format!("{:?}", store.left_orders(&known.lease(*run, *stale), below).await)
        }
        Op::Withdraw { run, stale, back } => {
            let below = back.map_or(0, |back| known.number(*run, back));
            format!("{:?}", store.withdraw_orders(&known.lease(*run, *stale), below).await)
        }
        Op::Waiting { run } => format!("{:?}", store.waiting_orders(&known.lease(*run, false).run).await),
        Op::Enlist { labels, slots, ttl } => {
            let has: Vec<&str> = (0..2).filter(|at| labels >> at & 1 == 1).map(|at| LABELS[at]).collect();
            let enlisted = store.enlist(&worker(&has, (*slots).into()), (*ttl).into()).await;
            new.extend(enlisted.as_ref().ok());
            format!("{enlisted:?}")
        }
        Op::Beat { worker, ttl } => format!("{:?}", store.beat(known.worker(*worker), (*ttl).into()).await),
        Op::Drain { worker } => format!("{:?}", store.drain(known.worker(*worker)).await),
        Op::Retire { worker } => format!("{:?}", store.retire(known.worker(*worker)).await),
        Op::Claim { worker, holds } => {
            let holds: Vec<u64> = known.claims(holds).iter().map(|(id, _)| *id).collect();
            let claimed = store.claim_orders(known.worker(*worker), &holds).await;
            new.extend(claimed.iter().flatten().map(|claimed| claimed.id));
            format!("{claimed:?}")
        }
        Op::Answer { orders, by } => {
            let claims = known.claims(orders);
            let by = by.map(|by| known.worker(by)).or(claims.first().map(|(_, worker)| *worker)).unwrap_or(77);
            let answer = |(id, worker): &(u64, u64)| OrderAnswer { id: *id, outcome: worker.to_le_bytes().to_vec() };
            let answers: Vec<OrderAnswer> = claims.iter().map(answer).collect();
            format!("{by}: {:?}", store.answer_orders(by, &answers).await)
        }
        Op::Workers => format!("{:?}", store.workers().await),
        Op::Discard { run } => format!("{:?}", store.discard(&known.lease(*run, false)).await),
        Op::Advance { millis } => {
            it.clock.advance((*millis).into());
            String::new()
        }
    };
    (told, new)
}

fn learn(known: &mut Known, op: &Op, told: &str, new: &[u64]) {
    match op {
        Op::Acquire { run, .. } if told.starts_with("Ok") => {
            known.epochs[*run as usize] += 1;
            known.next[*run as usize] = 1;
        }
        Op::Send { run, stale: false, again, skips, orders } if told.starts_with("Ok") => {
            let next = known.number(*run, *again) + u64::from(*skips) + orders.len() as u64;
            known.next[*run as usize] = next.max(known.next[*run as usize]);
        }
        Op::Enlist { .. } => known.workers.extend(new),
        Op::Claim { worker, .. } => {
            for &id in new {
                if known.claimed.iter().all(|(known, _)| *known != id) {
                    known.claimed.push((id, known.worker(*worker)));
                }
            }
        }
        _ => {}
    }
}

#[test]
fn all_keep_orders_as_memory_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    proptest!(config(96), |(ops in proptest::collection::vec(op(), 1..160))| {
        runtime.block_on(async {
            let reference = memory();
            let tested = [sqlite().await, postgres_in(schema.clone()).await];
            let mut known = Known::default();
            for it in tested.iter().chain([&reference]) {
                for run in 0..3 {
                    it.journal.create(&head(&known.lease(run, false).run), b"plan").await.unwrap();
                }
            }
            for op in &ops {
                let expected = ask(&reference, &known, op).await;
                for tested in &tested {
                    let told = ask(tested, &known, op).await;
                    prop_assert_eq!(&expected, &told, "{:?} of {}", op, tested.name);
                }
                learn(&mut known, op, &expected.0, &expected.1);
            }
            Ok(())
        })?;
    });
}
