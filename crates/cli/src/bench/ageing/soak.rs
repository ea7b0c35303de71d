//! Run after run, of which only the newest stay: what each table takes meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use store::TableGauge;

use super::{Ageing, NOT_KNOWN, STEPS, median};
use crate::failure::Failure;

/// Runs that stay.
const NEWEST: usize = 2;

/// How many times in all it is looked at what tables take.
const LOOKS: u32 = 60;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct SoakFigures {
    pub(crate) runs: u64,
    pub(crate) steps: u64,
    pub(crate) wall_s: f64,
    /// Steps a second, the median of each quarter of the time in which a run ended.
    pub(crate) steps_per_s: [Option<f64>; 4],
    pub(crate) tables: Vec<TableSoak>,
}

/// What a table took at most in each quarter of the time, as far as it was looked at and the store tells.
#[derive(Debug, Default, Serialize)]
pub(crate) struct TableSoak {
    pub(crate) name: String,
    pub(crate) bytes: [Option<u64>; 4],
    pub(crate) dead: [Option<u64>; 4],
}

impl Ageing<'_> {
    /// Does run after run for so long.
    pub(super) async fn soaked(&mut self, lasts: Duration, tell: &impl Fn(&str)) -> Result<SoakFigures, Failure> {
        let begun = Instant::now();
        let mut rates: [Vec<f64>; 4] = Default::default();
        let mut tables: BTreeMap<String, TableSoak> = BTreeMap::new();
        let (mut looks, mut runs) = (0, 0);
        loop {
            let rate = self.measured().await?;
            self.keep(NEWEST).await?;
            runs += 1;
            let passed = begun.elapsed();
            let quarter = (4.0 * passed.as_secs_f64() / lasts.as_secs_f64()).min(3.0) as usize;
            rates[quarter].push(rate);
            if passed >= lasts * looks / LOOKS {
                looks += 1;
                let gauge = self.address.gauge().await?;
                let bytes: u64 = gauge.iter().map(|table| table.bytes).sum();
                let dead = gauge.iter().map(|table| table.dead).sum::<Option<u64>>();
                let dead = dead.map_or_else(|| NOT_KNOWN.to_owned(), |dead| dead.to_string());
                tell(&format!("{:>6} s: {rate:.0} steps/s, {bytes} bytes, dead rows: {dead}", passed.as_secs()));
                gauge.into_iter().for_each(|table| note(&mut tables, quarter, table));
            }
            if passed >= lasts {
                break;
            }
        }
        let steps = runs * u64::from(STEPS) * u64::from(self.sites);
        let wall_s = begun.elapsed().as_secs_f64();
        let tables = tables.into_values().collect();
        Ok(SoakFigures { runs, steps, wall_s, steps_per_s: rates.map(median), tables })
    }
}

fn note(tables: &mut BTreeMap<String, TableSoak>, quarter: usize, found: TableGauge) {
    let table = tables.entry(found.name.clone()).or_default();
    table.name = found.name;
    table.bytes[quarter] = table.bytes[quarter].max(Some(found.bytes));
    table.dead[quarter] = table.dead[quarter].max(found.dead);
}
