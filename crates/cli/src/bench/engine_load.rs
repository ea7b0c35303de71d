//! The engine's workload: S sites, each a layered graph of 30 `noop` steps, every start and outcome durable before it
//! is acted on. It answers: how many steps a second can the orchestrator itself sustain, and what does one cost?

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use engine::{
    ActionUse, Backoff, Batches, Event, ForEach, Need, Objectives, OnExceeded, OnFailure, Origin, PLAN_FORMAT, Place,
    Plan, PlanSpec, Record, Retry, Run, Scope, SiteIx, Sites, StepIx, StepSpec, Texts, When, Work,
};
use runtime::{Clock, Drive, DriveEnd, Settings, Store, SystemClock};
use serde::Serialize;
use server::holder;
use tokio_util::sync::CancellationToken;

use crate::args::{Logged, StoreAddress};
use crate::bench::process;
use crate::bench::workers::{LABEL, Workers};
use crate::failure::Failure;

/// Steps in each layer; each needs every step of the layer before.
const LAYERS: [usize; 9] = [1, 4, 3, 6, 4, 6, 3, 2, 1];

/// Seconds for which the anchor writes, before and after the run.
const ANCHOR_S: f64 = 1.0;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct EngineFigures {
    pub(crate) sites: u32,
    pub(crate) steps: u32,
    pub(crate) wall_s: f64,
    pub(crate) steps_per_s: f64,
    pub(crate) anchor_rows_per_s: f64,
    pub(crate) commits: u64,
    pub(crate) peak_rss_mb: f64,
    pub(crate) rss_bytes_per_unit: f64,
    pub(crate) journal_bytes_per_step: f64,
    pub(crate) resume_s: f64,
    pub(crate) cpu_us_per_step: f64,
}

/// Runs the workload on a store, or on one in `dir`, and measures.
pub(crate) async fn measure_engine(
    dir: &Path,
    sites: u32,
    store: Option<StoreAddress>,
    workers: u32,
) -> Result<EngineFigures, Failure> {
    let before_anchor = anchor(dir).await?;
    let in_file = || format!("sqlite:{}", dir.join("engine.db").display()).parse();
    let store = store.map_or_else(in_file, Ok).unwrap_or_else(|never| match never {});
    let journal = store.open().await?;
    let plan = plan(sites, workers > 0)?;
    let _workers = Workers::start(&store, &*journal, workers).await?;
    // A store that stays may have runs of an earlier measurement.
    let now = SystemClock.now();
    let (load, cut) = (format!("bench-{now}"), format!("bench-{now}-cut"));
    runtime::open(&*journal, &load, &plan, now).await?;
    let base = process::rss().unwrap_or(0);
    let cpu = process::cpu_s();
    let begun = Instant::now();
    let commits = drive(&journal, &load, workers > 0).await?;
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu = process::cpu_s() - cpu;
    let peak = process::peak_rss().unwrap_or(0);
    let bytes = group_bytes(&journal, &load).await?;
    cut_short(&journal, &plan, (&load, &cut)).await?;
    let begun = Instant::now();
    drive(&journal, &cut, workers > 0).await?;
    let resume_s = begun.elapsed().as_secs_f64();
    drop(journal);
    let after_anchor = anchor(dir).await?;
    let steps = plan.unit_count();
    Ok(EngineFigures {
        sites,
        steps,
        wall_s,
        steps_per_s: f64::from(steps) / wall_s,
        anchor_rows_per_s: f64::midpoint(before_anchor, after_anchor),
        commits,
        peak_rss_mb: peak as f64 / 1e6,
        rss_bytes_per_unit: peak.saturating_sub(base) as f64 / f64::from(steps),
        journal_bytes_per_step: bytes as f64 / f64::from(steps),
        resume_s,
        cpu_us_per_step: cpu * 1e6 / f64::from(steps),
    })
}

async fn anchor(dir: &Path) -> Result<f64, Failure> {
    Ok(store::anchor(&dir.join("anchor.db"), 100, ANCHOR_S).await?)
}

pub(super) async fn drive(journal: &Arc<dyn Store>, name: &str, sends: bool) -> Result<u64, Failure> {
    let settings = Settings::default();
    let holder = holder();
    let lease = journal.acquire(name, &holder, settings.lease_ms).await?;
    let recovered = runtime::recover(&**journal, name, |_, _| {}).await?;
    let plan = recovered.run.plan().clone();
    let kit = crate::execute::kit(journal, Logged::default().run_logs);
    let launcher = kit.launcher(&kit.connectors);
    let equip = |plan: &Plan| kit.equip(plan);
    let mut commits = 0;
    let mut count = |_: &Run, _: &[Record]| commits += 1;
    let drive = Drive {
        journal: &**journal,
        lease: lease.clone(),
        holder: holder.name,
        equip: &equip,
        launcher: &launcher,
        clock: &SystemClock,
        observer: &mut count,
        desk: sends.then_some(&**journal),
        stop: CancellationToken::new(),
        settings,
    };
    let (end, run) = runtime::drive(drive, recovered, "bench").await?;
    journal.release(&lease).await?;
    if end != DriveEnd::Ended(engine::RunEnd::Succeeded) || run.tally().returned != plan.site_count() {
        return Err(Failure::input("bench-run", format!("the run ended as {end:?}"), "report this defect"));
    }
    Ok(commits)
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

pub(super) fn plan(sites: u32, sends: bool) -> Result<Arc<Plan>, Failure> {
    let ids: Vec<String> = (0..sites).map(|site| format!("site-{site:08}")).collect();
    let steps = steps();
    let runs_on = if sends { vec![format!("[\"{LABEL}\"]"); steps.len()] } else { Vec::new() };
    let spec = PlanSpec {
        format: PLAN_FORMAT,
        origin: Origin { runbook: "bench-engine".to_owned(), ..Origin::default() },
        sites: Sites {
            ids: ids.iter().map(String::as_str).collect::<Texts>(),
            source_rows: (2..sites + 2).collect(),
            columns: vec![],
            restore_points: vec![],
        },
        groups: vec![],
        batches: Batches {
            ends: vec![sites],
            max_failures: vec![0],
            on_exceeded: OnExceeded::Pause,
            soak_ms: 0,
            gate: None,
        },
        pools: vec![],
        steps,
        items: vec![],
        inputs: "{}".to_owned(),
        estate: "{}".to_owned(),
        objectives: Objectives::default(),
        extras: engine::Extras { runs_on, ..engine::Extras::default() },
    };
    Plan::new(spec).map_err(|error| Failure::trouble("bench-plan", &error, "report this defect"))
}

fn steps() -> Vec<StepSpec> {
    let mut steps = Vec::new();
    let mut before = 0..0;
    for (layer, &width) in LAYERS.iter().enumerate() {
        let first = steps.len();
        for ix in 0..width {
            let needs = before.clone().map(|step: usize| Need { step: StepIx::from(step), require_all: false });
            steps.push(step(format!("l{layer}s{ix}"), needs.collect()));
        }
        before = first..steps.len();
    }
    steps
}

fn step(name: String, needs: Vec<Need>) -> StepSpec {
    let noop = ActionUse {
        uses: "noop@1".to_owned(),
        with: "{}".to_owned(),
        expect: String::new(),
        idempotent: true,
        has_probe: true,
    };
    StepSpec {
        name,
        place: Place::default(),
        scope: Scope::Site,
        needs,
        reads: vec![],
        work: Work::Action(noop),
        pools: vec![],
        timeout_ms: 60_000,
        retry: Retry { attempts: 3, backoff: Backoff::Exponential, delay_ms: 1_000, max_delay_ms: 60_000 },
        on_failure: OnFailure::Quarantine,
        front_load: false,
        finally: false,
        when: When::Always,
        for_each: ForEach::Once,
        expect_ms: (0, 0),
        keeps_outputs: false,
        undo: None,
    }
}
