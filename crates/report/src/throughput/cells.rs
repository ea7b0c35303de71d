//! From runs to cells: medians and spreads, and where the time went.

use std::collections::BTreeMap;

use crate::forecast::Spent;
use crate::throughput::data::{BatchFigures, Cell, CellFigures, Middle, RunFigures, Share};

/// Pools as the runbook has them.
pub const AS_WRITTEN: &str = "as written";

impl Cell {
    /// Whether the pools are as the runbook has them.
    #[must_use]
    pub fn is_as_written(&self) -> bool {
        self.doubled.is_none() && self.factor == Some(1.0)
    }

    /// Number of batches.
    #[must_use]
    pub fn batches(&self) -> u32 {
        self.sites.div_ceil(self.batch.max(1))
    }

    /// Workers in words, after something else; nothing without any.
    pub(super) fn workers_words(&self) -> String {
        match self.workers {
            0 => String::new(),
            1 => ", 1 worker".to_owned(),
            many => format!(", {many} workers"),
        }
    }

    /// The sizes in words.
    #[must_use]
    pub fn words(&self) -> String {
        let workers = self.workers_words();
        format!("{} sites in batches of {}, pools {}{workers}", self.sites, self.batch, self.pools)
    }
}

/// Median, least and largest; zeros of nothing.
pub(super) fn middle(values: impl IntoIterator<Item = f64>) -> Middle {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (Some(&min), Some(&max)) = (values.first(), values.last()) else { return Middle::default() };
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    Middle { median: f64::midpoint(low, high), min, max }
}

/// The cells of runs, in the order in which they first come.
pub(super) fn cells(runs: &[RunFigures]) -> Vec<CellFigures> {
    let mut groups: Vec<Vec<&RunFigures>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| group[0].cell == run.cell) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups.iter().map(|group| cell(group)).collect()
}

fn cell(runs: &[&RunFigures]) -> CellFigures {
    let of = |value: &dyn Fn(&RunFigures) -> f64| middle(runs.iter().map(|run| value(run)));
    let cell = runs[0].cell.clone();
    let full = cell.batch.min(cell.sites);
    let batches: Vec<&BatchFigures> =
        runs.iter().flat_map(|run| &run.batches).filter(|batch| batch.sites == full && batch.wall_s > 0.0).collect();
    let of_batch = |value: &dyn Fn(&BatchFigures) -> f64| middle(batches.iter().map(|batch| value(batch)));
    let share = |of: fn(&RunFigures) -> Option<f64>| {
        let all: Vec<f64> = runs.iter().filter_map(|run| of(run)).collect();
        (!all.is_empty()).then(|| middle(all).median)
    };
    #[expect(clippy::cast_precision_loss, reason = "rows and bytes of a run are far below 2^53")]
    let per_s = |amount: u64, batch: &BatchFigures| amount as f64 / batch.wall_s;
    CellFigures {
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        makespan_s: of(&|run| run.time.makespan_s),
        sites_per_hour: of(&|run| run.sites_per_hour),
        rows_per_s: of(&|run| run.rows_per_s),
        mb_per_s: of(&|run| run.mb_per_s),
        batch_s: of_batch(&|batch| batch.wall_s),
        batch_sites_per_hour: of_batch(&|batch| f64::from(batch.sites) * 3600.0 / batch.wall_s),
        batch_rows_per_s: of_batch(&|batch| per_s(batch.rows, batch)),
        batch_mb_per_s: of_batch(&|batch| per_s(batch.bytes, batch) / 1e6),
        above_bound: of(&|run| run.time.makespan_s / run.time.lower_bound_s.max(1e-3) - 1.0).median,
        cpu: share(|run| run.cpu),
        own_cpu: share(|run| run.own_cpu),
        time: time(runs),
        cell,
    }
}

/// Where the time went, mean of the runs: steps together, pools each by itself.
fn time(runs: &[&RunFigures]) -> Vec<Share> {
    let mut sums: BTreeMap<(Spent, Option<String>), f64> = BTreeMap::new();
    for part in runs.iter().flat_map(|run| &run.time.chain) {
        let pool = (part.spent == Spent::Pool).then(|| part.name.clone());
        *sums.entry((part.spent, pool)).or_default() += part.s;
    }
    let all: f64 = runs.iter().map(|run| run.time.makespan_s).sum();
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    let number = runs.len() as f64;
    let shares =
        sums.into_iter().map(|((spent, pool), s)| Share { spent, pool, s: s / number, share: s / all.max(1e-9) });
    let mut shares: Vec<Share> = shares.collect();
    shares.sort_by(|a, b| b.s.total_cmp(&a.s));
    shares
}
