//! All runs in turn: one that does not count, then every cell once a round, so that what drifts hits all alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{Plan, Scope};
use report::{Cell, PoolSize, RunFigures, Setup, Throughput};
use runtime::{Clock, SystemClock};
use server::Stop;

use super::matrix::{PoolSetting, Sizes, cells};
use super::measure::measure;
use super::sized::{others, sample, sized};
use super::world::World;
use crate::args::{FindingFormat, Planned};
use crate::bench::workers::own_label;
use crate::failure::Failure;
use crate::files;
use crate::planning::{self, Findings};

/// The runbook that users copy is the one that is measured.
const BOOK: &str = include_str!("../../../../../runbooks/restoration-2.yaml");

/// What is measured.
pub(crate) struct RestoreBench {
    pub(crate) backend: lab::Backend,
    /// A runbook for the lab instead of the shipped one.
    pub(crate) runbook: Option<PathBuf>,
    pub(crate) sites: Vec<u32>,
    pub(crate) batches: Vec<u32>,
    pub(crate) pools: Vec<PoolSetting>,
    pub(crate) workers: Vec<u32>,
    /// Pools that are doubled in turn; all without names.
    pub(crate) double: Option<Vec<String>>,
    pub(crate) repeats: u32,
    /// Sites for which a forecast is made, the most important number first.
    pub(crate) forecast: Vec<u32>,
    /// Sites that are restored to hold the forecast against.
    pub(crate) check: Option<u32>,
    /// A report to compare with.
    pub(crate) earlier: Option<Throughput>,
    pub(crate) rto_s: Option<f64>,
    pub(crate) lab_sites: u32,
    pub(crate) deleted: u32,
    pub(crate) shards: u32,
    pub(crate) rows: u64,
    pub(crate) seed: u64,
}

struct Series<'a> {
    dir: &'a Path,
    world: World,
    bench: &'a RestoreBench,
    planned: Planned,
    inputs: BTreeMap<String, String>,
    /// Every deleted site.
    whole: Arc<Plan>,
    stop: Stop,
}

/// Builds a lab in `dir` and measures; `None` if it was stopped. `tell` hears what goes on.
pub(crate) async fn measure_restores(
    dir: &Path,
    bench: &RestoreBench,
    stop: Stop,
    tell: &dyn Fn(&str),
) -> Result<Option<Throughput>, Failure> {
    let at = report::stamp(SystemClock.now());
    tell(&format!(
        "building a lab of {} sites on {} shards, {} of them deleted",
        bench.lab_sites, bench.shards, bench.deleted
    ));
    let build = lab::BuildOptions {
        sites: bench.lab_sites as usize,
        shards: bench.shards as usize,
        backend: bench.backend,
        rows: bench.rows,
        seed: bench.seed,
        ..Default::default()
    };
    let making = World::make(dir, &build, bench.deleted);
    let world = tokio::select! {
        made = making => made?,
        () = stop.cleanly.cancelled() => {
            let lab = dir.join("lab");
            lab::halt(&lab).await.map_err(|error| crate::commands::lab_trouble(error.code(), &error))?;
            return Ok(None);
        }
    };
    let mut series = Series::new(dir, world, bench, stop)?;
    let measured = series.all(at, tell).await;
    let halted = lab::halt(&series.world.lab).await;
    halted.map_err(|error| crate::commands::lab_trouble(error.code(), &error))?;
    measured
}

impl<'a> Series<'a> {
    fn new(dir: &'a Path, world: World, bench: &'a RestoreBench, stop: Stop) -> Result<Self, Failure> {
        let runbook = match &bench.runbook {
            Some(path) => path.clone(),
            None => {
                let path = dir.join("restoration-2.yaml");
                files::write(&path, BOOK.as_bytes())?;
                path
            }
        };
        let planned = Planned {
            runbook,
            sites: world.lab.join("sites.csv"),
            estate: world.lab.join("estate.yaml"),
            exclude: Vec::new(),
            uncertified: None,
            inputs: Vec::new(),
        };
        // The history of a lab on PostgreSQL takes place in real time, a minute of the incident in a second.
        let margin = (bench.backend == lab::Backend::Postgres).then(|| ("margin".to_owned(), "5s".to_owned()));
        let inputs: BTreeMap<String, String> = margin.into_iter().collect();
        let whole = plan(&planned, &inputs, &BTreeMap::new())?;
        Ok(Self { dir, world, bench, planned, inputs, whole, stop })
    }

    async fn all(&mut self, at: String, tell: &dyn Fn(&str)) -> Result<Option<Throughput>, Failure> {
        let bench = self.bench;
        let with_slots = self.whole.spec().pools.iter().filter(|pool| pool.slots.is_some());
        let pools: Vec<String> = with_slots.map(|pool| pool.name.clone()).collect();
        let doubled = match &bench.double {
            None => pools,
            Some(named) => {
                if let Some(unknown) = named.iter().find(|name| !pools.contains(name)) {
                    let fact = format!("the runbook has no pool `{unknown}` with slots");
                    return Err(Failure::input("bench-sizes", fact, format!("it has {}", pools.join(", "))));
                }
                named.clone()
            }
        };
        let cells = cells(&Sizes {
            sites: &bench.sites,
            batches: &bench.batches,
            pools: &bench.pools,
            workers: &bench.workers,
            doubled: &doubled,
        });
        let workers = bench.workers.first().copied().unwrap_or(0);
        let shown = cells.iter().filter(|cell| cell.is_as_written() && cell.workers == workers).count();
        if bench.check.is_some() && shown < 2 {
            let fact = "one size is too few for a forecast, so there is none to check";
            return Err(Failure::input("bench-sizes", fact, "give a second number of --sites or of --batches"));
        }
        let common = |earlier: &Throughput| earlier.cells.iter().any(|before| cells.contains(&before.cell));
        if bench.earlier.as_ref().is_some_and(|earlier| !common(earlier)) {
            let fact = "the earlier report has no size in common with these";
            let hint = "give --sites, --batches, --pools and --workers as they were";
            return Err(Failure::input("bench-compare", fact, hint));
        }
        let total = cells.len() * bench.repeats as usize;
        tell(&format!("{} sizes, {total} runs that count, one before them that does not", cells.len()));
        let Some(first) = cells.first() else {
            return Err(Failure::input("bench-sizes", "no batch is as small as the sample", "give smaller --batches"));
        };
        if self.one(first, 0, false).await?.is_none() {
            return Ok(None);
        }
        let mut runs: Vec<RunFigures> = Vec::new();
        for repeat in 1..=bench.repeats {
            for cell in &cells {
                let Some(run) = self.one(cell, repeat, repeat == 1).await? else { return Ok(None) };
                runs.push(run);
                let (number, s) = (runs.len(), runs.last().map_or(0.0, |run| run.time.makespan_s));
                tell(&format!("{number}/{total}: {} took {s:.2} s", cell.words()));
            }
        }
        let check = bench.check;
        let mut sizes = bench.forecast.clone();
        sizes.extend(check.filter(|sites| !sizes.contains(sites)));
        let mut throughput = Throughput::conclude(self.setup(at), runs, &sizes);
        if let (Some(sites), Some(advice)) = (check, &throughput.advice) {
            let of = |one: &&report::SizeForecast| (one.sites, one.batch) == (sites, advice.batch);
            let foreseen = throughput.forecasts.iter().find(of).map(|one| one.s);
            let pools = report::AS_WRITTEN.to_owned();
            let cell = Cell { sites, batch: advice.batch, pools, factor: Some(1.0), workers, ..Cell::default() };
            if let Some(foreseen) = foreseen {
                tell(&format!("forecast: {} will take {foreseen:.1} s", cell.words()));
            }
            let Some(run) = self.one(&cell, 1, true).await? else { return Ok(None) };
            tell(&format!("measured: {:.1} s", run.time.makespan_s));
            throughput.hold_against(&run);
            // What was foreseen for the check alone stands beside it.
            throughput.forecasts.retain(|one| bench.forecast.contains(&one.sites));
        }
        throughput.comparison = bench.earlier.as_ref().map(|earlier| throughput.compare(earlier));
        Ok(Some(throughput))
    }

    /// One run of a cell in the lab as it was after the deletion.
    async fn one(&mut self, cell: &Cell, repeat: u32, compared: bool) -> Result<Option<RunFigures>, Failure> {
        if self.stop.cleanly.is_cancelled() {
            return Ok(None);
        }
        let sample = sample(&self.whole, cell.sites, repeat);
        let sampled = plan(&self.planned, &self.inputs, &others(&self.whole, &sample))?;
        let label = own_label();
        let plan = sized(&sampled, cell, &label)?;
        self.world.put_back().await?;
        measure(self.dir, &self.world.lab, (&plan, label), (cell, repeat, compared), &self.stop).await
    }

    fn setup(&self, at: String) -> Setup {
        let (bench, spec) = (self.bench, self.whole.spec());
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let pool = |pool: &engine::PoolSpec| PoolSize {
            name: pool.name.clone(),
            slots: pool.slots,
            instances: self.whole.key_count(pool.per.unwrap_or(Scope::Run)),
        };
        Setup {
            at,
            made_by: format!("reinstate {}, {build} build", env!("CARGO_PKG_VERSION")),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            backend: if bench.backend == lab::Backend::Postgres { "postgres" } else { "sqlite" }.to_owned(),
            runbook: spec.origin.runbook.clone(),
            lab_sites: bench.lab_sites,
            deleted: bench.deleted,
            shards: bench.shards,
            lab_rows: bench.rows,
            seed: bench.seed,
            repeats: bench.repeats,
            soak_s: spec.batches.soak_ms as f64 / 1e3,
            pools: spec.pools.iter().map(pool).collect(),
            rto_s: bench.rto_s,
        }
    }
}

/// Plans the deleted sites but for those that are left out.
fn plan(
    planned: &Planned,
    inputs: &BTreeMap<String, String>,
    exclude: &BTreeMap<String, String>,
) -> Result<Arc<Plan>, Failure> {
    let mut findings = Findings::new(FindingFormat::Text, false);
    let plan = planning::resolve(planned, inputs, exclude, &mut findings)?;
    plan.ok_or_else(|| {
        let fact = "the runbook does not fit the lab";
        Failure::input(
            "bench-runbook",
            fact,
            "what was found is above; a runbook for the lab is runbooks/restoration-2.yaml",
        )
    })
}
