//! Which runs are made: every batch size with every size of the pools and every number of workers; fewer sites with pools as
//! written, for the curve; and each pool by itself with twice its slots.

use std::str::FromStr;

use report::{AS_WRITTEN, Cell};

/// How large all pools are in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PoolSetting {
    /// Slots of the runbook times this, at least 1.
    Times(f64),
    /// Slots of every instance of every pool that has slots.
    Slots(u32),
}

impl FromStr for PoolSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let why = "write x0.5 for half of what the runbook says, or 8 for 8 slots in every pool";
        match text.strip_prefix('x') {
            Some(factor) => match factor.parse::<f64>() {
                Ok(factor) if (0.01..=100.0).contains(&factor) => Ok(Self::Times(factor)),
                _ => Err(why.to_owned()),
            },
            None => match text.parse::<u32>() {
                Ok(slots) if (1..=10_000).contains(&slots) => Ok(Self::Slots(slots)),
                _ => Err(why.to_owned()),
            },
        }
    }
}

impl PoolSetting {
    /// The sizes of a run with these pools.
    fn cell(self, sites: u32, batch: u32, workers: u32) -> Cell {
        let (pools, factor, slots) = match self {
            Self::Times(1.0) => (AS_WRITTEN.to_owned(), Some(1.0), None),
            Self::Times(factor) => (format!("x{factor}"), Some(factor), None),
            Self::Slots(1) => ("1 slot each".to_owned(), None, Some(1)),
            Self::Slots(slots) => (format!("{slots} slots each"), None, Some(slots)),
        };
        Cell { sites, batch, pools, doubled: None, factor, slots, workers }
    }
}

/// What is asked for; sizes are above 0.
#[derive(Clone, Debug)]
pub(super) struct Sizes<'a> {
    pub(super) sites: &'a [u32],
    pub(super) batches: &'a [u32],
    pub(super) pools: &'a [PoolSetting],
    pub(super) workers: &'a [u32],
    /// Pools that are doubled by themselves.
    pub(super) doubled: &'a [String],
}

/// All cells, each once; pools as written are always among them, since all else is held against these.
pub(super) fn cells(of: &Sizes) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut add = |cell: Cell| {
        if !cells.contains(&cell) {
            cells.push(cell);
        }
    };
    let mut batches = of.batches.to_vec();
    batches.sort_unstable();
    let Some(&most) = of.sites.iter().max() else { return cells };
    let first = of.workers.first().copied().unwrap_or(0);
    let as_written = PoolSetting::Times(1.0);
    for &workers in of.workers {
        for &batch in batches.iter().filter(|batch| **batch <= most) {
            add(as_written.cell(most, batch, workers));
            of.pools.iter().for_each(|pools| add(pools.cell(most, batch, workers)));
        }
    }
    for &sites in of.sites.iter().filter(|sites| **sites < most) {
        for &batch in batches.iter().filter(|batch| **batch <= sites) {
            add(as_written.cell(sites, batch, first));
        }
    }
    if let Some(&batch) = batches.iter().rfind(|batch| **batch <= most) {
        for pool in of.doubled {
            let pools = format!("{pool} doubled");
            add(Cell { pools, doubled: Some(pool.clone()), factor: None, ..as_written.cell(most, batch, first) });
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_size_is_there_once_and_pools_as_written_always() {
        let pools = ["x2".parse().unwrap(), "x1".parse().unwrap(), "8".parse().unwrap()];
        let doubled = ["objects".to_owned()];
        let sizes = Sizes { sites: &[4, 8], batches: &[2, 8], pools: &pools, workers: &[0, 2], doubled: &doubled };
        let cells = cells(&sizes);
        // 2 numbers of workers x 2 batches x 3 pools, 4 sites in batches of 2, and one pool doubled.
        assert_eq!(cells.len(), 12 + 1 + 1);
        assert!(cells.iter().filter(|cell| cell.is_as_written()).any(|cell| (cell.sites, cell.batch) == (4, 2)));
        let doubled: Vec<_> = cells.iter().filter(|cell| cell.doubled.is_some()).collect();
        assert_eq!((doubled.len(), doubled[0].sites, doubled[0].batch), (1, 8, 8));
        for wrong in ["x0", "0", "half", "x", "xNaN"] {
            assert!(wrong.parse::<PoolSetting>().is_err(), "{wrong}");
        }
    }
}
