//! What the core costs a step, without a journal: how many steps a second could be driven if the disk took no time, does it
//! matter how many pools there are, and how long does it take to have a run back from its journal, and to report on it?
//!
//! `cargo bench --bench deciding`.
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::{Plan, Record, Run};
use reinstate_benches::{driven, plan};
use report::Fold;

const SITES: u32 = 883;
const STEPS: usize = 30;
const IN_FLIGHT: usize = 1_024;

fn brief<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    units: u32,
) -> criterion::BenchmarkGroup<'a, criterion::measurement::WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(units.into()));
    group
}

/// Each unit is started and ended.
fn decide(criterion: &mut Criterion) {
    for (name, pooled) in [("decide_without_pools", false), ("decide_50_pools_of_8", true)] {
        let plan = plan(SITES, STEPS, pooled);
        let mut group = brief(criterion, name, plan.unit_count());
        group.bench_function("883x30", |bencher| bencher.iter(|| driven(&plan, IN_FLIGHT)));
        group.finish();
    }
}

fn applied(plan: &Arc<Plan>, records: &[Record]) -> Run {
    let mut run = Run::new(plan.clone());
    records.iter().for_each(|record| run.apply(record).expect("a recorded event"));
    run
}

/// A run back from its records, and a report on it.
fn recover(criterion: &mut Criterion) {
    let plan = plan(SITES, STEPS, false);
    let records = driven(&plan, IN_FLIGHT);
    let mut group = brief(criterion, "recover", plan.unit_count());
    group.bench_function("apply_883x30", |bencher| bencher.iter(|| applied(&plan, &records)));
    group.bench_function("fold_883x30", |bencher| bencher.iter(|| folded(&plan, &records)));
    group.bench_function("report_883x30", |bencher| {
        bencher.iter_batched(|| folded(&plan, &records), |fold| fold.report(i64::MAX / 2), BatchSize::LargeInput);
    });
    group.finish();
}

fn folded(plan: &Arc<Plan>, records: &[Record]) -> Fold {
    let mut fold = Fold::new(plan.clone());
    records.iter().for_each(|record| fold.push(record).expect("a recorded event"));
    fold
}

/// A page with every one of 100,000 sites.
fn page(criterion: &mut Criterion) {
    let plan = plan(100_000, 1, false);
    let report = folded(&plan, &driven(&plan, IN_FLIGHT)).report(200_001);
    let mut group = brief(criterion, "report_page", plan.site_count());
    group.bench_function("100000_sites", |bencher| bencher.iter(|| report::render_html(&report)));
    group.finish();
}

criterion_group!(deciding, decide, recover, page);
criterion_main!(deciding);
