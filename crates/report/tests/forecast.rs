//! The forecast of a small restoration, before its first step and on the way, with people in it and without.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use engine::{Approval, ApproverGroup, OnLapse, Plan, PlanSpec, Run, Scope, Status, Work};
use reinstate_report::{After, Drawings, Forecast, Model};
use support::*;

const HOUR: f64 = 3_600.0;
const HOUR_MS: u64 = 3_600_000;

/// The small restoration, of which every step says how long it takes.
fn expecting(sites: usize) -> PlanSpec {
    let mut spec = spec(&ids(sites), 4);
    for step in &mut spec.steps {
        step.expect_ms = (10_000, 30_000);
    }
    spec
}

fn approval() -> Approval {
    Approval { from: vec!["leads".into()], min: 1, timeout_ms: 72 * HOUR_MS, on_timeout: OnLapse::Reject }
}

/// The same with a customer who looks at each site for two hours, a gate before each batch, a pool that runs share, and
/// a last word once all is done.
fn with_people(sites: usize) -> PlanSpec {
    let mut spec = expecting(sites);
    spec.extras.approvers = vec![ApproverGroup { name: "leads".into(), members: vec!["ann".into(), "bob".into()] }];
    let mut customer = step("customer", 58, Scope::Site, &[VALIDATE]);
    customer.work = Work::Approval(approval());
    customer.expect_ms = (2 * HOUR_MS, 2 * HOUR_MS);
    let mut announce = step("announce", 61, Scope::Run, &[]);
    (announce.finally, announce.expect_ms) = (true, (HOUR_MS, HOUR_MS));
    spec.steps.extend([customer, announce]);
    spec.batches.gate = Some(approval());
    spec.pools[1].shared = true;
    spec
}

fn forecast(spec: PlanSpec) -> (Arc<Plan>, Forecast) {
    let plan = Plan::new(spec).unwrap();
    let how = Drawings { seeds: Some(3), first_seed: 1, changes: false };
    let forecast = reinstate_report::forecast(&plan, &Model::expected(&plan), how).unwrap();
    (plan, forecast)
}

#[test]
fn people_take_their_time_and_the_last_word_comes_last() {
    let (_, without) = forecast(expecting(40));
    let (plan, with) = forecast(with_people(40));
    assert_eq!((with.plan.as_str(), with.batches.len()), (plan.hash(), 3));
    // Three batches one after another, each with two hours of customers, then an hour of announcing.
    assert!(with.makespan_s - without.makespan_s >= 6.9 * HOUR, "{} {}", with.makespan_s, without.makespan_s);
    assert!(with.lower_bound_s <= with.makespan_s && with.lower_bound_s >= 7.0 * HOUR);
    let part = |name: &str| with.critical_path.iter().find(|part| part.step.as_deref() == Some(name)).unwrap();
    assert_eq!((part("customer").units, part("customer").s.to_bits()), (3, (6.0 * HOUR).to_bits()));
    assert_eq!((part("announce").after, part("announce").s.to_bits()), (After::End, HOUR.to_bits()));
    let sum: f64 = with.critical_path.iter().map(|part| part.s).sum();
    assert!((sum - with.makespan_s).abs() < 1e-6);
    let assumed = with.assumptions.join("\n");
    for fact in ["people approve after the time", "people approve every batch at once", "no other run uses the shared"]
    {
        assert!(assumed.contains(fact), "{assumed}");
    }
}

/// Takes a run of a plan some steps far, as far as nobody has to be asked.
fn under_way(spec: PlanSpec, stop: impl FnMut(&Run) -> bool) -> Drive {
    let mut drive = Drive::new(spec, calm());
    for pool in drive.fold.run().shared_pools() {
        drive.input(engine::Input::Grant { instance: pool.instance, slots: pool.limit, sharers: 1 });
    }
    drive.run_until(stop);
    drive
}

#[test]
fn the_rest_counts_people_whom_the_run_has_asked_already() {
    let drive = under_way(with_people(12), |run| run.requests().count() > 0);
    let rest = drive.fold.rest(drive.now).unwrap();
    // Two more hours of each of three batches, the announcement, and hardly anything else.
    assert!((7.0 * HOUR..8.5 * HOUR).contains(&rest.p50_s), "{rest:?}");
    assert!(rest.lower_bound_s <= rest.p50_s && rest.p10_s <= rest.p50_s && rest.p50_s <= rest.p90_s);
    // An hour later an hour less is left of them.
    let later = drive.fold.rest(drive.now + 3_600_000).unwrap();
    assert!((rest.p50_s - later.p50_s - HOUR).abs() < 0.1 * HOUR, "{} {}", rest.p50_s, later.p50_s);
}

#[test]
fn a_rest_that_waits_for_whom_there_is_not_is_not_known() {
    // Who opened the run may not approve it, and there is nobody else: each time that it lapses the run pauses.
    let mut spec = with_people(3);
    spec.extras.approvers[0].members = vec!["mia".into()];
    spec.batches.gate = None;
    let customer = spec.steps.iter_mut().find(|step| step.name == "customer").unwrap();
    customer.work = Work::Approval(Approval { on_timeout: OnLapse::Pause, ..approval() });
    let drive = under_way(spec, |run| run.requests().count() > 0);
    assert_eq!(drive.fold.rest(drive.now), None);
}

#[test]
fn every_rest_on_the_way_ends_and_keeps_its_bound() {
    for sites in [1, 12, 40] {
        let mut drive = Drive::new(expecting(sites), calm());
        let mut looked = 0;
        while drive.step() {
            if drive.fold.run().tally().returned.is_multiple_of(7) && drive.fold.run().in_flight().is_multiple_of(3) {
                let Some(rest) = drive.fold.rest(drive.now) else { continue };
                assert!(rest.lower_bound_s <= rest.p50_s, "{rest:?}");
                looked += 1;
            }
        }
        assert!(looked > 1, "{looked}");
        assert!(matches!(drive.fold.run().status(), Status::Ended(_)));
        assert_eq!(drive.fold.rest(drive.now), None, "what is over has no rest");
    }
}

#[test]
fn refusals_of_an_earlier_run_are_drawn_again() {
    let (mut calm_run, mut rough_one) = (Drive::new(expecting(40), calm()), Drive::new(expecting(40), rough()));
    calm_run.run_to_rest();
    rough_one.run_to_rest();
    let plan = Plan::new(expecting(40)).unwrap();
    let how = Drawings { seeds: Some(5), first_seed: 1, changes: false };
    let of = |drive: &Drive| reinstate_report::forecast(&plan, &Model::measured(&plan, &drive.fold), how).unwrap();
    let (calm_one, rough_one) = (of(&calm_run), of(&rough_one));
    assert!(calm_one.assumptions.iter().any(|text| text == "no attempt fails"));
    assert!(rough_one.assumptions.iter().any(|text| text.contains("fall short as often as measured")));
    // The real calm run had the same steps and took about as long.
    let real = reinstate_report::span(calm_run.now - T0);
    #[expect(clippy::cast_precision_loss)]
    let took = (calm_run.now - T0) as f64 / 1000.0;
    assert!((calm_one.makespan_s - took).abs() <= took * 0.25, "{real} against {}", calm_one.makespan_s);
}
