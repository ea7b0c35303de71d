//! How fast sites come back: what a benchmark of restores measured, what follows from it, and how that is told.
//!
//! `data` is the answer as JSON, `cells` sums up repeats, `fit` is the mathematics, `scaling` what larger runs will take,
//! `limit` what holds a run back, `compare` what got slower. `text`, `table` and `page` (with `plot`) are for people.

mod cells;
mod compare;
mod data;
mod fit;
mod limit;
mod page;
mod parts;
mod plot;
mod scaling;
mod table;
mod text;

pub use cells::AS_WRITTEN;
pub use data::{
    Advice, BatchFigures, Cell, CellChange, CellFigures, Check, Comparison, Doubled, Limit, Middle, PoolSize,
    RunFigures, Scaling, ScalingPoint, Setup, Share, SizeForecast, THROUGHPUT_FORMAT, Throughput, Usl,
};
pub use fit::{fit, left_out};
pub use page::render_throughput_html;
pub use scaling::Growth;
pub use table::render_throughput_csv;
pub use text::render_throughput;

use crate::duration::grouped;
use crate::text::ms;

impl Throughput {
    /// Concludes from counted runs; `sizes` are the numbers of sites of which a forecast is wanted, the most important one
    /// first.
    #[must_use]
    pub fn conclude(setup: Setup, runs: Vec<RunFigures>, sizes: &[u32]) -> Self {
        let cells = cells::cells(&runs);
        let workers = runs.first().map_or(0, |run| run.cell.workers);
        let growth = scaling::growth(&cells, workers, setup.soak_s);
        let advice = growth.as_ref().zip(sizes.first()).and_then(|(growth, &sites)| growth.advice(sites, setup.rto_s));
        let mut forecasts = Vec::new();
        if let Some(growth) = &growth {
            let mut batches: Vec<u32> = growth.told(workers).points.iter().map(|point| point.batch).collect();
            batches.extend(advice.iter().map(|advice| advice.batch));
            batches.sort_unstable();
            batches.dedup();
            for &sites in sizes {
                forecasts.extend(batches.iter().map(|&batch| growth.forecast(sites, batch)));
            }
        }
        let mut throughput = Self {
            format: THROUGHPUT_FORMAT.to_owned(),
            headline: String::new(),
            scaling: growth.map(|growth| growth.told(workers)),
            limit: limit::limit(&cells),
            forecasts,
            advice,
            cells,
            setup,
            check: None,
            comparison: None,
            runs,
        };
        throughput.headline = throughput.conclusion();
        throughput
    }

    /// Holds the forecast against a run that was made for it.
    pub fn hold_against(&mut self, run: &RunFigures) {
        let of = |it: &&SizeForecast| (it.sites, it.batch) == (run.cell.sites, run.cell.batch);
        let Some(forecast) = self.forecasts.iter().find(of).cloned() else { return };
        let measured_s = run.time.makespan_s;
        let error = forecast.s / measured_s.max(1e-9) - 1.0;
        let sampled = self.runs.iter().filter(|run| run.cell.is_as_written());
        let (rows, sites) = sampled.fold((0, 0), |sum, run| (sum.0 + run.rows, sum.1 + run.cell.sites));
        #[expect(clippy::cast_precision_loss, reason = "rows of a lab")]
        let per_site = |rows: u64, sites: u32| rows as f64 / f64::from(sites.max(1));
        self.check = Some(Check {
            forecast,
            measured_s,
            error,
            lower_bound_s: run.time.lower_bound_s,
            rows_per_site: per_site(run.rows, run.cell.sites),
            sampled_rows_per_site: per_site(rows, sites),
        });
        self.headline = self.conclusion();
    }

    /// The conclusion in one sentence.
    fn conclusion(&self) -> String {
        let Some(advice) = &self.advice else {
            let fastest = self.cells.iter().max_by(|a, b| a.sites_per_hour.median.total_cmp(&b.sites_per_hour.median));
            return fastest.map_or_else(
                || "Nothing was measured.".to_owned(),
                |it| {
                    format!(
                        "Fastest: {}, {} sites/hour; limit: {}. Too few sizes were measured for a forecast.",
                        it.cell.words(),
                        whole(it.sites_per_hour.median),
                        self.limit.text
                    )
                },
            );
        };
        let forecast = &advice.forecast;
        let rto = match (advice.meets_rto, self.setup.rto_s) {
            (Some(true), Some(rto)) => format!(", within the {} that are wanted", ms(rto)),
            (Some(false), Some(rto)) => format!(", NOT surely within the {} that are wanted", ms(rto)),
            _ => String::new(),
        };
        let check = self.check.as_ref().map_or_else(String::new, |check| {
            format!(
                " A run of {} sites, forecast to take {}, then took {}.",
                grouped(u64::from(check.forecast.sites)),
                ms(check.forecast.s),
                ms(check.measured_s)
            )
        });
        format!(
            "Batches of {}, pools as written: {} sites/hour; {} sites take {} ± {:.0} %{rto}. Limit: {}.{check}",
            advice.batch,
            whole(forecast.sites_per_hour),
            grouped(u64::from(advice.sites)),
            ms(forecast.s),
            percent(forecast),
            self.limit.text,
        )
    }
}

/// Half of the interval of a forecast, in percent of it.
fn percent(forecast: &SizeForecast) -> f64 {
    ((forecast.high_s / forecast.s.max(1e-9) - 1.0) * 100.0).max(1.0)
}

/// A small figure with two digits that say something.
fn amount(value: f64) -> String {
    match value {
        v if v >= 10.0 => format!("{v:.0}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v if v >= 0.0005 => format!("{v:.4}"),
        _ => "0".to_owned(),
    }
}

/// A figure without its fraction, in groups.
fn whole(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive and small")]
    grouped(value.max(0.0).round() as u64)
}
