//! The driver and workers in one process: attempts that are executed elsewhere, by workers that die, hang and come back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::{ActionSpec, Event, Outcome, Plan};
use runtime::{
    Call, Clock, Connector, Dispatch, DriveEnd, Hands, Holder, Journal, Lease, MemoryJournal, Order, Probed,
    SystemClock, WorkerSettings,
};
use tokio_util::sync::CancellationToken;

use crate::scripted::{NoSecrets, Scripted};
use crate::{drive_once, drive_under, drive_wide, drive_with, fresh, plan, states};

/// A plan whose every second step with an action goes to workers.
pub(crate) fn sent_out(seed: u64) -> Arc<Plan> {
    let plan = plan(seed);
    let mut spec = plan.spec().clone();
    spec.extras.runs_on =
        (0..spec.steps.len()).map(|ix| if ix % 2 == 0 { "eu".to_owned() } else { String::new() }).collect();
    // Waiting for a worker is not what these tests are about, but for one.
    spec.steps.iter_mut().for_each(|step| step.timeout_ms = 600_000);
    Plan::new(spec).unwrap()
}

/// A store on the real clock: workers live and expire by it.
pub(crate) async fn real(plan: &Arc<Plan>) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new(|| SystemClock.now()));
    runtime::open(&*journal, "run", plan, 0).await.unwrap();
    journal
}

pub(crate) struct Worker {
    pub(crate) task: tokio::task::JoinHandle<u64>,
    pub(crate) drain: CancellationToken,
    pub(crate) at_once: CancellationToken,
}

pub(crate) fn worker(
    journal: &Arc<MemoryJournal>,
    labels: &[&str],
    connector: Arc<dyn Connector>,
    ttl_ms: u64,
) -> Worker {
    let (drain, at_once) = (CancellationToken::new(), CancellationToken::new());
    let settings = WorkerSettings {
        name: "w".to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<_>>(),
        slots: 3,
        version: "1".to_owned(),
        ttl_ms,
        drain: drain.clone(),
        at_once: at_once.clone(),
    };
    let hands = Hands::new(&[connector], Arc::new(|_| Arc::new(NoSecrets)));
    let journal = journal.clone();
    let task = tokio::spawn(async move { runtime::work(&*journal, hands, settings, &mut |_| {}).await.unwrap() });
    Worker { task, drain, at_once }
}

/// Applies as the world does, and then never answers; counts what it applied.
struct Hangs(Arc<Scripted>, Arc<AtomicU64>);

#[async_trait]
impl Connector for Hangs {
    fn actions(&self) -> Vec<ActionSpec> {
        self.0.actions()
    }

    async fn apply(&self, call: Call) -> Outcome {
        self.0.apply(call).await;
        self.1.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    async fn probe(&self, _: Call) -> Probed {
        std::future::pending().await
    }
}

/// Waits until a condition holds that other tasks bring about.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "it never came: {what}");
}

#[tokio::test]
async fn a_run_whose_steps_go_to_workers_ends_as_one_that_is_done_here() {
    for seed in 0..20 {
        let plan = sent_out(seed);
        let alone = fresh(&plan).await;
        let (_, here) = drive_once(&*alone, &Arc::new(Scripted::new(alone.clone()))).await.unwrap();
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let workers = [(); 2].map(|()| worker(&journal, &["eu", "ssd"], world.clone(), 60_000));
        let (end, run) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        assert_eq!(states(&run), states(&here), "seed {seed}");
        assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}");
        assert_eq!(world.acted_early(), Vec::<String>::new(), "seed {seed}");
        let mut executed = 0;
        for worker in workers {
            worker.drain.cancel();
            executed += worker.task.await.unwrap();
        }
        let mut sent = 0;
        runtime::recover(&*journal, "run", |run, record| {
            if let Event::Started { unit, .. } = record.event {
                let step = run.target(unit).unwrap().step;
                sent += u64::from(run.plan().spec().extras.runs_on(step).is_some());
            }
        })
        .await
        .unwrap();
        assert_eq!(executed, sent, "seed {seed}: each start of a step with labels is one attempt of a worker");
        assert!(journal.workers().await.unwrap().is_empty(), "who has drained is struck off");
    }
}

#[tokio::test]
async fn a_worker_that_dies_has_its_attempts_probed_and_nothing_is_done_twice() {
    for seed in 0..6 {
        let plan = sent_out(seed);
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let applied = Arc::new(AtomicU64::new(0));
        let dies = worker(&journal, &["eu"], Arc::new(Hangs(world.clone(), applied.clone())), 300);
        let alone = fresh(&plan).await;
        let (_, here) = drive_once(&*alone, &Arc::new(Scripted::new(alone.clone()))).await.unwrap();
        let driven = drive_with(&*journal, Some(&*journal), &world);
        let death = async {
            until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0).await;
            dies.task.abort();
            worker(&journal, &["eu"], world.clone(), 60_000)
        };
        let (driven, next) = tokio::join!(driven, death);
        let (end, run) = driven.unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        assert_eq!(states(&run), states(&here), "seed {seed}");
        assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}");
        next.drain.cancel();
        next.task.await.unwrap();
    }
}

#[tokio::test]
async fn what_an_older_driver_sent_is_cancelled_and_probed_before_anything_goes_on() {
    let plan = sent_out(4);
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let applied = Arc::new(AtomicU64::new(0));
    let slow = worker(&journal, &["eu"], Arc::new(Hangs(world.clone(), applied.clone())), 2_000);
    {
        let driven = drive_with(&*journal, Some(&*journal), &world);
        let begun = until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0);
        // Dropped as by a crash; its lease is given back below, as time would have it.
        tokio::select! {
            driven = driven => panic!("it ended without an answer: {:?}", driven.map(|(end, _)| end)),
            () = begun => {}
        }
    }
    journal.release(&Lease { run: "run".to_owned(), epoch: 1, was_left: false }).await.unwrap();
    let fast = worker(&journal, &["eu"], world.clone(), 60_000);
    // The slow one gets nothing more, or the run would wait for it.
    slow.drain.cancel();
    let (end, _) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
    assert_eq!(world.made_twice(), Vec::<String>::new());
    slow.at_once.cancel();
    slow.task.await.unwrap();
    fast.drain.cancel();
    fast.task.await.unwrap();
}

#[tokio::test]
async fn a_probe_that_waited_for_an_older_drivers_worker_is_sent_though_later_starts_wait_before_it() {
    for seed in 0..6 {
        let plan = sent_out(seed);
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let applied = Arc::new(AtomicU64::new(0));
        let slow = worker(&journal, &["eu"], Arc::new(Hangs(world.clone(), applied.clone())), 2_000);
        let holder = Holder { name: "test".into(), pid: 1, host: "here".into() };
        let lease = journal.acquire("run", &holder, 60_000).await.unwrap();
        {
            // One attempt at a time, so that there is much left that was never started.
            let stop = CancellationToken::new();
            let driven = drive_wide(&lease, &*journal, Some(&*journal), &world, stop, 1);
            let begun = until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0);
            tokio::select! {
                driven = driven => panic!("seed {seed}: it ended: {:?}", driven.map(|(end, _)| end)),
                () = begun => {}
            }
        }
        journal.release(&lease).await.unwrap();
        let fast = worker(&journal, &["eu"], world.clone(), 60_000);
        slow.drain.cancel();
        let driven = tokio::time::timeout(Duration::from_secs(60), drive_with(&*journal, Some(&*journal), &world));
        let (end, _) = driven.await.expect("it comes to an end").unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        assert_eq!(world.made_twice(), Vec::<String>::new());
        slow.at_once.cancel();
        slow.task.await.unwrap();
        fast.drain.cancel();
        fast.task.await.unwrap();
    }
}

/// As the clean-up of a drill, which is driven under the lease of what it cleans up after.
#[tokio::test]
async fn a_second_drive_under_one_lease_sends_orders_that_are_new() {
    let plan = sent_out(4);
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let holder = Holder { name: "test".into(), pid: 1, host: "here".into() };
    let lease = journal.acquire("run", &holder, 60_000).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let first = drive_under(&lease, &*journal, Some(&*journal), &world, stop).await;
    assert_eq!(first.unwrap().0, DriveEnd::Stopped, "it has opened the run, and no more");
    let worker = worker(&journal, &["eu"], world.clone(), 60_000);
    let second = drive_under(&lease, &*journal, Some(&*journal), &world, CancellationToken::new());
    let second = tokio::time::timeout(Duration::from_secs(60), second).await.expect("it comes to an end");
    assert!(matches!(second.unwrap().0, DriveEnd::Ended(_)));
    assert_eq!(world.made_twice(), Vec::<String>::new());
    worker.drain.cancel();
    assert!(worker.task.await.unwrap() > 0);
}

#[tokio::test]
async fn an_attempt_that_waits_for_a_busy_worker_is_not_taken_back() {
    let mut spec = sent_out(2).spec().clone();
    for step in &mut spec.steps {
        (step.timeout_ms, step.retry.attempts) = (50, 1);
    }
    let plan = Plan::new(spec).unwrap();
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    // It lives and takes nothing: as one whose slots are all in use.
    let busy = runtime::Worker {
        name: "busy".to_owned(),
        labels: ["eu", ":orders=1", ":uses=noop@1"].map(str::to_owned).into(),
        slots: 0,
        version: "1".to_owned(),
    };
    let busy = journal.enlist(&busy, 60_000).await.unwrap();
    let driven = drive_with(&*journal, Some(&*journal), &world);
    let relieved = async {
        let begun = tokio::time::Instant::now();
        until("longer than any attempt may take", async || begun.elapsed() > Duration::from_millis(500)).await;
        let free = worker(&journal, &["eu"], world.clone(), 60_000);
        until("the free one", async || journal.workers().await.unwrap().len() == 2).await;
        journal.retire(busy).await.unwrap();
        free
    };
    let (driven, free) = tokio::join!(driven, relieved);
    assert!(matches!(driven.unwrap().0, DriveEnd::Ended(_)));
    runtime::recover(&*journal, "run", |_, record| assert!(!matches!(record.event, Event::Refused { .. })))
        .await
        .unwrap();
    free.drain.cancel();
    assert!(free.task.await.unwrap() > 0);
}

#[tokio::test]
async fn an_attempt_that_no_worker_takes_ends_as_refused_and_nothing_was_done() {
    let mut spec = sent_out(2).spec().clone();
    for step in &mut spec.steps {
        (step.timeout_ms, step.retry.attempts) = (50, 2);
    }
    let plan = Plan::new(spec).unwrap();
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let elsewhere = worker(&journal, &["us"], world.clone(), 60_000);
    let (end, run) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
    let mut codes = BTreeSet::new();
    runtime::recover(&*journal, "run", |_, record| {
        if let Event::Refused { failure, .. } = &record.event {
            codes.insert(failure.code.to_string());
        }
    })
    .await
    .unwrap();
    assert_eq!(codes, BTreeSet::from(["worker.none".to_owned()]));
    assert!(run.plan().site_count() > 0 && world.made_twice().is_empty());
    elsewhere.drain.cancel();
    assert_eq!(elsewhere.task.await.unwrap(), 0);
}

#[tokio::test]
async fn a_worker_that_was_given_up_cancels_what_it_has_and_begins_anew_with_all_its_slots() {
    let mut spec = sent_out(4).spec().clone();
    // It may take up probes in its second life, before it is told to end: each of them is in doubt once more.
    spec.steps.iter_mut().for_each(|step| step.retry.attempts = 5);
    let plan = Plan::new(spec).unwrap();
    let now = Arc::new(AtomicI64::new(0));
    let time = now.clone();
    let journal = Arc::new(MemoryJournal::new(move || time.load(Ordering::SeqCst)));
    runtime::open(&*journal, "run", &plan, 0).await.unwrap();
    let world = Arc::new(Scripted::new(journal.clone()));
    let applied = Arc::new(AtomicU64::new(0));
    let hangs = worker(&journal, &["eu"], Arc::new(Hangs(world.clone(), applied.clone())), 2_000);
    let driven = drive_with(&*journal, Some(&*journal), &world);
    let given_up = async {
        until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0).await;
        let first = journal.workers().await.unwrap()[0].id;
        now.fetch_add(2_000, Ordering::SeqCst);
        until("a second life", async || journal.workers().await.unwrap().iter().any(|one| one.id > first)).await;
        hangs.at_once.cancel();
        worker(&journal, &["eu"], world.clone(), 1 << 40)
    };
    let (driven, next) = tokio::join!(driven, given_up);
    let (end, _) = driven.unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
    assert_eq!(world.made_twice(), Vec::<String>::new());
    hangs.task.await.unwrap();
    next.drain.cancel();
    next.task.await.unwrap();
}

#[tokio::test]
async fn an_order_whose_claim_was_lost_on_the_way_and_which_was_withdrawn_then_takes_no_slot() {
    let journal = real(&sent_out(1)).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let worker = worker(&journal, &["eu"], world.clone(), 1_000);
    until("the worker", async || !journal.workers().await.unwrap().is_empty()).await;
    let id = journal.workers().await.unwrap()[0].id;
    let holder = Holder { name: "d".into(), pid: 1, host: "here".into() };
    let lease = journal.acquire("run", &holder, 60_000).await.unwrap();
    let order = |number| Order {
        number,
        unit: "copy/a".to_owned(),
        attempt: 1,
        mode: engine::Mode::Apply,
        labels: BTreeSet::from(["eu".to_owned()]),
        timeout_ms: 60_000,
        call: vec![],
    };
    // All of it before the worker has its turn: it never hears what it has claimed.
    journal.dispatch(&lease, &[order(1), order(2), order(3)]).await.unwrap();
    assert_eq!(journal.claim_orders(id, &[]).await.unwrap().len(), 3);
    assert_eq!(journal.withdraw_orders(&lease, 4).await.unwrap(), 3);
    until("free slots", async || journal.withdraw_orders(&lease, 4).await.unwrap() == 0).await;
    assert_eq!(journal.workers().await.unwrap()[0].id, id, "it need not die for it");
    worker.drain.cancel();
    assert_eq!(worker.task.await.unwrap(), 0);
}
