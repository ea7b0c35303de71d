//! Runs that come and go in a store, and what it costs after many of them. It answers: does a store that is used for weeks stay
//! as small and as fast as a new one?

mod history;
mod soak;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Millis, Record, Run};
use runtime::{Clock, Pruning, Store, SystemClock};
use server::holder;
use tokio_util::sync::CancellationToken;

use self::history::HistoryFigures;
use self::soak::SoakFigures;
use super::runs::{drive, give_up};
use super::workers::{Workers, own_label};
use super::workload::{STEPS, plan};
use crate::args::StoreAddress;
use crate::failure::Failure;

pub(crate) use text::{history_text, soak_text};

/// What is said of a figure that nobody could tell.
const NOT_KNOWN: &str = "not known";

/// A store, the runs that a measurement has left in it, oldest first, and who executes what is measured.
pub(crate) struct Ageing<'a> {
    address: &'a StoreAddress,
    store: Arc<dyn Store>,
    sites: u32,
    workers: Option<Workers>,
    kept: VecDeque<String>,
    count: u64,
    stop: CancellationToken,
}

impl<'a> Ageing<'a> {
    /// Opens the store and starts workers, if any are asked for. `stop` ends the measurement.
    pub(crate) async fn begin(
        address: &'a StoreAddress,
        (sites, workers): (u32, u32),
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let store = address.open().await?;
        let workers = match workers {
            0 => None,
            count => Some(Workers::start(address, &*store, (count, own_label()), &stop).await?),
        };
        Ok(Self { address, store, sites, workers, kept: VecDeque::new(), count: 0, stop })
    }

    /// Does run after run for so long.
    pub(crate) async fn soak(mut self, lasts: Duration, tell: &impl Fn(&str)) -> Result<SoakFigures, Failure> {
        let measured = self.soaked(lasts, tell).await;
        self.end(measured).await
    }

    /// Has two weeks of so many units each pass.
    pub(crate) async fn history(mut self, units: u64, tell: &impl Fn(&str)) -> Result<HistoryFigures, Failure> {
        let measured = self.aged(units, tell).await;
        self.end(measured).await
    }

    /// Leaves nothing of the measurement in the store, however it went.
    async fn end<T>(mut self, measured: Result<T, Failure>) -> Result<T, Failure> {
        let mut ended = give_up(&*self.store, self.kept.make_contiguous()).await;
        if let Some(workers) = self.workers {
            ended = ended.and(workers.end(&*self.store).await);
        }
        // Why it went wrong is what is told, rather than what came of it.
        let figures = measured?;
        ended.map(|()| figures)
    }

    /// Does a run that is measured; returns its steps a second.
    async fn measured(&mut self) -> Result<f64, Failure> {
        let label = self.workers.as_ref().map(|workers| workers.label().to_owned());
        self.run(self.sites, label.as_deref()).await
    }

    /// Does a run of so many sites; returns its steps a second.
    async fn run(&mut self, sites: u32, label: Option<&str>) -> Result<f64, Failure> {
        let plan = plan(sites, STEPS, label)?;
        let now = SystemClock.now();
        let name = format!("bench-{now}-{}", self.count);
        self.count += 1;
        self.kept.push_back(name.clone());
        runtime::open(&*self.store, &name, &plan, now).await?;
        let begun = Instant::now();
        drive(&self.store, &name, label.is_some(), &mut |_: &Run, _: &[Record]| {}, &self.stop).await?;
        Ok(f64::from(plan.unit_count()) / begun.elapsed().as_secs_f64())
    }

    /// Gives up all runs of the measurement but the newest so many, and frees what they took.
    async fn keep(&mut self, newest: usize) -> Result<(), Failure> {
        let pruning = Pruning::of(&*self.store, SystemClock.now(), Millis::MAX).await?;
        while self.kept.len() > newest {
            let Some(run) = self.kept.front() else { break };
            if let Some(why) = pruning.prune(run, &holder()).await? {
                let fact = format!("{run} cannot be given up: {why}");
                return Err(Failure::input("bench-kept", fact, "give it up by `reinstate runs prune`"));
            }
            self.kept.pop_front();
        }
        runtime::free_all(&*self.store).await?;
        Ok(())
    }
}

/// The middle one; of two the greater one.
fn median(mut of: Vec<f64>) -> Option<f64> {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied()
}
