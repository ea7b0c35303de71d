//! The forecast of a plan before its first step.

use std::sync::Arc;

use engine::{BatchIx, Millis, Plan};

use crate::duration::seconds;
use crate::forecast::bottleneck::{Queue, bottleneck, queues, what_if};
use crate::forecast::drive::{Course, from_the_start};
use crate::forecast::model::Model;
use crate::forecast::outlook::{BatchOutlook, FORECAST_FORMAT, Forecast, Point, Spread};
use crate::forecast::path::{PathPart, critical_path};
use crate::forecast::stand_in::stand_in;
use crate::report::percentile;

/// Units that all drawings together may have, so that a forecast stays cheap.
const UNITS_AT_ONCE: u32 = 200_000;

/// Units of a plan up to which three changes are simulated; above, one.
const UNITS_FOR_CHANGES: u32 = 50_000;

/// Drawings at most, where nobody says how many.
const SEEDS: u32 = 9;

/// Points of the curve at most.
const CURVE: usize = 200;

/// How a forecast is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawings {
    /// Number of drawings; by default 9, fewer for large plans, at least one.
    pub seeds: Option<u32>,
    /// Seed of the first; the others follow it.
    pub first_seed: u64,
    /// Whether larger pools are simulated too.
    pub changes: bool,
}

/// One drawing, summed up.
struct Drawn {
    seed: u64,
    end: Millis,
    floor: Millis,
    path: Vec<PathPart>,
    queues: Vec<Queue>,
    batches: Vec<BatchOutlook>,
    curve: Vec<Point>,
    site_s: Spread,
}

/// Forecasts a plan: the engine itself, driven to the end in virtual time once a seed.
///
/// The same arguments give the same answer. `None` if the run would not end by itself.
///
/// `lower_bound_s` is a true lower bound for the drawn durations, the largest of:
/// - the longest way through the plan, where a unit starts no earlier than all that it needs has ended and its batch is
///   open, and a batch opens no earlier than the one before has settled, plus the soak; a batch settles no earlier than
///   the last end of its own steps, nor than its opening plus the work of its own units over slots (or starts beyond
///   the burst over rate), whichever instance of a pool gives most;
/// - for each instance of a pool, the earliest that any of its units could start, plus all its work over its slots, or
///   all its starts beyond the burst over its rate.
#[must_use]
pub fn forecast(plan: &Arc<Plan>, model: &Model, how: Drawings) -> Option<Forecast> {
    let (runs, assumed) = stand_in(plan);
    let seeds = how.seeds.unwrap_or_else(|| drawings_of(plan)).max(1);
    let mut drawn: Vec<Drawn> = Vec::new();
    for seed in (0..u64::from(seeds)).map(|ix| how.first_seed.wrapping_add(ix)) {
        drawn.push(sum_up(seed, from_the_start(&runs, model, seed))?);
    }
    drawn.sort_by_key(|drawn| (drawn.end, drawn.seed));
    let ends: Vec<i64> = drawn.iter().map(|drawn| drawn.end).collect();
    let of = |percent| percentile(&ends, percent).map_or(0.0, seconds);
    let (least, most) = (of(0), of(100));
    let median = drawn.swap_remove((drawn.len() - 1) / 2);
    let most_changes = match (how.changes, plan.unit_count() <= UNITS_FOR_CHANGES) {
        (false, _) => 0,
        (true, true) => usize::MAX,
        (true, false) => 1,
    };
    let what_if = what_if(&runs, model, median.seed, median.end, &median.queues, most_changes);
    let mut assumptions = [model.assumptions.clone(), assumed].concat();
    if seeds < how.seeds.unwrap_or(SEEDS) {
        assumptions.push(format!("the plan is large: {seeds} of {SEEDS} drawings"));
    }
    Some(Forecast {
        format: FORECAST_FORMAT,
        runbook: plan.spec().origin.runbook.clone(),
        plan: plan.hash().to_owned(),
        sites: plan.site_count(),
        units: plan.unit_count(),
        makespan_s: seconds(median.end),
        makespan_p90_s: of(90),
        makespan_min_s: least,
        makespan_max_s: most,
        lower_bound_s: seconds(median.floor),
        site_s: median.site_s,
        bottleneck: bottleneck(&median.queues, &what_if),
        pools: median.queues.into_iter().map(|queue| queue.outlook).collect(),
        critical_path: median.path,
        batches: median.batches,
        sites_returned: median.curve,
        what_if,
        assumptions,
        seeds,
        first_seed: how.first_seed,
    })
}

/// Drawings of a plan where nobody says how many.
pub(super) fn drawings_of(plan: &Plan) -> u32 {
    (UNITS_AT_ONCE / plan.unit_count().max(1)).clamp(1, SEEDS)
}

fn sum_up(seed: u64, mut course: Course) -> Option<Drawn> {
    if !course.ended {
        return None;
    }
    let path = critical_path(&mut course);
    let plan = course.run.plan().clone();
    let batches = course.trace.batches.iter().enumerate().map(|(ix, batch)| BatchOutlook {
        sites: u32::try_from(plan.batch_sites(BatchIx::from(ix)).len()).unwrap_or(u32::MAX),
        opens_s: batch.opened.map(|times| seconds(times.actual)),
        settles_s: batch.settled.map(|times| seconds(times.actual)),
    });
    let mut took: Vec<i64> = course
        .trace
        .back
        .iter()
        .filter_map(|&(at, site)| Some(at - course.trace.batches[plan.batch_of(site).ix()].opened?.actual))
        .collect();
    took.sort_unstable();
    Some(Drawn {
        seed,
        end: course.end,
        floor: lower_bound(&course),
        path,
        queues: queues(&course),
        batches: batches.collect(),
        curve: curve(&course),
        site_s: Spread { p50: percentile(&took, 50).map(seconds), p90: percentile(&took, 90).map(seconds) },
    })
}

/// Time below which no order of the units of a course can come, in milliseconds from its beginning.
pub(super) fn lower_bound(course: &Course) -> Millis {
    let rows = course.trace.pools.rows.iter().filter(|row| row.starts > 0);
    let pools = rows.map(|row| row.head.saturating_add(row.least(row.work, row.starts)));
    pools.fold(course.trace.floor, Millis::max) - course.trace.from
}

/// Sites that are back over time, thinned out evenly; the last point is the last site.
fn curve(course: &Course) -> Vec<Point> {
    let back = &course.trace.back;
    let points = back.len().min(CURVE);
    (1..=points)
        .map(|point| {
            let rank = point * back.len() / points;
            let (at, _) = back[rank - 1];
            Point { s: seconds(at - course.trace.from), sites: u32::try_from(rank).unwrap_or(u32::MAX) }
        })
        .collect()
}
