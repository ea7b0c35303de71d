//! What it costs to read what people wrote: how long does who launches a restore wait for the plan, and what does an expression
//! cost for each unit?
//!
//! `cargo bench --bench planning`.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::{Evaluator, KeyIx, NodeIx, Outputs, Plan, StepIx, Target};
use reinstate_benches::{checked, layered, list, planned};
use runbook::PlanEvaluator;

const STEPS: usize = 200;

/// No step has recorded anything.
struct Nothing;

impl Outputs for Nothing {
    fn of(&self, _: StepIx, _: KeyIx) -> Vec<Option<&str>> {
        Vec::new()
    }
}

fn check(criterion: &mut Criterion) {
    let yaml = layered(STEPS, true);
    criterion.bench_function("check_200_steps", |bencher| bencher.iter(|| checked(black_box(&yaml))));
}

/// From the texts to an admitted plan.
fn plan(criterion: &mut Criterion) {
    let yaml = layered(STEPS, true);
    let mut group = criterion.benchmark_group("check_and_plan_200_steps");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    for sites in [883, 100_000] {
        let csv = list(sites);
        group.throughput(Throughput::Elements(sites.into()));
        group.bench_function(format!("{sites}_sites"), |bencher| {
            bencher.iter(|| Plan::new(planned(&checked(&yaml), &csv)).expect("a plan"));
        });
    }
    group.finish();
}

fn expressions(criterion: &mut Criterion) {
    let plan = Plan::new(planned(&checked(&layered(STEPS, false)), &list(883))).expect("a plan");
    let evaluator = PlanEvaluator::new(&plan).expect("expressions");
    let unit = plan.planned_units(NodeIx(0)).start;
    let target = Target { step: StepIx(0), key: KeyIx(0), unit: engine::UnitIx(unit), item: None, undo: false };
    criterion.bench_function("inputs_of_a_unit", |bencher| {
        bencher.iter(|| evaluator.with(&plan, black_box(target), &Nothing).expect("inputs"));
    });
}

criterion_group!(planning, check, plan, expressions);
criterion_main!(planning);
