//! How the time of a run grows with sites and batches, and what that says of larger runs.

use crate::duration::grouped;
use crate::text::ms;
use crate::throughput::data::{Advice, CellFigures, Scaling, ScalingPoint, SizeForecast};
use crate::throughput::fit::{dot, fit, left_out, rms, without_each};

/// Sets of features that are tried, simple ones first.
const TRIED: [&[&str]; 5] =
    [&["site"], &["batch", "site"], &["run", "batch"], &["run", "batch", "site"], &["run", "batch", "site", "crowd"]];

/// A model with more features must be that much better where it was not shown the answer.
const BETTER: f64 = 0.9;

/// Batch sizes that are considered beside those measured.
const ROUND: [u32; 14] = [1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500];

/// A model with what it was made from, so that it can say how sure it is.
#[derive(Clone, Debug)]
pub struct Growth {
    features: &'static [&'static str],
    coefficients: Vec<f64>,
    rows: Vec<Vec<f64>>,
    values: Vec<f64>,
    soak_s: f64,
    error: Option<f64>,
    sizes: Vec<(u32, u32, f64)>,
    spread: Option<f64>,
}

impl Growth {
    /// Fits a model to the times of runs, each `(sites, batch, seconds)`; `soak_s` is the wait between batches, which is known
    /// and not fitted. `None` with fewer than 2 different sizes.
    #[must_use]
    pub fn of(runs: &[(u32, u32, f64)], soak_s: f64) -> Option<Self> {
        if runs.len() < 2 {
            return None;
        }
        let values: Vec<f64> =
            runs.iter().map(|&(sites, batch, s)| (s - soaks(sites, batch, soak_s)).max(1e-3)).collect();
        let mut best: Option<Self> = None;
        for features in TRIED {
            let rows: Vec<Vec<f64>> = runs.iter().map(|&(sites, batch, _)| row(features, sites, batch)).collect();
            let Some(coefficients) = fit(&rows, &values) else { continue };
            // Of the whole time, soaks and all, of which the forecast speaks.
            let whole = |errors: Vec<f64>| -> Vec<f64> {
                errors.iter().zip(runs).zip(&values).map(|((error, run), value)| error * value / run.2).collect()
            };
            let error = left_out(&rows, &values).map(|errors| rms(&whole(errors)));
            let better = match (&best, error) {
                (None, _) => true,
                (Some(found), Some(error)) => found.error.is_none_or(|before| error < before * BETTER),
                (Some(_), None) => false,
            };
            if better {
                let (values, sizes) = (values.clone(), runs.to_vec());
                best = Some(Self { features, coefficients, rows, values, soak_s, error, sizes, spread: None });
            }
        }
        best
    }

    /// Notes how far repeats are apart, as a share of their time: other samples and other minutes give other times.
    #[must_use]
    pub fn with_spread(self, spread: Option<f64>) -> Self {
        Self { spread, ..self }
    }

    /// Time of a run in seconds.
    #[must_use]
    pub fn time(&self, sites: u32, batch: u32) -> f64 {
        soaks(sites, batch, self.soak_s) + dot(&row(self.features, sites, batch), &self.coefficients)
    }

    /// The typical relative error where the model was not shown the answer.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        self.error
    }

    /// Time of a run with the interval that holds about 95 of 100: twice the error, the spread of repeats, and how much the
    /// model hangs on any one of the cells that it was made from, together.
    #[must_use]
    pub fn forecast(&self, sites: u32, batch: u32) -> SizeForecast {
        let s = self.time(sites, batch);
        let said = without_each(&self.rows, &self.values, &row(self.features, sites, batch));
        #[expect(clippy::cast_precision_loss, reason = "a number of cells")]
        let number = said.len() as f64;
        let mean = said.iter().sum::<f64>() / number.max(1.0);
        let jackknife =
            (said.iter().map(|one| (one - mean).powi(2)).sum::<f64>() * (number - 1.0) / number.max(1.0)).sqrt();
        let spread = self.spread.unwrap_or(0.0);
        let half =
            2.0 * (self.error.unwrap_or(0.5).powi(2) + spread.powi(2) + (jackknife / s.max(1e-9)).powi(2)).sqrt();
        SizeForecast {
            sites,
            batch,
            s,
            low_s: s * (1.0 - half).max(0.0),
            high_s: s * (1.0 + half),
            sites_per_hour: f64::from(sites) * 3600.0 / s.max(1e-9),
        }
    }

    /// The model as data.
    #[must_use]
    pub fn told(&self, workers: u32) -> Scaling {
        let of = |name: &str| {
            self.features.iter().position(|feature| *feature == name).map_or(0.0, |ix| self.coefficients[ix])
        };
        let (run_s, batch_s, site_s, crowd_s) = (of("run"), of("batch"), of("site"), of("crowd"));
        let mut parts = Vec::new();
        for (s, of) in [(run_s, "run"), (batch_s, "batch"), (site_s, "site"), (crowd_s, "pair of sites of a batch")] {
            if s > 0.0 {
                parts.push(format!("{} a {of}", short(s)));
            }
        }
        if self.soak_s > 0.0 {
            parts.push(format!("{} of the runbook's own wait between batches", short(self.soak_s)));
        }
        let points = self.sizes.iter().map(|&(sites, batch, measured_s)| ScalingPoint {
            sites,
            batch,
            measured_s,
            model_s: self.time(sites, batch),
        });
        Scaling {
            formula: parts.join(" + "),
            run_s,
            batch_s,
            site_s,
            crowd_s,
            features: self.features.iter().map(|&feature| feature.to_owned()).collect(),
            error: self.error,
            spread: self.spread,
            workers,
            points: points.collect(),
        }
    }

    /// The smallest batch size that meets a wanted time by the upper end of its interval; without one, the smallest that is
    /// within a tenth of the fastest. A small batch is what little harm needs, so that no larger one is chosen than that.
    #[must_use]
    pub fn advice(&self, sites: u32, rto_s: Option<f64>) -> Option<Advice> {
        let (least, most) = (self.sizes.iter().map(|size| size.1).min()?, self.sizes.iter().map(|size| size.1).max()?);
        // Nothing is said of sizes beyond those that were measured.
        let measured = self.sizes.iter().map(|size| size.1);
        let mut sizes: Vec<u32> =
            ROUND.into_iter().filter(|size| (least..=most).contains(size)).chain(measured).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let all: Vec<SizeForecast> = sizes.iter().map(|&batch| self.forecast(sites, batch)).collect();
        let fastest = all.iter().min_by(|a, b| a.s.total_cmp(&b.s))?.clone();
        let (chosen, meets_rto, why) = match rto_s {
            Some(rto) => match all.iter().find(|one| one.high_s <= rto) {
                Some(one) => (
                    one.clone(),
                    Some(true),
                    format!(
                        "the smallest batch of those measured ({least} to {most} sites) with which {} sites are back within {}, with its margin",
                        grouped(u64::from(sites)),
                        ms(rto)
                    ),
                ),
                None => (
                    fastest.clone(),
                    Some(false),
                    format!(
                        "no batch of those measured ({least} to {most} sites) brings {} sites back within {} for sure; this is the fastest",
                        grouped(u64::from(sites)),
                        ms(rto)
                    ),
                ),
            },
            None => {
                let one = all.iter().find(|one| one.s <= fastest.s * 1.1).unwrap_or(&fastest).clone();
                (
                    one,
                    None,
                    format!(
                        "the smallest batch within a tenth of the fastest of those measured ({least} to {most} sites)"
                    ),
                )
            }
        };
        Some(Advice { sites, batch: chosen.batch, meets_rto, forecast: chosen, why })
    }
}

/// The model of the cells whose pools are as written, with so many workers.
pub(super) fn growth(cells: &[CellFigures], workers: u32, soak_s: f64) -> Option<Growth> {
    let of = || cells.iter().filter(|it| it.cell.is_as_written() && it.cell.workers == workers);
    let apart =
        of().filter(|it| it.runs > 1).map(|it| (it.makespan_s.max - it.makespan_s.min) / 2.0 / it.makespan_s.median);
    let apart: Vec<f64> = apart.collect();
    #[expect(clippy::cast_precision_loss, reason = "a number of cells")]
    let spread = (!apart.is_empty()).then(|| apart.iter().sum::<f64>() / apart.len() as f64);
    let sizes: Vec<_> =
        of().map(|it| (it.cell.sites, it.cell.batch.min(it.cell.sites), it.makespan_s.median)).collect();
    Some(Growth::of(&sizes, soak_s)?.with_spread(spread))
}

fn soaks(sites: u32, batch: u32, soak_s: f64) -> f64 {
    f64::from(sites.div_ceil(batch.max(1)).saturating_sub(1)) * soak_s
}

fn row(features: &[&str], sites: u32, batch: u32) -> Vec<f64> {
    let batch = batch.clamp(1, sites.max(1));
    let (full, rest) = (f64::from(sites / batch), f64::from(sites % batch));
    let of = |feature: &&str| match *feature {
        "run" => 1.0,
        "batch" => f64::from(sites.div_ceil(batch)),
        "site" => f64::from(sites),
        _ => full * f64::from(batch).powi(2) + rest * rest,
    };
    features.iter().map(of).collect()
}

/// Seconds in words, down to microseconds.
pub(super) fn short(s: f64) -> String {
    match s {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.2} s"),
        s => ms(s),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn runs(time: impl Fn(f64, f64, f64) -> f64) -> Vec<(u32, u32, f64)> {
        let sizes = [(15, 5), (30, 5), (30, 15), (60, 5), (60, 15), (60, 30), (120, 30)];
        let of = |(sites, batch): (u32, u32)| {
            let batches = f64::from(sites.div_ceil(batch));
            (sites, batch, time(batches, f64::from(sites), f64::from(batch)) + (batches - 1.0) * 0.5)
        };
        sizes.map(of).to_vec()
    }

    #[test]
    fn a_forecast_is_what_the_law_says_that_made_the_times() {
        let growth = Growth::of(&runs(|batches, sites, _| 1.5 + 0.8 * batches + 0.04 * sites), 0.5).unwrap();
        let forecast = growth.forecast(883, 30);
        let truth = 1.5 + 0.8 * 30.0 + 0.04 * 883.0 + 29.0 * 0.5;
        assert!((forecast.s / truth - 1.0).abs() < 1e-6, "{forecast:?} for {truth}");
        assert!(forecast.low_s <= forecast.s && forecast.s <= forecast.high_s);
        assert!(growth.error().unwrap() < 1e-6);
        let told = growth.told(0);
        assert!((told.batch_s - 0.8).abs() < 1e-6 && told.crowd_s == 0.0, "{told:?}");
        assert_eq!(told.features, ["run", "batch", "site"], "the simpler of two that fit alike");
    }

    #[test]
    fn crowded_batches_show() {
        let crowded = runs(|batches, sites, batch| 1.0 + 0.5 * batches + 0.05 * sites + 0.002 * sites * batch);
        let told = Growth::of(&crowded, 0.5).unwrap().told(0);
        assert!((told.crowd_s / 0.002 - 1.0).abs() < 0.01, "{told:?}");
    }

    #[test]
    fn noise_widens_the_interval_and_does_not_leave_it() {
        let mut turn = 0;
        let noisy = runs(|batches, sites, _| 1.5 + 0.8 * batches + 0.04 * sites);
        let noisy: Vec<_> = noisy
            .into_iter()
            .map(|(sites, batch, s)| {
                turn += 1;
                (sites, batch, s * if turn % 2 == 0 { 1.05 } else { 0.95 })
            })
            .collect();
        let forecast = Growth::of(&noisy, 0.5).unwrap().forecast(883, 30);
        let truth = 1.5 + 0.8 * 30.0 + 0.04 * 883.0 + 29.0 * 0.5;
        assert!(forecast.low_s < truth && truth < forecast.high_s, "{forecast:?} for {truth}");
        assert!(forecast.high_s / forecast.s > 1.05, "{forecast:?}");
    }

    #[test]
    fn the_smallest_batch_that_is_fast_enough_is_chosen() {
        let growth = Growth::of(&runs(|batches, sites, _| 1.0 + 2.0 * batches + 0.01 * sites), 0.5).unwrap();
        let within = |rto| growth.advice(883, Some(rto)).unwrap();
        let loose = within(400.0);
        assert_eq!((loose.batch, loose.meets_rto), (10, Some(true)), "{loose:?}");
        assert_eq!(within(1e6).batch, 5);
        let never = within(1.0);
        assert_eq!((never.batch, never.meets_rto), (30, Some(false)));
        assert_eq!(growth.advice(883, None).unwrap().meets_rto, None);
        assert!(Growth::of(&[(5, 5, 1.0)], 0.0).is_none());
    }
}
