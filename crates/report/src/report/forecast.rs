//! How long the rest may take: plain arithmetic on what was measured, with a range.

use engine::{Millis, Run, Status};

use crate::duration::{seconds, stamp};
use crate::fold::Fold;
use crate::report::rows::{Forecast, UnitTally};

/// Successful attempts below which nothing is said.
const LEAST_MEASURED: u64 = 20;

/// Forecasts the rest of a run that is under way.
///
/// Two estimates: the work that is left at the mean time of each step, done as many at a time as so far; and the sites
/// that are left at the rate at which sites have ended so far. The range goes from 0.8 of the lower to 1.5 of the
/// higher, not below what the slots of the tightest pool need, plus the soaks to come. Steps without a measurement
/// count with the upper end of `expect`, else with the mean of all steps.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn forecast(fold: &Fold, now: Millis, steps: &[UnitTally]) -> Option<Forecast> {
    let (run, plan) = (fold.run(), fold.plan());
    if run.status() != Status::Running {
        return None;
    }
    let measured: u64 = fold.steps.iter().map(|times| times.durations.len()).sum();
    let busy: f64 = fold.steps.iter().map(|times| times.busy_ms as f64).sum();
    let worked = (fold.since_opening(now) - fold.paused_until(now) - fold.down_ms) as f64;
    if measured < LEAST_MEASURED || worked <= 0.0 || busy <= 0.0 {
        return None;
    }
    let total: u64 = fold.steps.iter().map(|times| times.durations.sum()).sum();
    let mean_of_all = total as f64 / measured as f64;
    let mut units_left = 0;
    let mut work_left = 0.0;
    let mut tightest: f64 = 0.0;
    let mut of_pools = vec![0.0; plan.spec().pools.len()];
    for ((step, times), units) in plan.steps().zip(&fold.steps).zip(steps) {
        let left = units.total - units.settled();
        let expected = plan.step(step).expect_ms.1;
        let mean = match times.durations.mean() {
            Some(mean) => mean as f64,
            None if expected > 0 => expected as f64,
            None => mean_of_all,
        };
        units_left += left;
        work_left += left as f64 * mean;
        for held in &plan.step(step).pools {
            of_pools[held.pool.ix()] += left as f64 * mean * f64::from(held.slots);
        }
    }
    for (pool, work) in plan.spec().pools.iter().zip(&of_pools) {
        let instances = pool.per.map_or(1, |per| plan.key_count(per).max(1));
        if let Some(slots) = pool.slots {
            tightest = tightest.max(work / f64::from(slots) / f64::from(instances));
        }
    }
    let at_once = (busy / worked).max(0.1);
    let by_work = work_left / at_once;
    let by_sites = by_rate(run, worked).unwrap_or(by_work);
    let soaks = soaks_left(run, now) as f64;
    let low = (0.8 * by_work.min(by_sites)).max(tightest) + soaks;
    let high = (1.5 * by_work.max(by_sites)).max(low) + soaks;
    let (low, high) = (whole(low), whole(high));
    Some(Forecast {
        low_s: seconds(low),
        high_s: seconds(high),
        low: stamp(now.saturating_add(low)),
        high: stamp(now.saturating_add(high)),
        units_left,
        measured,
    })
}

/// Rest by the rate of sites; `None` before the first site has ended.
fn by_rate(run: &Run, worked: f64) -> Option<f64> {
    let tally = run.tally();
    let left = tally.waiting + tally.restoring;
    let ended = run.plan().site_count() - left;
    (ended > 0).then(|| worked / f64::from(ended) * f64::from(left))
}

/// Soaks of the batches that are not open yet, in milliseconds; the one under way counts with its rest.
fn soaks_left(run: &Run, now: Millis) -> i64 {
    let plan = run.plan();
    let unopened = (1..plan.batch_count())
        .filter(|&batch| run.batch_times(engine::BatchIx::from(batch as usize)).0.is_none())
        .count();
    let soak = i64::try_from(plan.spec().batches.soak_ms).unwrap_or(i64::MAX);
    let all = soak.saturating_mul(i64::try_from(unopened).unwrap_or(i64::MAX));
    let settled = (0..plan.batch_count()).filter_map(|batch| run.batch_times(engine::BatchIx::from(batch as usize)).1);
    let open = (0..plan.batch_count()).any(|batch| {
        let (opened, settled) = run.batch_times(engine::BatchIx::from(batch as usize));
        opened.is_some() && settled.is_none()
    });
    match settled.max() {
        Some(last) if !open && unopened > 0 => all.saturating_sub(now.saturating_sub(last).clamp(0, soak)),
        _ => all,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and an estimate has no fractions of a millisecond")]
fn whole(ms: f64) -> i64 {
    ms as i64
}
