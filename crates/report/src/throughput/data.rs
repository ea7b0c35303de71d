//! What a benchmark of restores found, as data: the JSON that it writes and that a later one compares itself with.
//!
//! Field names are stable; [`THROUGHPUT_FORMAT`] changes when one is removed or changes its meaning. Lengths of time are
//! seconds as decimals, shares 0 to 1. `null` means not known, never zero.

use serde::{Deserialize, Serialize};

use crate::forecast::{Account, Spent};

/// Format of the JSON, in its field `format`.
pub const THROUGHPUT_FORMAT: &str = "reinstate-throughput/1";

/// Everything that was measured and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// [`THROUGHPUT_FORMAT`].
    pub format: String,
    /// The conclusion in one sentence.
    pub headline: String,
    /// What was measured, where and how.
    pub setup: Setup,
    /// One row for each set of sizes, in the order in which they were asked for.
    pub cells: Vec<CellFigures>,
    /// How the time of a run grows with its sites and batches, pools as the runbook has them; `null` with too few cells.
    pub scaling: Option<Scaling>,
    /// How long larger runs will take, for each batch size.
    pub forecasts: Vec<SizeForecast>,
    /// The batch size to choose; `null` without a model.
    pub advice: Option<Advice>,
    /// What holds a run back, by measurement.
    pub limit: Limit,
    /// A run that was made to hold the forecast against.
    pub check: Option<Check>,
    /// Held against an earlier measurement.
    pub comparison: Option<Comparison>,
    /// Every counted run.
    pub runs: Vec<RunFigures>,
}

/// What was measured, where and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// When it began, RFC 3339.
    pub at: String,
    /// Version of the program, with how it was built.
    pub made_by: String,
    /// Processor cores.
    pub cores: usize,
    /// What the lab's shards are: `sqlite` or `postgres`.
    pub backend: String,
    /// Name of the runbook.
    pub runbook: String,
    /// Sites of the lab.
    pub lab_sites: u32,
    /// Of those, deleted: from these the samples are drawn.
    pub deleted: u32,
    /// Shards of the lab.
    pub shards: u32,
    /// Rows asked of the lab beyond its sites' own.
    pub lab_rows: u64,
    /// Seed of the lab and of the samples.
    pub seed: u64,
    /// Counted runs of each cell.
    pub repeats: u32,
    /// Wait between a settled batch and the next, as the runbook has it.
    pub soak_s: f64,
    /// Pools as the runbook has them.
    pub pools: Vec<PoolSize>,
    /// Recovery time that is wanted.
    pub rto_s: Option<f64>,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolSize {
    /// Name.
    pub name: String,
    /// Slots of each instance; `null` without a limit.
    pub slots: Option<u32>,
    /// Instances.
    pub instances: u32,
}

/// One set of sizes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Sites of the run.
    pub sites: u32,
    /// Sites of each batch; the last may have fewer.
    pub batch: u32,
    /// Sizes of the pools in words: `as written`, `x0.5`, `8 slots each`, `objects doubled`.
    pub pools: String,
    /// The pool that has twice its slots while all others are as written.
    pub doubled: Option<String>,
    /// What slots were multiplied by; `null` if they were set.
    pub factor: Option<f64>,
    /// What slots of every pool were set to.
    pub slots: Option<u32>,
    /// Worker processes; 0 if the driver itself executes.
    pub workers: u32,
}

/// A counted run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Its sizes.
    pub cell: Cell,
    /// Which of the repeats, from 1.
    pub repeat: u32,
    /// Sites that returned: all of them, or there is no row.
    pub returned: u32,
    /// Whether the lab was compared with the truth afterwards, row for row; every run is validated by its own steps.
    pub compared: bool,
    /// Sites an hour over the whole run.
    pub sites_per_hour: f64,
    /// Rows put back into product databases.
    pub rows: u64,
    /// The same a second.
    pub rows_per_s: f64,
    /// Bytes of attachments put back.
    pub bytes: u64,
    /// The same, in millions a second.
    pub mb_per_s: f64,
    /// Share of all cores that was busy, whoever used it; `null` where the system does not say.
    pub cpu: Option<f64>,
    /// Of that, this process: driver, connectors and the lab's services, but for servers and workers.
    pub own_cpu: Option<f64>,
    /// Commits of the journal.
    pub commits: u64,
    /// Time in which the journal was being written.
    pub journal_s: f64,
    /// Where the time went.
    pub time: Account,
    /// Each batch.
    pub batches: Vec<BatchFigures>,
}

/// A batch of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchFigures {
    /// From 1.
    pub number: u32,
    /// Its sites.
    pub sites: u32,
    /// From its opening until every site of it had ended.
    pub wall_s: f64,
    /// Rows put back.
    pub rows: u64,
    /// Bytes of attachments put back.
    pub bytes: u64,
}

/// Median, least and largest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Middle {
    /// Median.
    pub median: f64,
    /// Least.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// What the repeats of a cell have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellFigures {
    /// Its sizes.
    pub cell: Cell,
    /// Counted runs.
    pub runs: u32,
    /// Time of a run.
    pub makespan_s: Middle,
    /// Sites an hour of a run.
    pub sites_per_hour: Middle,
    /// Rows a second of a run.
    pub rows_per_s: Middle,
    /// Millions of bytes of attachments a second of a run.
    pub mb_per_s: Middle,
    /// Time of a batch of full size, over all runs.
    pub batch_s: Middle,
    /// Sites an hour within such a batch.
    pub batch_sites_per_hour: Middle,
    /// Rows a second within such a batch.
    pub batch_rows_per_s: Middle,
    /// Millions of bytes a second within such a batch.
    pub batch_mb_per_s: Middle,
    /// How far the run of median length was above its lower bound.
    pub above_bound: f64,
    /// Share of all cores that was busy, whoever used it, median.
    pub cpu: Option<f64>,
    /// Of that, this process.
    pub own_cpu: Option<f64>,
    /// Where the time of a run went, mean of the runs; the parts add up to the mean makespan, largest first.
    pub time: Vec<Share>,
}

/// A part of the time of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// What it went to.
    pub spent: Spent,
    /// The pool, where a pool is the reason.
    pub pool: Option<String>,
    /// Seconds of the run's time.
    pub s: f64,
    /// Of the makespan.
    pub share: f64,
}

/// The model: `run + batch * batches + site * sites + crowd * (sum over batches of the square of their sites)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The model in words with its figures.
    pub formula: String,
    /// Seconds once a run.
    pub run_s: f64,
    /// Seconds for each batch.
    pub batch_s: f64,
    /// Seconds for each site.
    pub site_s: f64,
    /// Seconds for each pair of sites of a batch: above 0, batches get slower out of proportion.
    pub crowd_s: f64,
    /// Features that the model has, of the four above.
    pub features: Vec<String>,
    /// Typical relative error (root mean square) where the model was not shown the cell that it is asked for; `null` with
    /// fewer than 2 cells.
    pub error: Option<f64>,
    /// How far repeats of a size are from their median, half of their range over it, mean of the sizes: each repeat has another
    /// sample. `null` without repeats.
    pub spread: Option<f64>,
    /// Worker processes of the runs that it was made from.
    pub workers: u32,
    /// Cells it was made from, with what it says of each.
    pub points: Vec<ScalingPoint>,
}

/// A cell beside the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingPoint {
    /// Sites of the run.
    pub sites: u32,
    /// Sites of each batch.
    pub batch: u32,
    /// Median time that was measured.
    pub measured_s: f64,
    /// What the model says.
    pub model_s: f64,
}

/// How long a larger run will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeForecast {
    /// Sites.
    pub sites: u32,
    /// Sites of each batch.
    pub batch: u32,
    /// Time of the run.
    pub s: f64,
    /// Lower end of the interval that holds about 95 of 100.
    pub low_s: f64,
    /// Its upper end.
    pub high_s: f64,
    /// Sites an hour.
    pub sites_per_hour: f64,
}

/// The batch size to choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Sites that are to be restored.
    pub sites: u32,
    /// The batch size.
    pub batch: u32,
    /// Whether the wanted recovery time is met, by the upper end of the interval; `null` if none was given.
    pub meets_rto: Option<bool>,
    /// The forecast with it.
    pub forecast: SizeForecast,
    /// Why this one, in words.
    pub why: String,
}

/// What holds a run back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The pool that helps most when it is larger; `null` if none does.
    pub pool: Option<String>,
    /// In words.
    pub text: String,
    /// Each pool with twice its slots, all else as written.
    pub doubled: Vec<Doubled>,
    /// Throughput over the size of all pools together; `null` with fewer than 3 sizes.
    pub usl: Option<Usl>,
}

/// A pool that was doubled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubled {
    /// The pool.
    pub pool: String,
    /// Sites an hour with it, median.
    pub sites_per_hour: f64,
    /// Against the same sizes with all pools as written: 0.1 is 10 % faster.
    pub gain: f64,
    /// Elasticity: 1 if throughput grows as the pool does, 0 if not at all.
    pub elasticity: f64,
    /// Whether the gain is more than repeats differ among themselves.
    pub beyond_spread: bool,
}

/// Gunther's universal scalability law, `X(p) = gain * p / (1 + wait * (p - 1) + talk * p * (p - 1))`, over the size of
/// the pools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usl {
    /// Sites an hour at the smallest size.
    pub gain: f64,
    /// Contention: the share that takes turns.
    pub wait: f64,
    /// Coherence: what being many costs.
    pub talk: f64,
    /// Sizes, as multiples of the smallest, with sites an hour that were measured and that the law gives.
    pub points: Vec<(f64, f64, f64)>,
}

/// A run that was made to hold the forecast against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The forecast, made before.
    pub forecast: SizeForecast,
    /// What the run took.
    pub measured_s: f64,
    /// The forecast over it, less one.
    pub error: f64,
    /// Its own lower bound.
    pub lower_bound_s: f64,
    /// Rows of a site of it, mean.
    pub rows_per_site: f64,
    /// Rows of a site of the runs that the forecast was made from, mean: larger sites than those of the run make a forecast
    /// too long.
    pub sampled_rows_per_site: f64,
}

/// Held against an earlier measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// When the earlier one began.
    pub earlier: String,
    /// What is not the same in both, in words: differences may come from there.
    pub differs: Vec<String>,
    /// Cells that are in both.
    pub cells: Vec<CellChange>,
    /// Of those, slower than the spread of repeats allows.
    pub slower: u32,
}

/// A cell in two measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellChange {
    /// Its sizes.
    pub cell: Cell,
    /// Median time before.
    pub before_s: f64,
    /// Median time now.
    pub now_s: f64,
    /// Now over before, less one: 0.1 is 10 % slower.
    pub change: f64,
    /// Change up to which nothing is said: repeats differ by as much.
    pub allowed: f64,
    /// Whether it is slower than that.
    pub slower: bool,
    /// Whether it is faster by more than that.
    pub faster: bool,
}
