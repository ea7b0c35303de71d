//! The engine's workload, every start and outcome durable before it is acted on. It answers: how many steps a second can the
//! orchestrator itself sustain, and what does one cost?

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use engine::{Event, Plan, Record, Run, SiteIx};
use runtime::{Clock, Store, SystemClock};
use serde::Serialize;
use server::holder;
use tokio_util::sync::CancellationToken;

use super::dispatch::{DispatchFigures, Watch};
use super::process;
use super::runs::{drive, give_up, stopped};
use super::workers::{Workers, own_label};
use super::workload::{paced, plan};
use crate::args::StoreAddress;
use crate::failure::Failure;

/// Seconds for which the anchor writes, before and after the run.
const ANCHOR_S: f64 = 1.0;

/// What is measured.
pub(crate) struct EngineLoad {
    pub(crate) sites: u32,
    /// Steps of a site.
    pub(crate) steps: u32,
    /// Where, instead of in a file of its own.
    pub(crate) store: Option<StoreAddress>,
    /// Processes that execute every step; none executes them here.
    pub(crate) workers: u32,
    /// Steps a second, instead of as many as can be.
    pub(crate) rate: Option<u32>,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct EngineFigures {
    pub(crate) sites: u32,
    /// Of all sites.
    pub(crate) steps: u32,
    pub(crate) workers: u32,
    pub(crate) wall_s: f64,
    pub(crate) steps_per_s: f64,
    pub(crate) anchor_rows_per_s: f64,
    pub(crate) commits: u64,
    pub(crate) peak_rss_mb: f64,
    pub(crate) rss_bytes_per_unit: f64,
    pub(crate) journal_bytes_per_step: f64,
    pub(crate) resume_s: f64,
    pub(crate) cpu_us_per_step: f64,
    /// Told of a run at a pace.
    pub(crate) dispatch: Option<DispatchFigures>,
}

/// Runs the workload on a store, or on one in `dir`, and measures. When it is stopped, nothing of its runs is left.
pub(crate) async fn measure_engine(
    dir: &Path,
    load: EngineLoad,
    stop: &CancellationToken,
) -> Result<EngineFigures, Failure> {
    let before_anchor = anchor(dir, stop).await?;
    let in_file = || format!("sqlite:{}", dir.join("engine.db").display()).parse();
    let address = load.store.clone().map_or_else(in_file, Ok).unwrap_or_else(|never| match never {});
    let store = address.open().await?;
    let workers = match load.workers {
        0 => None,
        count => Some(Workers::start(&address, &*store, (count, own_label()), stop).await?),
    };
    // A store that stays may have runs of an earlier measurement.
    let now = SystemClock.now();
    let names = [format!("bench-{now}"), format!("bench-{now}-cut")];
    let measured = measure(&store, &load, workers.as_ref().map(Workers::label), &names, stop).await;
    if measured.is_err() {
        // A daemon on this store would go on with what is cut short. Why it was cut short is what is told.
        let _ = give_up(&*store, &names).await;
    }
    if let Some(workers) = workers {
        workers.end(&*store).await?;
    }
    let mut figures = measured?;
    drop(store);
    figures.anchor_rows_per_s = f64::midpoint(before_anchor, anchor(dir, stop).await?);
    Ok(figures)
}

/// The run and its resumption; all but the anchor.
async fn measure(
    store: &Arc<dyn Store>,
    load: &EngineLoad,
    label: Option<&str>,
    [name, cut]: &[String; 2],
    stop: &CancellationToken,
) -> Result<EngineFigures, Failure> {
    let plan = match load.rate {
        Some(rate) => paced(load.sites, load.steps, label, rate)?,
        None => plan(load.sites, load.steps, label)?,
    };
    runtime::open(&**store, name, &plan, SystemClock.now()).await?;
    let base = process::rss().unwrap_or(0);
    let cpu = process::cpu_s();
    let begun = Instant::now();
    let mut watch = if load.rate.is_some() { Watch::of_delays(&plan, now_us) } else { Watch::new(now_us) };
    drive(store, name, label.is_some(), &mut watch, stop).await?;
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu = process::cpu_s() - cpu;
    let peak = process::peak_rss().unwrap_or(0);
    let bytes = group_bytes(store, name).await?;
    cut_short(store, &plan, (name, cut)).await?;
    let begun = Instant::now();
    drive(store, cut, label.is_some(), &mut |_: &Run, _: &[Record]| {}, stop).await?;
    let resume_s = begun.elapsed().as_secs_f64();
    let steps = plan.unit_count();
    Ok(EngineFigures {
        sites: load.sites,
        steps,
        workers: load.workers,
        wall_s,
        steps_per_s: f64::from(steps) / wall_s,
        anchor_rows_per_s: 0.0,
        commits: watch.commits,
        peak_rss_mb: peak as f64 / 1e6,
        rss_bytes_per_unit: peak.saturating_sub(base) as f64 / f64::from(steps),
        journal_bytes_per_step: bytes as f64 / f64::from(steps),
        resume_s,
        cpu_us_per_step: cpu * 1e6 / f64::from(steps),
        dispatch: watch.figures(),
    })
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

async fn anchor(dir: &Path, stop: &CancellationToken) -> Result<f64, Failure> {
    let path = dir.join("anchor.db");
    tokio::select! {
        rows = store::anchor(&path, 100, ANCHOR_S) => Ok(rows?),
        () = stop.cancelled() => Err(stopped()),
    }
}

async fn group_bytes(journal: &Arc<dyn Store>, name: &str) -> Result<u64, Failure> {
    let (mut bytes, mut next) = (0, 0);
    loop {
        let groups = journal.load(name, next, 256).await?;
        let Some(last) = groups.last() else { return Ok(bytes) };
        next = last.seq + 1;
        bytes += groups.iter().map(|group| group.bytes.len() as u64).sum::<u64>();
    }
}

/// Copies the finished run as one that was killed before the last step of its last site.
async fn cut_short(journal: &Arc<dyn Store>, plan: &Arc<Plan>, (load, cut): (&str, &str)) -> Result<(), Failure> {
    let last = plan.unit_count() - 1;
    let site = SiteIx(plan.site_count() - 1);
    let kept = |event: &Event| match event {
        Event::Started { unit, .. } | Event::Succeeded { unit, .. } => unit.0 != last,
        Event::SiteEnded { site: ended, .. } => *ended != site,
        Event::BatchSettled { .. } | Event::Ended { .. } => false,
        _ => true,
    };
    runtime::open(&**journal, cut, plan, SystemClock.now()).await?;
    let lease = journal.acquire(cut, &holder(), 60_000).await?;
    let (mut next, mut to) = (0, 0);
    let mut link = engine::Link::first(cut, plan.hash());
    loop {
        let groups = journal.load(load, next, 256).await?;
        let Some(newest) = groups.last() else { break };
        next = newest.seq + 1;
        for group in &groups {
            let group = engine::decode_group(&group.bytes)
                .map_err(|error| Failure::trouble("bench-group", &error, "report this defect"))?;
            let mut writer = engine::GroupWriter::after(link);
            group.records.iter().filter(|record| kept(&record.event)).for_each(|record| writer.push(record));
            let group = writer.finish();
            link = group.link;
            to = journal.append(&lease, to, &group.bytes).await?.next;
        }
    }
    journal.release(&lease).await?;
    Ok(())
}
