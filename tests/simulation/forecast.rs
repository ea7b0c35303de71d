//! The forecast of random plans: it ends, it repeats, nothing comes before its lower bound, and what the end waited for
//! adds up.

use std::sync::Arc;

use engine::{ForEach, Plan, When};
use reinstate_tests::plans;
use reinstate_tests::random::Random;
use report::{After, Drawings, Forecast, Model};

const PLANS: u64 = 2_000;

/// A random plan with times of many lengths: fixed ones, so that ends coincide, and ranges.
fn plan(seed: u64) -> Arc<Plan> {
    let mut random = Random::new(seed);
    loop {
        let mut spec = plans::spec(&mut random);
        for step in &mut spec.steps {
            step.expect_ms = random.pick(&[(0, 0), (0, 1), (1, 1), (50, 50), (1_000, 2_000), (10, 100_000)]);
        }
        if let Ok(plan) = Plan::new(spec) {
            return plan;
        }
    }
}

fn forecast(plan: &Arc<Plan>, first_seed: u64) -> Forecast {
    let how = Drawings { seeds: Some(1), first_seed, changes: false };
    report::forecast(plan, &Model::expected(plan), how).expect("a run in which nothing fails ends")
}

#[test]
fn nothing_comes_before_its_lower_bound_and_the_critical_path_adds_up() {
    let (mut tight, mut loose) = (0, 0);
    for seed in 0..PLANS {
        let plan = plan(seed);
        let forecast = forecast(&plan, seed);
        let (bound, makespan) = (forecast.lower_bound_s, forecast.makespan_s);
        assert!(bound <= makespan, "seed {seed}: bound {bound}, makespan {makespan}");
        let path: f64 = forecast.critical_path.iter().map(|part| part.s).sum();
        assert!((path - makespan).abs() < 1e-6, "seed {seed}: path {path}, makespan {makespan}: {forecast:#?}");
        assert!(forecast.sites_returned.len() <= 200);
        assert!(forecast.sites_returned.windows(2).all(|two| two[0].s <= two[1].s && two[0].sites < two[1].sites));
        assert_eq!(forecast.sites_returned.last().map_or(0, |last| last.sites), plan.site_count(), "seed {seed}");
        if bound * 1.05 >= makespan {
            tight += 1;
        } else {
            loose += 1;
        }
    }
    // A bound of nothing would be true as well.
    assert!(tight > loose, "{tight} bounds within 5 % of the makespan, {loose} further off");
}

#[test]
fn without_pools_the_longest_way_is_the_makespan() {
    for seed in 0..PLANS / 3 {
        let mut spec = plan(seed).spec().clone();
        spec.pools.clear();
        spec.steps.iter_mut().for_each(|step| step.pools.clear());
        let plan = Plan::new(spec).expect("a plan stays admissible without its pools");
        let forecast = forecast(&plan, seed);
        assert!((forecast.lower_bound_s - forecast.makespan_s).abs() < 1e-6, "seed {seed}: {forecast:#?}");
        assert_eq!(forecast.bottleneck, None, "seed {seed}");
        let unknown = forecast.critical_path.iter().find(|part| part.after == After::Other);
        assert_eq!(unknown, None, "seed {seed}: {forecast:#?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_forecast_and_another_one_another() {
    let mut differ = 0;
    for seed in 0..40 {
        let plan = plan(seed);
        let text = |forecast: &Forecast| format!("{}{forecast:?}", report::render_forecast(forecast, 80));
        let first = forecast(&plan, seed);
        assert_eq!(text(&first), text(&forecast(&plan, seed)), "seed {seed}");
        differ += usize::from(first.makespan_s.to_bits() != forecast(&plan, seed + 1).makespan_s.to_bits());
    }
    assert!(differ > 10, "{differ}");
}

#[test]
fn what_needs_outputs_is_assumed_and_said() {
    let mut said = 0;
    for seed in 0..40 {
        let plan = plan(seed);
        let assumptions = forecast(&plan, seed).assumptions.join("\n");
        for step in &plan.spec().steps {
            if matches!(step.when, When::Later(_)) {
                assert!(assumptions.contains(&format!("`if` of {} holds", step.name)), "{assumptions}");
                said += 1;
            }
            if matches!(step.for_each, ForEach::Later(_)) {
                assert!(assumptions.contains(&format!("`for_each` of {} has one item", step.name)), "{assumptions}");
                said += 1;
            }
        }
        assert!(assumptions.contains("no attempt fails"));
    }
    assert!(said > 10, "{said}");
}
