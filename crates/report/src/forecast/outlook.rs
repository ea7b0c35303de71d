//! A forecast as data: what the commands print and programs read.

use serde::Serialize;

use crate::forecast::path::PathPart;

/// Format of the JSON, in its field `format`.
pub const FORECAST_FORMAT: &str = "reinstate-forecast/1";

/// What a plan would take, before its first step. Times are seconds from the run's opening; details are those of the
/// drawing with the median makespan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// [`FORECAST_FORMAT`].
    pub format: &'static str,
    /// `name:` of the runbook.
    pub runbook: String,
    /// Hash of the plan, hexadecimal.
    pub plan: String,
    /// Sites.
    pub sites: u32,
    /// Units known at plan time.
    pub units: u32,
    /// Time to the end of the run, median over the seeds.
    pub makespan_s: f64,
    /// The same, 90th percentile.
    pub makespan_p90_s: f64,
    /// The same, shortest drawing.
    pub makespan_min_s: f64,
    /// The same, longest drawing.
    pub makespan_max_s: f64,
    /// Time below which no order of the same units with the same durations can come.
    pub lower_bound_s: f64,
    /// Time of a site from the opening of its batch to its return: median and 90th percentile.
    pub site_s: Spread,
    /// The pool whose enlargement helps most; `null` if no unit waits for a pool.
    pub bottleneck: Option<Bottleneck>,
    /// Pools in the runbook's order.
    pub pools: Vec<PoolOutlook>,
    /// What the end waited for, step by step; the times add up to the makespan.
    pub critical_path: Vec<PathPart>,
    /// Batches in order.
    pub batches: Vec<BatchOutlook>,
    /// Sites that are back as a function of time, at most 200 points.
    pub sites_returned: Vec<Point>,
    /// Changes that were simulated as well, with the same drawings.
    pub what_if: Vec<WhatIf>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// Number of drawings.
    pub seeds: u32,
    /// Seed of the first; the others follow it.
    pub first_seed: u64,
}

/// Median and 90th percentile in seconds; `null` without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
}

/// The pool that holds the run back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// The pool.
    pub pool: String,
    /// Key of its instance that most was waited for; `null` for a pool of one instance.
    pub key: Option<String>,
    /// What enlarging it would save; `null` if that was not simulated.
    pub saves_s: Option<f64>,
}

/// Use of a pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolOutlook {
    /// The pool.
    pub pool: String,
    /// Slots of each instance; `null` without a limit.
    pub slots: Option<u32>,
    /// Instances.
    pub instances: u32,
    /// Units that were ready and waited for it.
    pub waits: u64,
    /// Sum of their waiting times.
    pub waiting_s: f64,
    /// The same for the instance that most was waited for.
    pub longest_waiting_s: f64,
    /// Share of slots in use, 0 to 1, of the busiest instance over the whole time; `null` without slots.
    pub utilisation: Option<f64>,
}

/// When a batch opens and settles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BatchOutlook {
    /// Sites.
    pub sites: u32,
    /// When it opens.
    pub opens_s: Option<f64>,
    /// When it settles.
    pub settles_s: Option<f64>,
}

/// Sites that are back at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The time.
    pub s: f64,
    /// Sites.
    pub sites: u32,
}

/// A change and what it would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// The change in words: `pool shard_writes with 8 slots`.
    pub change: String,
    /// The pool that is changed.
    pub pool: String,
    /// Makespan with it.
    pub makespan_s: f64,
    /// What it saves; negative if it takes longer.
    pub saves_s: f64,
}
