//! Workers and drivers at once, each on connections of its own: whatever meets, an order is done at most once and settled
//! once, and none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use proptest::test_runner::RngSeed;
use reinstate_tests::random::Random;
use runtime::{ClaimedOrder, JournalError, Lease, Order, OrderAnswer, OrderFate, Store};
use store::{PostgresStore, SqliteJournal, SqliteOptions};

use crate::dispatch::{order, worker};
use crate::fixture::{Fixture, HandClock, config, head, holder};
use crate::postgres_rights::address_as;
use crate::schema::{Schema, postgres_address};

const LIFE: u64 = 900;
const WORKERS: u64 = 4;
const DRIVERS: u64 = 6;
/// Orders of each driver.
const ORDERS: u64 = 60;

/// What all have seen; an order is named by its epoch and number.
#[derive(Default)]
struct Seen {
    /// Number in the store and the worker.
    claimed: BTreeMap<(u64, u64), (u64, u64)>,
    /// Answers that count.
    accepted: BTreeMap<(u64, u64), Vec<u8>>,
    fates: BTreeMap<(u64, u64), OrderFate>,
    /// All below are surely withdrawn.
    withdrawn: (u64, u64),
}

#[derive(Clone)]
struct Scene {
    /// Two connections of whoever has the scene; what is sent again goes over the other one.
    stores: [Arc<dyn Store>; 2],
    seen: Arc<Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
}

impl Scene {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Asks once, or on both connections at once, as when an answer got lost. Gives all answers.
    async fn ask<'a, T, F>(&'a self, twice: bool, ask: impl Fn(&'a dyn Store) -> F) -> Vec<T>
    where
        F: Future<Output = T>,
    {
        let [one, two] = &self.stores;
        if !twice {
            return vec![ask(&**one).await];
        }
        let (first, second) = tokio::join!(ask(&**one), ask(&**two));
        vec![first, second]
    }
}

fn name(claimed: &ClaimedOrder) -> (u64, u64) {
    (claimed.epoch, claimed.order.number)
}

/// A process that works, dies now and then, and begins anew.
async fn work(scene: Scene, mut random: Random) {
    while !scene.is_over.load(Ordering::SeqCst) {
        let slots = random.between(1, 6);
        let me = scene.stores[0].enlist(&worker(&["eu"], slots as u32), LIFE).await.unwrap();
        live(&scene, &mut random, me, slots as usize).await;
    }
}

async fn live(scene: &Scene, random: &mut Random, me: u64, slots: usize) {
    let mut held: Vec<ClaimedOrder> = Vec::new();
    while !scene.is_over.load(Ordering::SeqCst) && random.chance(97) {
        let ids: Vec<u64> = held.iter().map(|held| held.id).collect();
        let withdrawn = scene.seen().withdrawn;
        for told in scene.ask(random.chance(20), |store| store.claim_orders(me, &ids)).await {
            let told = match told {
                Err(JournalError::NotEnlisted(_)) => return,
                told => told.unwrap(),
            };
            for told in told {
                assert!(name(&told) >= withdrawn, "it was withdrawn before");
                let claim = *scene.seen().claimed.entry(name(&told)).or_insert((told.id, me));
                assert_eq!(claim, (told.id, me), "somebody else has it");
                if held.iter().all(|held| held.id != told.id) {
                    held.push(told);
                }
            }
        }
        assert!(held.len() <= slots, "{} in {slots} slots", held.len());
        let mut ended: Vec<ClaimedOrder> = Vec::new();
        if random.chance(30) {
            let cancelled = match scene.stores[0].beat(me, LIFE).await {
                Err(JournalError::NotEnlisted(_)) => return,
                cancelled => cancelled.unwrap(),
            };
            for id in cancelled {
                let at = held.iter().position(|held| held.id == id);
                // What it was not told of it ends as well.
                let refused = OrderAnswer { id, outcome: vec![] };
                assert_eq!(scene.stores[1].answer_orders(me, &[refused]).await.unwrap(), [false]);
                at.map(|at| held.remove(at));
            }
        }
        held.retain(|held| {
            let ends = random.chance(40);
            if ends {
                ended.push(held.clone());
            }
            !ends
        });
        let outcome = |ended: &ClaimedOrder| format!("{} by {me}", ended.id).into_bytes();
        let answers: Vec<_> = ended.iter().map(|ended| OrderAnswer { id: ended.id, outcome: outcome(ended) }).collect();
        let withdrawn = scene.seen().withdrawn;
        for counts in scene.ask(random.chance(20), |store| store.answer_orders(me, &answers)).await {
            for (ended, counts) in ended.iter().zip(counts.unwrap()) {
                assert!(!counts || name(ended) >= withdrawn, "it was withdrawn before");
                if counts {
                    scene.seen().accepted.insert(name(ended), outcome(ended));
                }
            }
        }
    }
    if random.chance(50) {
        scene.stores[1].retire(me).await.unwrap();
    }
}

/// What a driver knows of its orders.
struct Driver {
    lease: Lease,
    next: u64,
    open: BTreeSet<u64>,
    settled: BTreeSet<u64>,
}

impl Driver {
    /// An order that tells by its attempt which epoch it is of.
    fn order(&self, number: u64) -> Order {
        Order { attempt: self.lease.epoch as u32, ..order(number, &["eu"]) }
    }

    /// Sends some, collects, and takes some back.
    async fn step(&mut self, scene: &Scene, random: &mut Random) -> Result<(), JournalError> {
        let lease = &self.lease;
        if self.next <= ORDERS && self.open.len() < 25 {
            let orders: Vec<Order> = (self.next..self.next + random.between(1, 12)).map(|at| self.order(at)).collect();
            for sent in scene.ask(random.chance(20), |store| store.dispatch(lease, &orders)).await {
                sent?;
            }
            self.next += orders.len() as u64;
            self.open.extend(orders.iter().map(|order| order.number));
        }
        if random.chance(15) {
            let numbers: Vec<u64> = self.open.iter().copied().filter(|_| random.chance(20)).collect();
            scene.stores[1].take_back(lease, &numbers).await?;
        }
        let done: Vec<u64> = self.settled.iter().copied().filter(|_| random.chance(60)).collect();
        self.settled.retain(|number| !done.contains(number));
        for settled in scene.stores[0].collect(lease, &done, random.between(1, 20) as u32).await? {
            let name = (lease.epoch, settled.number);
            assert!(self.open.remove(&settled.number) || self.settled.contains(&settled.number), "it was done");
            self.settled.insert(settled.number);
            let fate = scene.seen().fates.entry(name).or_insert(settled.fate.clone()).clone();
            assert_eq!(fate, settled.fate, "what became of {name:?} does not change");
        }
        Ok(())
    }

    /// A drive begins: it learns what surely became of what was sent before, and then that is nobody's any more.
    async fn begin(&mut self, scene: &Scene) {
        for left in scene.ask(true, |store| store.left_orders(&self.lease, self.next)).await {
            for left in left.unwrap() {
                let number = left.unit.strip_prefix("step/").and_then(|number| number.parse().ok()).unwrap();
                let name = (u64::from(left.attempt), number);
                let fate = scene.seen().fates.entry(name).or_insert(left.fate.clone()).clone();
                assert_eq!(fate, left.fate, "what became of {name:?} does not change");
            }
        }
        let held = scene.ask(true, |store| store.withdraw_orders(&self.lease, self.next)).await;
        assert!(held.iter().all(Result::is_ok), "{held:?}");
        scene.seen().withdrawn = (self.lease.epoch, self.next);
        self.open.clear();
        self.settled.clear();
    }
}

/// One that is being replaced and does not know it yet; it goes on until it is told.
async fn outdated(scene: &Scene, mut driver: Driver, mut random: Random) {
    while let stepped = driver.step(scene, &mut random).await
        && !matches!(stepped, Err(JournalError::Fenced { .. }))
    {
        stepped.unwrap();
    }
}

async fn drive(scene: &Scene, last: &Scene, clock: &HandClock, random: &mut Random) -> Lease {
    let mut before: Option<Driver> = None;
    for turn in 1..=DRIVERS {
        let next = async {
            if let Some(before) = &before {
                scene.stores[0].release(&before.lease).await.unwrap();
            }
            let lease = scene.stores[0].acquire("r", &holder("d"), u64::MAX).await.unwrap();
            let mut driver = Driver { lease, next: 1, open: BTreeSet::new(), settled: BTreeSet::new() };
            driver.begin(scene).await;
            driver
        };
        let late = Random::new(random.bits());
        let mut driver = match &before {
            None => next.await,
            Some(old) => {
                let old = Driver {
                    lease: old.lease.clone(),
                    next: old.next.min(ORDERS / 2),
                    open: old.open.clone(),
                    settled: old.settled.clone(),
                };
                tokio::join!(next, outdated(last, old, late)).0
            }
        };
        let mut drives = 0;
        while driver.next <= ORDERS || !driver.open.is_empty() || !driver.settled.is_empty() {
            driver.step(scene, random).await.unwrap();
            if random.chance(15) {
                clock.advance(LIFE as i64 / 3);
            }
            if driver.next > ORDERS / 2 && drives == 0 {
                drives = 1;
                driver.begin(scene).await;
            }
            if driver.next > ORDERS && turn < DRIVERS && driver.open.len() < 15 {
                break;
            }
        }
        before = Some(driver);
    }
    before.unwrap().lease
}

/// What all have seen fits together.
fn judge(seen: &Seen, lease: &Lease) {
    let of_last = |name: &&(u64, u64)| name.0 == lease.epoch && **name >= seen.withdrawn;
    assert!(seen.fates.keys().filter(of_last).count() > 0);
    for (name, fate) in &seen.fates {
        match fate {
            OrderFate::Answered(outcome) => assert_eq!(seen.accepted.get(name), Some(outcome), "{name:?}"),
            OrderFate::Lost => assert_eq!(seen.accepted.get(name), None, "{name:?}"),
            OrderFate::TakenBack => assert_eq!(seen.claimed.get(name), None, "{name:?}"),
        }
    }
    // Each of the last driver's orders that was answered was collected.
    assert!(seen.accepted.keys().filter(of_last).all(|name| seen.fates.contains_key(name)));
    let numbers: BTreeSet<u64> = seen.claimed.values().map(|(id, _)| *id).collect();
    assert_eq!(numbers.len(), seen.claimed.len(), "each has its number");
}

async fn all_at_once(scenes: Vec<Scene>, clock: HandClock) {
    let RngSeed::Fixed(seed) = config(1).rng_seed else { panic!("it was drawn") };
    let mut random = Random::new(seed);
    let [scene, late, others @ ..] = &scenes[..] else { panic!("too few connections") };
    scene.stores[0].create(&head("r"), b"plan").await.unwrap();
    let workers: Vec<_> =
        others.iter().map(|other| tokio::spawn(work(other.clone(), Random::new(random.bits())))).collect();
    let lease = drive(scene, late, &clock, &mut random).await;
    scene.is_over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    judge(&scene.seen(), &lease);
    clock.advance(LIFE as i64);
    let store = &scene.stores[0];
    assert!(store.workers().await.unwrap().is_empty() && store.waiting_orders("r").await.unwrap().is_empty());
    assert_eq!(store.withdraw_orders(&lease, 0).await.unwrap(), 0);
    assert!(store.collect(&lease, &[], 99).await.unwrap().is_empty());
}

/// Scenes of one play: two for drivers, one for each worker.
async fn scenes<F>(open: impl Fn() -> F) -> Vec<Scene>
where
    F: Future<Output = Arc<dyn Store>>,
{
    let (seen, is_over) = (Arc::default(), Arc::default());
    let mut scenes = Vec::new();
    for _ in 0..WORKERS + 2 {
        let stores = [open().await, open().await];
        scenes.push(Scene { stores, seen: Arc::clone(&seen), is_over: Arc::clone(&is_over) });
    }
    scenes
}

async fn sqlite(path: &Path, clock: &HandClock) -> Arc<dyn Store> {
    Arc::new(SqliteJournal::open(path, SqliteOptions::new(clock.reader())).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_one_file_an_order_is_done_at_most_once_and_settled_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("runs.db"), HandClock::at(1_000_000));
    all_at_once(scenes(|| sqlite(&path, &clock)).await, clock.clone()).await;
}

async fn postgres(address: &str) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(&postgres_address(address)).await.unwrap())
}

/// On a server whose sessions are told to keep to something.
async fn on_a_server(role: &str) {
    let schema = Schema::new();
    let grants = format!("CREATE SCHEMA {{s}} AUTHORIZATION {{role}}; {role}");
    let address = address_as(&schema, "acts", &grants);
    let first = PostgresStore::open(&postgres_address(&address)).await.unwrap();
    let clock = Fixture::postgres(first, schema).clock;
    all_at_once(scenes(|| postgres(&address)).await, clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_server_an_order_is_done_at_most_once_and_settled_once() {
    on_a_server("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_server_with_other_isolation_an_order_is_done_at_most_once_and_settled_once() {
    on_a_server("ALTER ROLE {role} SET default_transaction_isolation = 'serializable'").await;
}
