//! Two measurements beside each other: what got slower by more than repeats differ among themselves.

use crate::throughput::data::{CellChange, CellFigures, Comparison, Setup, Throughput};

/// A change up to this is nobody's regression.
const LEAST: f64 = 0.05;

/// The same where one side has a single run, whose spread nobody knows.
const LEAST_ALONE: f64 = 0.15;

impl Throughput {
    /// Holds this measurement against an earlier one.
    ///
    /// A cell is slower if its fastest run of now took longer than the slowest of before, and its median more than 5 % longer
    /// (15 % where either has one run only).
    #[must_use]
    pub fn compare(&self, earlier: &Throughput) -> Comparison {
        let pair = |now: &CellFigures| {
            let before = earlier.cells.iter().find(|before| before.cell == now.cell)?;
            Some(change(before, now))
        };
        let cells: Vec<CellChange> = self.cells.iter().filter_map(pair).collect();
        Comparison {
            earlier: earlier.setup.at.clone(),
            differs: differs(&earlier.setup, &self.setup),
            slower: u32::try_from(cells.iter().filter(|cell| cell.slower).count()).unwrap_or(u32::MAX),
            cells,
        }
    }
}

fn change(before: &CellFigures, now: &CellFigures) -> CellChange {
    let (old, new) = (before.makespan_s, now.makespan_s);
    let base = old.median.max(1e-9);
    let alone = before.runs.min(now.runs) < 2;
    let least = if alone { LEAST_ALONE } else { LEAST };
    // The ranges do not touch exactly if the medians are further apart than the halves that face each other.
    let allowed = |faced: f64| (faced / base).max(least);
    let (slower_by, faster_by) =
        (allowed(old.max - old.median + new.median - new.min), allowed(old.median - old.min + new.max - new.median));
    let change = new.median / base - 1.0;
    CellChange {
        cell: now.cell.clone(),
        before_s: old.median,
        now_s: new.median,
        change,
        allowed: if change >= 0.0 { slower_by } else { faster_by },
        slower: change > slower_by,
        faster: -change > faster_by,
    }
}

/// What is not the same, so that a difference may come from there.
fn differs(before: &Setup, now: &Setup) -> Vec<String> {
    let mut told = Vec::new();
    let mut hold = |what: &str, before: String, now: String| {
        if before != now {
            told.push(format!("{what}: {before} before, {now} now"));
        }
    };
    hold("backend", before.backend.clone(), now.backend.clone());
    hold("runbook", before.runbook.clone(), now.runbook.clone());
    hold("program", before.made_by.clone(), now.made_by.clone());
    hold("cores", before.cores.to_string(), now.cores.to_string());
    hold("sites of the lab", before.lab_sites.to_string(), now.lab_sites.to_string());
    hold("deleted sites", before.deleted.to_string(), now.deleted.to_string());
    hold("shards", before.shards.to_string(), now.shards.to_string());
    hold("rows of the lab", before.lab_rows.to_string(), now.lab_rows.to_string());
    hold("seed", before.seed.to_string(), now.seed.to_string());
    let pools = |setup: &Setup| {
        let of = setup.pools.iter().map(|pool| {
            let slots = pool.slots.map_or_else(|| "no limit".to_owned(), |slots| slots.to_string());
            format!("{} {slots}", pool.name)
        });
        of.collect::<Vec<_>>().join(", ")
    };
    hold("pools", pools(before), pools(now));
    told
}
