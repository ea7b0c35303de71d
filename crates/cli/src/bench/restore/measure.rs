//! One run through the engine, as `run` makes it, and what its journal says of it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Event, Plan, Record, Run, RunEnd, Scope, SiteIx, Work};
use report::{Account, BatchFigures, Cell, Past, RunFigures};
use runtime::{Clock, DriveEnd, Observer, Settings, Store, SystemClock};
use server::{Onlooker, Stop, drive_once};

use super::sized::tells;
use super::world::trouble;
use crate::args::{Logged, StoreAddress};
use crate::bench::process;
use crate::bench::workers::Workers;
use crate::commands::{lab_trouble, report::fold};
use crate::execute::kit;
use crate::failure::Failure;
use crate::people;

/// Name of the run in its store.
const NAME: &str = "bench";

/// Shares of all cores that were busy: with anything, and with this process.
type Busy = (Option<f64>, Option<f64>);

/// Counts what the journal costs.
#[derive(Default)]
struct Watch {
    commits: u64,
    ms: i64,
    /// When the last commit was durable.
    last: i64,
}

impl Observer for Watch {
    fn committed(&mut self, _: &Run, records: &[Record]) {
        self.commits += 1;
        // What was decided while the commit before was on its way waits for it, and is counted once.
        let now = SystemClock.now();
        self.ms += records.first().map_or(0, |first| (now - first.at.max(self.last)).max(0));
        self.last = now;
    }
}

impl Onlooker for Watch {
    fn begun(&mut self, _: &Run) {}
}

/// Drives a plan in a served lab, with a store of its own in `dir`; `None` if it was stopped. Whoever is measured must have
/// restored: a run after which a site is missing is an error.
pub(super) async fn measure(
    dir: &Path,
    lab_dir: &Path,
    (plan, label): (&Arc<Plan>, String),
    (cell, repeat, compared): (&Cell, u32, bool),
    stop: &Stop,
) -> Result<Option<RunFigures>, Failure> {
    let folder = dir.join("store");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).map_err(|error| trouble(&error))?;
    let address: StoreAddress =
        format!("sqlite:{}", folder.join("runs.db").display()).parse().unwrap_or_else(|never| match never {});
    let served =
        lab::serve(lab_dir, &lab::ServeOptions::default()).await.map_err(|error| lab_trouble(error.code(), &error))?;
    let driven = drive(&address, plan, (cell.workers, label), stop).await;
    served.shutdown().await;
    let Some((store, watch, (cpu, own_cpu))) = driven? else { return Ok(None) };
    let (account, yields) = past(&*store, plan).await?;
    let batches = batches(&*store, &yields).await?;
    if compared {
        truth(lab_dir, cell).await?;
    }
    let (rows, bytes) = yields.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let s = account.makespan_s.max(1e-3);
    Ok(Some(RunFigures {
        cell: cell.clone(),
        repeat,
        returned: plan.site_count(),
        compared,
        sites_per_hour: f64::from(plan.site_count()) * 3600.0 / s,
        rows,
        rows_per_s: rows as f64 / s,
        bytes,
        mb_per_s: bytes as f64 / 1e6 / s,
        cpu,
        own_cpu,
        commits: watch.commits,
        journal_s: watch.ms as f64 / 1e3,
        time: account,
        batches,
    }))
}

async fn drive(
    address: &StoreAddress,
    plan: &Arc<Plan>,
    (workers, label): (u32, String),
    stop: &Stop,
) -> Result<Option<(Arc<dyn Store>, Watch, Busy)>, Failure> {
    let store = address.open().await?;
    let workers = match workers {
        0 => None,
        count => Some(Workers::start(address, &*store, (count, label), &stop.cleanly).await?),
    };
    let (actor, mut watch) = (people::actor(), Watch::default());
    server::create_run(&*store, NAME, plan, &actor, false).await?;
    let (machine, own, begun) = (process::machine_cpu_s(), process::cpu_s(), Instant::now());
    let settings = Settings { wait: Duration::ZERO, ..Settings::default() };
    let kit = kit(&store, Logged::default().run_logs);
    let (end, run) = drive_once(&kit, NAME, &actor, &mut watch, stop.clone(), settings).await?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let there = begun.elapsed().as_secs_f64().max(1e-3) * cores;
    // Where the system tells of no time of the machine, it tells of none of the process either.
    let share = |now: f64, before: f64| (machine > 0.0).then(|| (now - before) / there);
    let busy = (share(process::machine_cpu_s(), machine), share(process::cpu_s(), own));
    if let Some(workers) = workers {
        workers.end(&*store).await?;
    }
    match end {
        DriveEnd::Stopped => return Ok(None),
        DriveEnd::Ended(RunEnd::Succeeded) if run.tally().returned == plan.site_count() => {}
        end => return Err(not_restored(&run, end)),
    }
    let differing = fold(&*store, NAME).await?.audit().map_or(0, |audit| audit.differing);
    if differing > 0 {
        let fact = format!("{differing} sites came back with stores that stand at different points in time");
        return Err(Failure::input(
            "bench-not-restored",
            fact,
            "restore the same sites with `reinstate run` in a lab of its own, and look at its report",
        ));
    }
    Ok(Some((store, watch, busy)))
}

fn not_restored(run: &Run, end: DriveEnd) -> Failure {
    let (back, all) = (run.tally().returned, run.plan().site_count());
    let fact = format!("{back} of {all} sites returned, and the run ended as {end:?}: that is no figure");
    let hint = "restore the same sites with `reinstate run` in a lab of its own, and look at its report";
    Failure::input("bench-not-restored", fact, hint)
}

/// Compares the lab with the truth: all of the sample, and nobody else touched.
async fn truth(lab_dir: &Path, cell: &Cell) -> Result<(), Failure> {
    let diff = lab::diff(lab_dir).await.map_err(|error| lab_trouble(error.code(), &error))?;
    let equal = diff.sites_equal == cell.sites as usize;
    if equal && diff.bystanders_changed == 0 && diff.effects_applied_twice == 0 {
        return Ok(());
    }
    let fact = format!(
        "of {} restored sites {} equal the truth, {} bystanders changed, {} effects were applied twice",
        cell.sites, diff.sites_equal, diff.bystanders_changed, diff.effects_applied_twice
    );
    Err(Failure::input("bench-not-restored", fact, "report this defect: the run itself took them for restored"))
}

/// The account of a run, and rows and bytes that were put back in each batch.
async fn past(store: &dyn Store, plan: &Arc<Plan>) -> Result<(Account, Vec<(u64, u64)>), Failure> {
    let mut past = Past::new(plan.clone());
    let mut misfit = None;
    let mut yields = vec![(0, 0); plan.batch_count() as usize];
    runtime::recover(store, NAME, |run, record| {
        if let Err(error) = past.push(record) {
            misfit = Some(error);
        }
        count(run, record, &mut yields);
    })
    .await?;
    if let Some(error) = misfit {
        return Err(Failure::trouble("report-fold", &error, "report this defect"));
    }
    let account = past.account();
    let account = account.ok_or_else(|| Failure::input("bench-run", "the run has no end", "report this defect"))?;
    Ok((account, yields))
}

/// Adds what a successful attempt says that it put back.
fn count(run: &Run, record: &Record, yields: &mut [(u64, u64)]) {
    let Event::Succeeded { unit, outputs: Some(outputs) } = &record.event else { return };
    let Some((node, _)) = run.unit_at(*unit) else { return };
    let plan = run.plan();
    let (step, key) = plan.node_at(node);
    let spec = plan.step(step);
    let Work::Action(action) = &spec.work else { return };
    let Some(told) = tells(&action.uses).filter(|_| spec.scope == Scope::Site) else { return };
    let Ok(outputs) = serde_json::from_str::<serde_json::Value>(outputs) else { return };
    let amount = outputs[told].as_u64().unwrap_or(0);
    if let Some(batch) = yields.get_mut(plan.batch_of(SiteIx(key.0)).ix()) {
        *(if told == "rows" { &mut batch.0 } else { &mut batch.1 }) += amount;
    }
}

async fn batches(store: &dyn Store, yields: &[(u64, u64)]) -> Result<Vec<BatchFigures>, Failure> {
    let report = fold(store, NAME).await?.report(SystemClock.now());
    let figures = report.batches.iter().zip(yields).map(|(batch, &(rows, bytes))| BatchFigures {
        number: batch.number,
        sites: batch.sites,
        wall_s: batch.wall_s.unwrap_or(0.0),
        rows,
        bytes,
    });
    Ok(figures.collect())
}
