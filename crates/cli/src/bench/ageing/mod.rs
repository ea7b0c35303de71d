//! Runs that come and go in a store, and what it costs after many of them. It answers: does a store that is used for weeks stay
//! as small and as fast as a new one?

mod history;
mod soak;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use engine::Millis;
use runtime::{Clock, Pruning, Store, SystemClock};
use server::holder;

use crate::args::StoreAddress;
use crate::bench::engine_load::{drive, plan};
use crate::bench::workers::Workers;
use crate::failure::Failure;

pub(crate) use text::{history_text, soak_text};

/// A store, the runs that a measurement has left in it, oldest first, and who executes what is measured.
pub(crate) struct Ageing<'a> {
    address: &'a StoreAddress,
    store: Arc<dyn Store>,
    sites: u32,
    workers: Option<Workers>,
    kept: VecDeque<String>,
    count: u64,
}

impl<'a> Ageing<'a> {
    /// Opens the store and starts workers, if any are asked for.
    pub(crate) async fn begin(address: &'a StoreAddress, sites: u32, workers: u32) -> Result<Self, Failure> {
        let store = address.open().await?;
        let workers = match workers {
            0 => None,
            count => Some(Workers::start(address, &*store, count).await?),
        };
        Ok(Self { address, store, sites, workers, kept: VecDeque::new(), count: 0 })
    }

    /// Does a run that is measured; returns its steps a second.
    async fn measured(&mut self) -> Result<f64, Failure> {
        self.run(self.sites, self.workers.is_some()).await
    }

    /// Does a run of so many sites; returns its steps a second.
    async fn run(&mut self, sites: u32, sends: bool) -> Result<f64, Failure> {
        let plan = plan(sites, sends)?;
        let now = SystemClock.now();
        let name = format!("bench-{now}-{}", self.count);
        self.count += 1;
        runtime::open(&*self.store, &name, &plan, now).await?;
        self.kept.push_back(name.clone());
        let begun = Instant::now();
        drive(&self.store, &name, sends).await?;
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

/// The middle one; of two the greater one. 0 if there is none.
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}
