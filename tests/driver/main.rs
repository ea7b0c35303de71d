//! The driver loop against a journal that fails before or after any append: whatever the point, a resume ends as an
//! undisturbed run does, nothing acts before its start is durable, and no effect is made twice.
#![allow(clippy::unwrap_used)]

mod scripted;
mod workers;
mod workers_end;

use std::sync::Arc;
use std::time::Duration;

use engine::{NodeIx, NodeState, Plan, PlanSpec, Run, Work};
use reinstate_tests::oracle::Oracle;
use reinstate_tests::plans;
use reinstate_tests::random::Random;
use runtime::{
    Drive, DriveEnd, DriveError, Equipment, Holder, Journal, JournalError, Launcher, Lease, MemoryJournal, Settings,
    Store,
};
use scripted::{Fail, Faulty, LeapingClock, NoSecrets, Scripted};
use tokio_util::sync::CancellationToken;

/// A random plan in which nothing fails, so that its end does not depend on what was under way at which moment.
fn plan(seed: u64) -> Arc<Plan> {
    let mut random = Random::new(seed);
    loop {
        let mut spec: PlanSpec = plans::spec(&mut random);
        spec.batches.gate = None;
        spec.extras.start = None;
        spec.pools.iter_mut().for_each(|pool| pool.shared = false);
        if spec.steps.iter().any(|step| matches!(step.work, Work::Approval(_))) {
            continue;
        }
        for step in &mut spec.steps {
            if let Work::Action(action) = &mut step.work {
                action.has_probe = true;
            }
            step.on_failure = match step.on_failure {
                engine::OnFailure::Pause | engine::OnFailure::Abort => engine::OnFailure::Quarantine,
                other => other,
            };
        }
        spec.batches.max_failures.fill(u32::MAX);
        if let Ok(plan) = Plan::new(spec) {
            return plan;
        }
    }
}

async fn drive_once(journal: &dyn Journal, world: &Arc<Scripted>) -> Result<(DriveEnd, Run), DriveError> {
    drive_with(journal, None, world).await
}

async fn drive_with(
    journal: &dyn Journal,
    desk: Option<&dyn Store>,
    world: &Arc<Scripted>,
) -> Result<(DriveEnd, Run), DriveError> {
    let holder = Holder { name: "test".into(), pid: 1, host: "here".into() };
    let lease = journal.acquire("run", &holder, 60_000).await.unwrap();
    let driven = drive_under(&lease, journal, desk, world, CancellationToken::new()).await;
    journal.release(&lease).await.unwrap();
    driven
}

async fn drive_under(
    lease: &Lease,
    journal: &dyn Journal,
    desk: Option<&dyn Store>,
    world: &Arc<Scripted>,
    stop: CancellationToken,
) -> Result<(DriveEnd, Run), DriveError> {
    drive_wide(lease, journal, desk, world, stop, Settings::default().in_flight_max).await
}

/// With at most so many attempts in flight.
async fn drive_wide(
    lease: &Lease,
    journal: &dyn Journal,
    desk: Option<&dyn Store>,
    world: &Arc<Scripted>,
    stop: CancellationToken,
    in_flight_max: usize,
) -> Result<(DriveEnd, Run), DriveError> {
    let recovered = runtime::recover(journal, "run", |_, _| {}).await.unwrap();
    let launcher = Launcher::new(vec![world.clone()]);
    let equip = |_: &Plan| Ok(Equipment { evaluator: Arc::new(Oracle { fails: false }), secrets: Arc::new(NoSecrets) });
    let mut seen = |_: &Run, _: &[engine::Record]| {};
    let drive = Drive {
        journal,
        lease: lease.clone(),
        holder: "test".to_owned(),
        equip: &equip,
        launcher: &launcher,
        clock: &LeapingClock::default(),
        observer: &mut seen,
        desk,
        stop,
        settings: Settings { grace: Duration::ZERO, in_flight_max, ..Settings::default() },
    };
    runtime::drive(drive, recovered, "test").await
}

fn states(run: &Run) -> Vec<NodeState> {
    (0..run.plan().node_count()).map(|node| run.node_state(NodeIx(node))).collect()
}

async fn fresh(plan: &Arc<Plan>) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new(|| 0));
    runtime::open(&*journal, "run", plan, 0).await.unwrap();
    journal
}

#[tokio::test]
async fn a_run_that_stops_at_any_append_ends_as_an_undisturbed_one() {
    for seed in 0..30 {
        let plan = plan(seed);
        let journal = fresh(&plan).await;
        let world = Arc::new(Scripted::new(journal.clone()));
        let (end, undisturbed) = drive_once(&*journal, &world).await.unwrap();
        assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}: {end:?}");
        let appends = world.groups().await;
        for at in 0..appends {
            for fail in [Fail::Before, Fail::After] {
                let journal = fresh(&plan).await;
                let world = Arc::new(Scripted::new(journal.clone()));
                let faulty = Faulty::new(journal.clone(), at, fail);
                let broken = drive_once(&faulty, &world).await;
                // Groups depend on timing, so a run may need fewer appends than the undisturbed one did.
                assert!(
                    matches!(broken, Err(DriveError::Journal(JournalError::Unavailable { .. })) | Ok(_)),
                    "seed {seed}, append {at}"
                );
                let (end, run) = drive_once(&*journal, &world).await.unwrap();
                assert!(matches!(end, DriveEnd::Ended(_)), "seed {seed}, append {at}: {end:?}");
                assert_eq!(states(&run), states(&undisturbed), "seed {seed}, append {at}, {fail:?}");
                assert_eq!(world.made_twice(), Vec::<String>::new(), "seed {seed}, append {at}, {fail:?}");
                assert_eq!(world.acted_early(), Vec::<String>::new(), "seed {seed}, append {at}, {fail:?}");
            }
        }
    }
}

/// What a renewal waits for may be held by what the loop has to go on with, such as a look at the desk.
#[tokio::test]
async fn a_renewal_that_is_not_answered_holds_nothing_up() {
    let plan = plan(3);
    let journal = fresh(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let silent = Faulty::new(journal.clone(), 0, Fail::Renewals);
    let driven = tokio::time::timeout(Duration::from_secs(60), drive_once(&silent, &world)).await;
    let (end, _) = driven.expect("the run goes on").unwrap();
    assert!(matches!(end, DriveEnd::Ended(_)), "{end:?}");
}

#[tokio::test]
async fn a_driver_whose_lease_was_taken_stops_and_appends_nothing() {
    let plan = plan(3);
    let journal = fresh(&plan).await;
    let world = Arc::new(Scripted::new(journal.clone()));
    let faulty = Faulty::new(journal.clone(), 1, Fail::Fenced);
    let fenced = drive_once(&faulty, &world).await;
    assert!(matches!(fenced, Err(DriveError::Journal(JournalError::Fenced { .. }))));
    assert_eq!(world.groups().await, 1, "only what was appended before");
}
