//! What a record costs does not grow with the run: processor time per record, at two sizes a factor ten apart.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::cast_possible_truncation)]

mod support;

use std::sync::Arc;

use engine::{Event, Mode, Plan, Record, SiteEnd, SiteIx, UnitIx};
use reinstate_report::Fold;
use support::*;

/// Folds a run of `noop`-like steps over many sites: open, then per unit a start and an end; says how many records that were.
fn fold(sites: usize) -> u64 {
    let mut spec = spec(&ids(sites), 8);
    spec.steps.truncate(3);
    spec.steps[2].pools.clear();
    spec.steps[1].needs.clear();
    spec.batches.ends = vec![sites as u32];
    spec.batches.max_failures = vec![0];
    let plan: Arc<Plan> = Plan::new(spec).unwrap();
    let mut fold = Fold::new(plan.clone());
    let mut at = T0;
    let mut records = 0_u64;
    let mut push = |fold: &mut Fold, event: Event| {
        at += 1;
        records += 1;
        fold.push(&Record { at, event }).unwrap();
    };
    push(&mut fold, Event::Opened { actor: "mia".into(), plan: plan.hash().into() });
    push(&mut fold, Event::Adopted { epoch: 1, holder: "driver".into() });
    push(&mut fold, Event::BatchOpened { batch: engine::BatchIx(0) });
    let units = plan.unit_count();
    for unit in (0..units).map(UnitIx) {
        push(&mut fold, Event::Started { unit, attempt: 1, mode: Mode::Apply });
        push(&mut fold, Event::Succeeded { unit, outputs: None });
    }
    for site in (0..plan.site_count()).map(SiteIx) {
        push(&mut fold, Event::SiteEnded { site, end: SiteEnd::Returned });
    }
    assert_eq!(fold.run().tally().returned as usize, sites);
    assert_eq!(fold.step_times().iter().map(|times| times.durations.len()).sum::<u64>(), u64::from(units));
    records
}

#[test]
fn a_million_records_fold_at_a_flat_cost() {
    // The process's own processor time, not the wall's: a busy machine does not change it.
    let cost = |sites: usize| {
        let start = processor_ticks();
        let records = fold(sites);
        (processor_ticks() - start, records)
    };
    let (small_ticks, small) = cost(20_000);
    let (large_ticks, large) = cost(200_000);
    assert!(large > 1_000_000, "{large} records");
    // A tick is 10 ms; one of slack for the small side.
    let small_each = (small_ticks + 1) as f64 / small as f64;
    let large_each = large_ticks as f64 / large as f64;
    assert!(large_each <= small_each * 3.0, "{large_each} ticks a record against {small_each}");
}

/// Processor time of this process in ticks of the system (user and system).
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}
