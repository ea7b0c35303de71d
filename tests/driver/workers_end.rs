//! How drives and workers end, and what the next one knows then: what nobody had begun, or was answered, is not in doubt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::{ActionSpec, Command, Event, Mode, Outcome, Plan, StepIx, Work};
use runtime::{
    Call, Connector, Dispatch, DriveEnd, Hands, Holder, Journal, Mailbox, MemoryJournal, Probed, Request, Store,
    WorkerSettings,
};
use tokio_util::sync::CancellationToken;

use crate::scripted::{NoSecrets, Scripted};
use crate::workers::{real, sent_out, until, worker};
use crate::{drive_under, drive_with};

/// A plan of steps for workers that can neither be asked nor repeated: in doubt, each waits for a person.
fn unforgiving(seed: u64) -> Arc<Plan> {
    let mut spec = sent_out(seed).spec().clone();
    for step in &mut spec.steps {
        step.retry.attempts = 1;
        if let Work::Action(action) = &mut step.work {
            (action.has_probe, action.idempotent) = (false, false);
        }
    }
    spec.extras.runs_on = vec!["eu".to_owned(); spec.steps.len()];
    Plan::new(spec).unwrap()
}

/// How often each event is in the journal, by its name.
async fn told(journal: &MemoryJournal) -> BTreeMap<&'static str, usize> {
    let mut told = BTreeMap::new();
    let count = |_: &engine::Run, record: &engine::Record| *told.entry(record.event.name()).or_insert(0) += 1;
    runtime::recover(journal, "run", count).await.unwrap();
    told
}

fn holder() -> Holder {
    Holder { name: "test".into(), pid: 1, host: "here".into() }
}

async fn waits(journal: &MemoryJournal) -> u64 {
    journal.waiting_orders("run").await.unwrap().iter().map(|waiting| waiting.orders).sum()
}

/// Has a driver die once something holds; its lease is over then, as time would have it.
async fn dies_once(journal: &Arc<MemoryJournal>, world: &Arc<Scripted>, holds: impl Future<Output = ()>) {
    let lease = journal.acquire("run", &holder(), 60_000).await.unwrap();
    let desk: &dyn Store = &**journal;
    tokio::select! {
        driven = drive_under(&lease, &**journal, Some(desk), world, CancellationToken::new()) => {
            panic!("it ended: {:?}", driven.map(|(end, _)| end))
        }
        () = holds => {}
    }
    journal.release(&lease).await.unwrap();
}

/// Applies as the world does, and answers once the gate is open.
struct Gated(Arc<Scripted>, Arc<AtomicU64>, CancellationToken);

#[async_trait]
impl Connector for Gated {
    fn actions(&self) -> Vec<ActionSpec> {
        self.0.actions()
    }

    async fn apply(&self, call: Call) -> Outcome {
        let outcome = self.0.apply(call).await;
        self.1.fetch_add(1, Ordering::SeqCst);
        self.2.cancelled().await;
        outcome
    }

    async fn probe(&self, call: Call) -> Probed {
        self.0.probe(call).await
    }
}

#[tokio::test]
async fn what_nobody_had_claimed_when_a_driver_died_was_never_begun() {
    for seed in 0..6 {
        let plan = unforgiving(seed);
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        dies_once(&journal, &world, until("orders that wait", async || waits(&journal).await > 0)).await;
        let worker = worker(&journal, &["eu", "ssd"], world.clone(), 60_000);
        let (end, _) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        let told = told(&journal).await;
        assert!(told["not-begun"] > 0, "seed {seed}: {told:?}");
        assert_eq!((told.get("in-doubt"), told.get("refused")), (None, None), "seed {seed}");
        assert_eq!(told["started"] - told["not-begun"], told["succeeded"], "seed {seed}");
        assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}");
        worker.drain.cancel();
        worker.task.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_worker_answered_after_its_driver_had_died_is_known_to_the_next_one() {
    for seed in 0..6 {
        let plan = unforgiving(seed);
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let (applied, gate) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let connector = Arc::new(Gated(world.clone(), applied.clone(), gate.clone()));
        let worker = worker(&journal, &["eu", "ssd"], connector, 60_000);
        let begun = until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0);
        dies_once(&journal, &world, begun).await;
        gate.cancel();
        until("all answers", async || journal.workers().await.unwrap()[0].holds == 0).await;
        let (end, _) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        let told = told(&journal).await;
        assert_eq!((told.get("in-doubt"), told.get("refused")), (None, None), "seed {seed}");
        assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}");
        worker.drain.cancel();
        worker.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_drive_that_stops_takes_back_what_nobody_has_claimed() {
    let plan = unforgiving(2);
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let (lease, stop) = (journal.acquire("run", &holder(), 60_000).await.unwrap(), CancellationToken::new());
    let driven = drive_under(&lease, &*journal, Some(&*journal), &world, stop.clone());
    let stopped = async {
        until("orders that wait", async || waits(&journal).await > 0).await;
        stop.cancel();
    };
    let (driven, ()) = tokio::join!(driven, stopped);
    let (end, run) = driven.unwrap();
    assert_eq!((end, run.in_flight()), (DriveEnd::Stopped, 0));
    assert!(!run.is_waiting_for_operator(), "nothing is in doubt");
    let told = told(&journal).await;
    assert_eq!(told["started"], told["not-begun"], "{told:?}");
    journal.release(&lease).await.unwrap();
    let worker = worker(&journal, &["eu", "ssd"], world.clone(), 60_000);
    let (end, _) = drive_with(&*journal, Some(&*journal), &world).await.unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
    worker.drain.cancel();
    worker.task.await.unwrap();
}

#[tokio::test]
async fn a_panic_takes_no_slot_and_the_attempt_is_in_doubt() {
    let plan = sent_out(2);
    let journal = real(&plan).await;
    let world: Arc<Scripted> = Arc::new(Scripted::new(journal.clone()));
    let drain = CancellationToken::new();
    let settings = WorkerSettings {
        name: "w".to_owned(),
        labels: ["eu".to_owned(), "ssd".to_owned()].into(),
        slots: 1,
        version: "1".to_owned(),
        ttl_ms: 60_000,
        drain: drain.clone(),
        at_once: CancellationToken::new(),
    };
    let panics = AtomicBool::new(true);
    let vault = move |_| -> Arc<dyn runtime::SecretSource> {
        assert!(!panics.swap(false, Ordering::SeqCst), "a defect, once");
        Arc::new(NoSecrets)
    };
    let connector: Arc<dyn Connector> = world.clone();
    let hands = Hands::new(&[connector], Arc::new(vault));
    let store = journal.clone();
    let task = tokio::spawn(async move { runtime::work(&*store, hands, settings, &mut |_| {}).await.unwrap() });
    let driven = tokio::time::timeout(Duration::from_secs(60), drive_with(&*journal, Some(&*journal), &world));
    let (end, _) = driven.await.expect("its only slot is free again").unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
    let mut codes = Vec::new();
    runtime::recover(&*journal, "run", |_, record| {
        if let Event::InDoubt { failure, .. } = &record.event {
            codes.push(failure.code.to_string());
        }
    })
    .await
    .unwrap();
    assert_eq!(codes, ["connector.panic"]);
    drain.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_probe_that_no_worker_takes_leaves_the_doubt_as_it_is() {
    let mut spec = sent_out(2).spec().clone();
    for step in &mut spec.steps {
        (step.timeout_ms, step.retry.attempts) = (200, 1);
    }
    let plan = Plan::new(spec).unwrap();
    let journal = real(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let (applied, gate) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let connector = Arc::new(Gated(world.clone(), applied.clone(), gate));
    let dies = worker(&journal, &["eu", "ssd"], connector, 300);
    let driven = drive_with(&*journal, Some(&*journal), &world);
    let death = async {
        until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0).await;
        dies.task.abort();
    };
    let (driven, ()) = tokio::join!(driven, death);
    driven.unwrap();
    let (mut modes, mut asked) = (BTreeMap::new(), 0);
    runtime::recover(&*journal, "run", |_, record| match &record.event {
        Event::Started { unit, mode, .. } => drop(modes.insert(*unit, *mode)),
        Event::InDoubt { unit, failure, .. } if &*failure.code == "worker.none" => {
            assert_eq!(modes[unit], Mode::Probe);
            asked += 1;
        }
        Event::Refused { unit, failure, .. } if &*failure.code == "worker.none" => {
            assert_eq!(modes[unit], Mode::Apply, "a probe that nobody made knows nothing");
        }
        _ => {}
    })
    .await
    .unwrap();
    assert!(asked > 0, "there was a doubt to ask about");
    assert_eq!(world.made_twice(), Vec::<String>::new());
}

/// A plan with one step more, before all others, so that every unit has another number.
fn renumbered(plan: &Plan) -> Arc<Plan> {
    let mut spec = plan.spec().clone();
    let mut step = spec.steps[0].clone();
    step.name = "before".into();
    step.needs.clear();
    for need in spec.steps.iter_mut().flat_map(|step| &mut step.needs) {
        need.step = StepIx(need.step.0 + 1);
    }
    spec.steps.insert(0, step);
    spec.extras.runs_on.insert(0, String::new());
    if !spec.extras.read_only.is_empty() {
        spec.extras.read_only.insert(0, false);
    }
    Plan::new(spec).unwrap()
}

#[tokio::test]
async fn a_probe_that_waits_for_an_older_drivers_worker_follows_an_amendment() {
    for seed in 0..4 {
        let plan = sent_out(seed);
        let journal = real(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let (applied, gate) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let slow = worker(&journal, &["eu"], Arc::new(Gated(world.clone(), applied.clone(), gate)), 2_000);
        let begun = until("an attempt at the worker", async || applied.load(Ordering::SeqCst) > 0);
        dies_once(&journal, &world, begun).await;
        let request = Request {
            plan: plan.hash().to_owned(),
            actor: "ann".to_owned(),
            reason: "one step more".to_owned(),
            command: Command::Amend { plan: renumbered(&plan).encode().unwrap().into() },
        };
        journal.post("run", &request.encode(), 60_000).await.unwrap();
        let fast = worker(&journal, &["eu"], world.clone(), 60_000);
        slow.drain.cancel();
        let driven = tokio::time::timeout(Duration::from_secs(60), drive_with(&*journal, Some(&*journal), &world));
        let (end, run) = driven.await.expect("it comes to an end").unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        assert_eq!(&*run.plan().spec().steps[0].name, "before", "seed {seed}: it was amended");
        assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}");
        slow.at_once.cancel();
        slow.task.await.unwrap();
        fast.drain.cancel();
        fast.task.await.unwrap();
    }
}
