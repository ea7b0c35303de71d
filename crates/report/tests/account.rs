//! Where the time of a run went: the parts of the chain add up to it, and no bound lies above it.
#![allow(clippy::unwrap_used)]

mod support;

use engine::Plan;
use reinstate_report::{Account, Past, Spent};
use support::*;

fn account(drive: &Drive, spec: engine::PlanSpec) -> Option<Account> {
    let mut past = Past::new(Plan::new(spec).unwrap());
    for record in &drive.records {
        past.push(record).unwrap();
    }
    past.account()
}

fn of(account: &Account, spent: Spent) -> f64 {
    account.chain.iter().filter(|part| part.spent == spent).map(|part| part.s).sum()
}

#[test]
fn the_parts_add_up_to_the_run_whatever_its_size() {
    for (sites, shards) in [(1, 1), (12, 2), (40, 4), (90, 3)] {
        let spec = spec(&ids(sites), shards);
        let mut drive = Drive::new(spec.clone(), calm());
        drive.run_to_rest();
        let report = drive.fold.report(drive.now);
        let account = account(&drive, spec).unwrap();
        assert!((account.makespan_s - report.wall_s).abs() < 1e-9, "{sites} sites");
        let sum: f64 = account.chain.iter().map(|part| part.s).sum();
        assert!((sum - account.makespan_s).abs() < 1e-6, "{sites} sites: {sum} of {}", account.makespan_s);
        assert_eq!(of(&account, Spent::Other), 0.0, "{sites} sites: {:?}", account.chain);
        assert_eq!(of(&account, Spent::Engine), 0.0, "the engine takes no time here: {:?}", account.chain);
        assert!(
            account.lower_bound_s > 0.0 && account.lower_bound_s <= account.makespan_s,
            "{sites} sites: {account:?}"
        );
        let busy: f64 = report.steps.iter().map(|step| step.busy_s).sum();
        assert!((account.connectors_s - busy).abs() < 1e-6, "{} in connectors, {busy} by steps", account.connectors_s);
        // Between its batches, and only there, nothing runs.
        let soaks = report.batches.len().saturating_sub(1) as f64 * 5.0;
        assert!(account.idle_s <= soaks + 1e-6 && of(&account, Spent::Soak) <= soaks + 1e-6, "{account:?}");
    }
}

#[test]
fn a_narrow_pool_is_what_is_waited_for_and_what_bounds_the_run() {
    let mut narrow = spec(&ids(40), 1);
    narrow.batches.ends = vec![40];
    narrow.batches.max_failures = vec![0];
    narrow.pools[0].slots = Some(1);
    let mut drive = Drive::new(narrow.clone(), calm());
    drive.run_to_rest();
    let narrow = account(&drive, narrow).unwrap();
    let waited = narrow.pools.iter().find(|pool| pool.pool == "shard_writes").unwrap();
    assert!(waited.units > 20 && waited.s > narrow.makespan_s, "{:?}", narrow.pools);
    let most = narrow.chain.first().unwrap();
    assert_eq!((most.spent, most.name.as_str()), (Spent::Pool, "shard_writes"), "{:?}", narrow.chain);
    assert!(narrow.makespan_s < narrow.lower_bound_s * 1.05, "one slot is never idle here: {narrow:?}");
}

#[test]
fn a_run_that_has_not_ended_has_no_account() {
    let spec = spec(&ids(12), 2);
    let mut drive = Drive::new(spec.clone(), calm());
    for _ in 0..20 {
        drive.step();
    }
    assert_eq!(account(&drive, spec), None);
}

#[test]
fn refusals_crashes_and_rulings_are_part_of_the_time() {
    let drive = rough_run();
    let account = account(&drive, drive.fold.plan().spec().clone()).unwrap();
    let sum: f64 = account.chain.iter().map(|part| part.s).sum();
    assert!((sum - account.makespan_s).abs() < 1e-6, "{sum} of {}", account.makespan_s);
    assert!(account.lower_bound_s <= account.makespan_s, "{account:?}");
}

#[test]
fn a_wait_that_a_target_asked_for_is_in_the_bound() {
    let alone = spec(&ids(1), 1);
    let world: World = Box::new(|run, unit, attempt| {
        let outcome = match (at(run, unit).0, attempt) {
            (IDENTITY | MEDIA, 1) => refused("http.status", "429", "", engine::Advice::RetryAfter(900_000)),
            _ => done(),
        };
        (took(at(run, unit).0, unit), outcome)
    });
    let mut drive = Drive::new(alone.clone(), world);
    drive.run_to_rest();
    let account = account(&drive, alone).unwrap();
    assert!(of(&account, Spent::Retry) >= 900.0, "{:?}", account.chain);
    assert!((account.makespan_s - account.lower_bound_s).abs() < 1e-6, "one site waits for nobody: {account:?}");
}

#[test]
fn sites_come_back_one_after_another_and_a_batch_ends_without_a_tail() {
    let mut chain = spec(&ids(240), 1);
    let mut steps: Vec<engine::StepSpec> =
        [IDENTITY, APPS, VALIDATE].map(|at| chain.steps[usize::from(at)].clone()).into();
    for (ix, step) in (0_u16..).zip(&mut steps) {
        step.pools = vec![engine::PoolUse { pool: engine::PoolIx(1), slots: 1 }];
        step.when = engine::When::Always;
        step.needs.truncate(usize::from(ix.min(1)));
        step.needs.iter_mut().for_each(|need| need.step = engine::StepIx(ix - 1));
    }
    chain.steps = steps;
    (chain.batches.ends, chain.batches.max_failures) = (vec![240], vec![0]);
    chain.pools[1].slots = Some(30);
    // Times as they are in life: none is like the other.
    let took = |unit: engine::UnitIx| 800 + i64::from(unit.0.wrapping_mul(7_919) % 700);
    let mut drive = Drive::new(chain.clone(), Box::new(move |_, unit, _| (took(unit), done())));
    drive.run_to_rest();
    let account = account(&drive, chain).unwrap();
    assert!(account.makespan_s < account.lower_bound_s * 1.035, "{account:?}");
    let report = drive.fold.report(drive.now);
    let half = report.rto.p50_s.unwrap();
    assert!(half < account.makespan_s * 0.55, "half are back after {half} of {} s", account.makespan_s);
}

#[test]
fn of_the_last_sites_those_with_the_most_to_do_go_first() {
    let mut two = spec(&ids(12), 1);
    let mut steps: Vec<engine::StepSpec> = [IDENTITY, APPS].map(|at| two.steps[usize::from(at)].clone()).into();
    steps[0].needs.clear();
    steps[1].needs.truncate(1);
    steps[1].needs[0].step = engine::StepIx(0);
    // The later half has something to do after the narrow pool, and it takes long.
    steps[1].when = engine::When::Planned((0..12).map(|site| site >= 6).collect());
    two.steps = steps;
    two.pools[1].slots = Some(6);
    (two.batches.ends, two.batches.max_failures) = (vec![12], vec![0]);
    let mut drive =
        Drive::new(two, Box::new(|run, unit, _| (if at(run, unit).0 == 0 { 10_000 } else { 20_000 }, done())));
    drive.run_to_rest();
    let took = drive.fold.report(drive.now).wall_s;
    assert!((took - 30.0).abs() < 1e-9, "{took} s: in the list's order it takes 40");
}
