//! The forecast of the rest of a run that is under way.

use engine::{Millis, NodeIx, Run, Status};
use serde::Serialize;

use crate::duration::{seconds, stamp};
use crate::fold::Fold;
use crate::forecast::ahead::lower_bound;
use crate::forecast::bottleneck::{bottleneck, queues};
use crate::forecast::drive::from_here;
use crate::forecast::model::Model;
use crate::report::percentile;

/// Drawings at most, and units that all of them together may have.
const SEEDS: u32 = 9;
const UNITS_AT_ONCE: u32 = 200_000;

/// Rest of a run, from what it has shown so far: an estimate with its spread, not a promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rest {
    /// Rest in seconds that one in ten drawings stays below.
    pub p10_s: f64,
    /// Rest in seconds, median.
    pub p50_s: f64,
    /// Rest in seconds that nine in ten drawings stay below.
    pub p90_s: f64,
    /// End at `p10_s`.
    pub p10: String,
    /// End at `p50_s`.
    pub p50: String,
    /// End at `p90_s`.
    pub p90: String,
    /// Rest in seconds below which nothing can come with the durations of the median.
    pub lower_bound_s: f64,
    /// The pool that is waited for most from here on.
    pub bottleneck: Option<String>,
    /// Units still to be done, as far as they are known.
    pub units_left: u64,
    /// Successful attempts that it rests on.
    pub measured: u64,
    /// Number of drawings.
    pub seeds: u32,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
}

/// Forecasts the rest of a run as of a time: the engine goes on from the run as it stands, once a seed.
///
/// `None` if the run is over, stands still or is ending, or if nothing at all is known of how long its steps take.
pub(crate) fn rest(fold: &Fold, now: Millis) -> Option<Rest> {
    let run = fold.run();
    if run.status() != Status::Running {
        return None;
    }
    let model = Model::so_far(fold);
    if !model.is_grounded() {
        return None;
    }
    let units_left = units_left(run);
    let left = u32::try_from(units_left).unwrap_or(u32::MAX);
    let seeds = (UNITS_AT_ONCE / left.max(1)).clamp(1, SEEDS);
    let now = now.max(run.now());
    let mut drawn = Vec::new();
    for seed in 1..=u64::from(seeds) {
        let course = from_here(run, now, &model, seed);
        if !course.ended {
            return None;
        }
        let worst = bottleneck(&queues(&course), &[]).map(|found| found.pool);
        drawn.push((course.end - now, lower_bound(&course), worst));
    }
    drawn.sort();
    let ends: Vec<i64> = drawn.iter().map(|&(end, ..)| end).collect();
    let of = |percent| percentile(&ends, percent).unwrap_or(0);
    let at = |percent| stamp(now.saturating_add(of(percent)));
    let (_, floor, worst) = drawn.swap_remove((drawn.len() - 1) / 2);
    let mut assumptions = model.assumptions.clone();
    if seeds < SEEDS {
        assumptions.push(format!("much is left: {seeds} of {SEEDS} drawings"));
    }
    Some(Rest {
        p10_s: seconds(of(10)),
        p50_s: seconds(of(50)),
        p90_s: seconds(of(90)),
        p10: at(10),
        p50: at(50),
        p90: at(90),
        lower_bound_s: seconds(floor),
        bottleneck: worst,
        units_left,
        measured: model.measured,
        seeds,
        assumptions,
    })
}

/// Units of nodes that are not settled.
fn units_left(run: &Run) -> u64 {
    let nodes = (0..run.plan().node_count()).map(NodeIx).filter(|&node| !run.node_state(node).is_settled());
    nodes
        .map(|node| {
            let units = run.units_of(node).map(engine::UnitIx);
            units.filter(|&unit| run.unit_state(unit).is_some_and(|state| !state.is_settled())).count() as u64
        })
        .sum()
}
