//! What holds a run back, by measurement: a pool was made larger, and the run was faster or it was not.

use crate::forecast::Spent;
use crate::throughput::data::{CellFigures, Doubled, Limit, Usl};
use crate::throughput::fit::fit;

/// A gain below this is none, however well repeats agree.
const LEAST: f64 = 0.03;

/// The same where there are no repeats to agree.
const LEAST_ALONE: f64 = 0.10;

/// Busy cores above which the machine is said to be what holds a run back.
const BUSY: f64 = 0.8;

/// Judges cells in which one pool was doubled against those of the same sizes as written.
pub(super) fn limit(cells: &[CellFigures]) -> Limit {
    let doubled: Vec<Doubled> = cells.iter().filter_map(|it| doubled(it, cells)).collect();
    let best = doubled.iter().filter(|one| one.beyond_spread).max_by(|a, b| a.gain.total_cmp(&b.gain));
    let reference = cells.iter().filter(|it| it.cell.is_as_written()).max_by_key(|it| (it.cell.sites, it.cell.batch));
    let text = match best {
        Some(one) => format!("pool {}: with twice its slots a run is {:.0} % faster", one.pool, one.gain * 100.0),
        None => without(reference, doubled.is_empty()),
    };
    Limit { pool: best.map(|one| one.pool.clone()), text, usl: usl(cells), doubled }
}

fn doubled(it: &CellFigures, cells: &[CellFigures]) -> Option<Doubled> {
    let pool = it.cell.doubled.clone()?;
    let alike = |other: &&CellFigures| {
        (other.cell.sites, other.cell.batch, other.cell.workers) == (it.cell.sites, it.cell.batch, it.cell.workers)
            && other.cell.is_as_written()
    };
    let base = cells.iter().find(alike)?;
    let ratio = it.sites_per_hour.median / base.sites_per_hour.median.max(1e-9);
    let apart = it.sites_per_hour.min > base.sites_per_hour.max;
    let least = if it.runs.min(base.runs) > 1 { LEAST } else { LEAST_ALONE };
    Some(Doubled {
        pool,
        sites_per_hour: it.sites_per_hour.median,
        gain: ratio - 1.0,
        elasticity: ratio.log2(),
        beyond_spread: apart && ratio - 1.0 > least,
    })
}

/// What to say when no pool helps.
fn without(reference: Option<&CellFigures>, unmeasured: bool) -> String {
    let Some(it) = reference else { return "not known: no run had its pools as written".to_owned() };
    let waited = it.time.iter().find(|part| part.spent == Spent::Pool);
    if unmeasured {
        let most = waited.and_then(|part| Some((part.pool.as_deref()?, part.share)));
        return match most {
            Some((pool, share)) => format!(
                "not measured, as no pool was doubled; pool {pool} was waited for in {:.0} % of the time",
                share * 100.0
            ),
            None => "not measured, as no pool was doubled; no pool was waited for".to_owned(),
        };
    }
    let work = it.time.iter().find(|part| part.spent == Spent::Connector).map_or(0.0, |part| part.share);
    match it.cpu {
        Some(cpu) if cpu >= BUSY => {
            let own =
                it.own_cpu.map_or_else(String::new, |own| format!(" ({:.0} % by the benchmark itself)", own * 100.0));
            format!("the cores of this machine, {:.0} % busy{own}; no pool helps with twice its slots", cpu * 100.0)
        }
        _ => format!(
            "steps that follow one another, {:.0} % of the time; no pool helps with twice its slots",
            work * 100.0
        ),
    }
}

/// The law over sizes of all pools together, for the largest run that has at least three sizes of one kind.
fn usl(cells: &[CellFigures]) -> Option<Usl> {
    let plain: Vec<&CellFigures> = cells.iter().filter(|it| it.cell.doubled.is_none()).collect();
    let key = |it: &CellFigures| (it.cell.sites, it.cell.batch, it.cell.slots.is_some(), it.cell.workers);
    let mut keys: Vec<_> = plain.iter().map(|it| key(it)).collect();
    keys.sort_unstable_by_key(|&(sites, batch, set, workers)| (sites, batch, !set, std::cmp::Reverse(workers)));
    keys.dedup();
    keys.into_iter().rev().find_map(|wanted| {
        let of = plain.iter().filter(|it| key(it) == wanted);
        let mut sizes: Vec<(f64, f64)> = of
            .filter_map(|it| Some((it.cell.slots.map(f64::from).or(it.cell.factor)?, it.sites_per_hour.median)))
            .collect();
        sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = sizes.first().filter(|size| size.0 > 0.0 && sizes.len() >= 3)?.0;
        law(&sizes.iter().map(|(size, rate)| (size / least, *rate)).collect::<Vec<_>>())
    })
}

/// Fits the law: `p / X` is linear in what it is made of.
fn law(sizes: &[(f64, f64)]) -> Option<Usl> {
    let rows: Vec<Vec<f64>> = sizes.iter().map(|&(p, _)| vec![1.0, p - 1.0, p * (p - 1.0)]).collect();
    let values: Vec<f64> = sizes.iter().map(|&(p, rate)| p / rate.max(1e-9)).collect();
    let found = fit(&rows, &values)?;
    let (gain, wait, talk) = (1.0 / found[0], found[1] / found[0], found[2] / found[0]);
    let said = |p: f64| gain * p / (1.0 + wait * (p - 1.0) + talk * p * (p - 1.0));
    let points = sizes.iter().map(|&(p, rate)| (p, rate, said(p))).collect();
    (gain.is_finite() && wait.is_finite() && talk.is_finite()).then_some(Usl { gain, wait, talk, points })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_law_is_found_again() {
        let made = |p: f64| 900.0 * p / (1.0 + 0.2 * (p - 1.0) + 0.01 * p * (p - 1.0));
        let found = law(&[1.0, 2.0, 4.0, 8.0].map(|p| (p, made(p)))).unwrap();
        assert!((found.gain / 900.0 - 1.0).abs() < 1e-6, "{found:?}");
        assert!((found.wait - 0.2).abs() < 1e-6 && (found.talk - 0.01).abs() < 1e-6, "{found:?}");
        assert!(found.points.iter().all(|(_, rate, said)| (rate / said - 1.0).abs() < 1e-6));
    }
}
