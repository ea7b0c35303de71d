//! A week of history: whether it makes what is done in a store slower, and whether giving runs up keeps the store as it is.

use std::collections::BTreeMap;

use serde::Serialize;
use store::StatementGauge;

use super::{Ageing, STEPS, median};
use crate::failure::Failure;

const DAYS: u64 = 7;

/// Days after which runs are given up in the second week.
const KEPT_DAYS: usize = 2;

/// Sites of a run that is history, at most.
const SITES: u64 = 10_000;

/// Runs of which the median is taken.
const REPEATS: usize = 5;

/// A statement that took less than this part of the time is not told of.
const SHARE: f64 = 0.01;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryFigures {
    /// Units of the first week.
    pub(crate) units: u64,
    pub(crate) steps_per_s: Phases,
    /// What the store took after each day of a week in which all is kept.
    pub(crate) bytes: Vec<u64>,
    /// The same, of a week in which runs are given up when they are two days old.
    pub(crate) bytes_kept_short: Vec<u64>,
    /// Those that took a noticeable part of the time; `None` if the store does not tell.
    pub(crate) statements: Option<Vec<Statement>>,
}

/// One figure without history, with a week of it, and when that is given up.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Phases {
    pub(crate) before: f64,
    pub(crate) with: f64,
    pub(crate) after: f64,
}

/// What a statement took in microseconds, on the average.
#[derive(Debug, Serialize)]
pub(crate) struct Statement {
    pub(crate) text: String,
    /// In one phase.
    pub(crate) calls: u64,
    pub(crate) us: Phases,
}

/// Of each statement its calls and milliseconds, if the store tells.
type Asked = Option<BTreeMap<String, (u64, f64)>>;

/// Steps a second, and what was asked meanwhile.
struct Measured {
    rate: f64,
    asked: Asked,
}

impl Ageing<'_> {
    /// Has two weeks of so many units each pass.
    pub(super) async fn aged(&mut self, units: u64, tell: &impl Fn(&str)) -> Result<HistoryFigures, Failure> {
        let before = self.repeat().await?;
        tell(&format!("without history: {:.0} steps/s", before.rate));
        let (mut bytes, mut bytes_kept_short) = (Vec::new(), Vec::new());
        let mut done = 0;
        for day in 1..=DAYS {
            done += self.day(units / DAYS).await?.0;
            bytes.push(self.bytes().await?);
            tell(&format!("day {day}: {done} units, {} bytes", self.bytes().await?));
        }
        let with = self.repeat().await?;
        tell(&format!("with a week of history: {:.0} steps/s", with.rate));
        self.keep(0).await?;
        let after = self.repeat().await?;
        tell(&format!("when it is given up: {:.0} steps/s", after.rate));
        let mut runs = Vec::new();
        for day in 1..=DAYS {
            runs.push(self.day(units / DAYS).await?.1);
            self.keep(runs.iter().rev().take(KEPT_DAYS).sum()).await?;
            bytes_kept_short.push(self.bytes().await?);
            tell(&format!("day {day} of those that are kept for two: {} bytes", self.bytes().await?));
        }
        let steps_per_s = Phases { before: before.rate, with: with.rate, after: after.rate };
        let statements = match [before, with, after].map(|measured| measured.asked) {
            [Some(before), Some(with), Some(after)] => Some(compare([before, with, after])),
            _ => None,
        };
        Ok(HistoryFigures { units: done, steps_per_s, bytes, bytes_kept_short, statements })
    }

    /// Does a day's units; returns how many, and in how many runs.
    async fn day(&mut self, units: u64) -> Result<(u64, usize), Failure> {
        let (mut sites, mut runs) = (units.div_ceil(STEPS.into()), 0);
        let all = sites;
        while sites > 0 {
            let some = sites.min(SITES);
            self.run(u32::try_from(some).unwrap_or(u32::MAX), None).await?;
            (sites, runs) = (sites - some, runs + 1);
        }
        Ok((all * u64::from(STEPS), runs))
    }

    /// Does the runs that are measured, and gives them up.
    async fn repeat(&mut self) -> Result<Measured, Failure> {
        let kept = self.kept.len();
        let begun = self.asked().await?;
        let mut rates = Vec::new();
        for _ in 0..REPEATS {
            rates.push(self.measured().await?);
        }
        let mut asked = self.asked().await?;
        for (text, (calls, total_ms)) in asked.iter_mut().flatten() {
            let (calls_before, ms_before) =
                begun.as_ref().and_then(|begun| begun.get(text)).copied().unwrap_or_default();
            *calls = calls.saturating_sub(calls_before);
            *total_ms -= ms_before;
        }
        // The newest ones go.
        let history: Vec<String> = self.kept.drain(..kept).collect();
        self.keep(0).await?;
        self.kept.extend(history);
        Ok(Measured { rate: median(rates).unwrap_or_default(), asked })
    }

    async fn bytes(&self) -> Result<u64, Failure> {
        Ok(self.address.gauge().await?.iter().map(|table| table.bytes).sum())
    }

    async fn asked(&self) -> Result<Asked, Failure> {
        let by_text = |one: StatementGauge| (one.text, (one.calls, one.total_ms));
        Ok(self.address.statements().await?.map(|all| all.into_iter().map(by_text).collect()))
    }
}

/// Statements that took a noticeable part of the time in some phase, the greatest first.
fn compare([before, with, after]: [BTreeMap<String, (u64, f64)>; 3]) -> Vec<Statement> {
    let total: f64 = with.values().map(|(_, ms)| ms).sum();
    let mut told: Vec<(f64, Statement)> = Vec::new();
    for (text, (calls, ms)) in &with {
        if *ms < SHARE * total || *calls == 0 {
            continue;
        }
        let mean = |of: &BTreeMap<String, (u64, f64)>| match of.get(text) {
            Some((calls, ms)) if *calls > 0 => ms * 1e3 / *calls as f64,
            _ => 0.0,
        };
        let us = Phases { before: mean(&before), with: mean(&with), after: mean(&after) };
        told.push((*ms, Statement { text: text.clone(), calls: *calls, us }));
    }
    told.sort_by(|(ms, _), (other, _)| other.total_cmp(ms));
    told.into_iter().map(|(_, statement)| statement).collect()
}
