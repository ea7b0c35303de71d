//! `demo`: the incident and its repair, in a lab on this machine.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::RunEnd;
use report::Report;
use runtime::{Clock, DriveEnd, SystemClock};
use serde_json::json;

use crate::args::{Backend, Demo, DemoBook, FindingFormat, Logged, Waiting};
use crate::commands::{lab as lab_command, report as report_command};
use crate::execute::drive_run;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{self, Findings};
use crate::progress::Progress;
use crate::{files, out, signals};

impl DemoBook {
    /// File name and text: the runbook that users copy is the one that the demo runs.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Restoration1 => ("restoration-1.yaml", include_str!("../../../../runbooks/restoration-1.yaml")),
            Self::Restoration2 => ("restoration-2.yaml", include_str!("../../../../runbooks/restoration-2.yaml")),
        }
    }
}

/// How long other tenants are watched before the restoration, so that there is something to compare with.
const BASELINE: Duration = Duration::from_secs(5);

/// Builds, damages, restores and compares.
pub(crate) async fn demo(args: Demo, json: bool) -> Result<Exit, Failure> {
    if (args.runbook, args.backend) == (DemoBook::Restoration1, Backend::Sqlite) {
        let fact = "rows get new IDs in PostgreSQL only";
        return Err(Failure::input("demo-backend", fact, "add --backend postgres"));
    }
    let place = Place::new(args.dir.as_deref())?;
    let dir = place.path();
    let tell = |text: &str| {
        if !json {
            out::note(text);
        }
    };
    tell(&format!("building a lab of {} sites on {} shards in {}", args.sites, args.shards, dir.display()));
    let lab_dir = dir.join("lab");
    let options = lab::BuildOptions {
        sites: args.sites as usize,
        shards: args.shards as usize,
        backend: args.backend.into(),
        rows: args.rows,
        seed: args.seed,
        ..Default::default()
    };
    lab::build(&lab_dir, &options).await.map_err(|error| lab_command::build_trouble(&error))?;
    tell(&format!("deleting {} sites from every store, one after another", args.damaged));
    let damage = lab::DamageOptions { sites: args.damaged as usize, ..Default::default() };
    lab::damage(&lab_dir, &damage).await.map_err(|error| lab_command::trouble(error.code(), &error))?;
    let served = lab::serve(&lab_dir, &lab::ServeOptions::default())
        .await
        .map_err(|error| lab_command::trouble(error.code(), &error))?;
    if args.backend == Backend::Postgres {
        tell("watching for 5 seconds how fast other tenants' transactions are");
        tokio::time::sleep(BASELINE).await;
    }
    tell(&format!("restoring them with {} while other tenants go on writing", args.runbook.file().0));
    served.phase("during");
    let begun = Instant::now();
    let restored = restore(dir, &lab_dir, (args.runbook, args.backend), json).await;
    let wall_s = begun.elapsed().as_secs_f64();
    served.phase("after");
    let latency = served.latency();
    served.shutdown().await;
    let (end, report) = restored?;
    tell("comparing every store with the truth, row for row and object for object");
    let diff = lab::diff(&lab_dir).await.map_err(|error| lab_command::trouble(error.code(), &error))?;
    let page = place.report_path();
    files::write(&page, report::render_html(&report).as_bytes())?;
    if json {
        out::json(&summary(&report, &diff, &latency, wall_s, &page));
    } else {
        let tally = &report.sites_by_state;
        out::answer(&format!(
            "{} of {} sites returned in {wall_s:.1} s ({:.0} sites/h), {} quarantined\n{}{}\nreport: {}",
            tally.returned,
            tally.given,
            f64::from(tally.returned) / wall_s * 3_600.0,
            tally.quarantined,
            lab_command::diff_text(&diff),
            if args.backend == Backend::Postgres { latency_text(&latency) } else { String::new() },
            page.display(),
        ));
    }
    Ok(match end {
        DriveEnd::Ended(RunEnd::Succeeded) if diff.clean => Exit::Done,
        DriveEnd::Ended(RunEnd::Succeeded) => Exit::Differs,
        end => Exit::of_drive(end),
    })
}

async fn restore(
    dir: &Path,
    lab_dir: &Path,
    (book, backend): (DemoBook, Backend),
    json: bool,
) -> Result<(DriveEnd, Report), Failure> {
    let mut findings = Findings::new(FindingFormat::Text, false);
    let (name, text) = book.file();
    let runbook_path = dir.join(name);
    files::write(&runbook_path, text.as_bytes())?;
    let planned = crate::args::Planned {
        runbook: runbook_path,
        sites: lab_dir.join("sites.csv"),
        estate: lab_dir.join("estate.yaml"),
        exclude: Vec::new(),
        uncertified: None,
        inputs: vec![],
    };
    let Some(plan) = planning::resolve(&planned, &inputs(book, backend), &Default::default(), &mut findings)? else {
        return Err(Failure::input("demo-plan", "the demo's runbook does not fit this lab", "report this defect"));
    };
    let journal = store::open(&format!("sqlite:{}", dir.join("runs.db").display())).await?;
    runtime::open(&*journal, "demo", &plan, SystemClock.now()).await?;
    let mut progress = Progress::new(json, json || !out::on_terminal());
    let (end, _) = drive_run(
        &journal,
        "demo",
        &mut progress,
        signals::stop(),
        &Waiting { wait: std::time::Duration::ZERO, logged: Logged::default() },
    )
    .await?;
    let fold = report_command::fold(&*journal, "demo").await?;
    let account = report_command::account(&*journal, "demo", fold.run()).await?;
    let report = fold.report(SystemClock.now()).bounded(account.as_ref());
    Ok((end, report))
}

/// What other tenants felt, a line for each phase with enough transactions to speak of.
fn latency_text(latency: &serde_json::Value) -> String {
    let phases = latency["phases"].as_array().into_iter().flatten();
    let told = phases.filter(|phase| phase["transactions"].as_u64() >= Some(20)).map(|phase| {
        let number = |name: &str| phase[name].as_f64().unwrap_or_default();
        format!(
            "\nlive transactions {}: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
            phase["name"].as_str().unwrap_or_default(),
            number("p50_ms"),
            number("p95_ms"),
            number("p99_ms"),
        )
    });
    told.collect()
}

/// The history of a lab on PostgreSQL took place in real time, a minute of the incident in a second; and nobody is there
/// to agree to a site.
fn inputs(book: DemoBook, backend: Backend) -> BTreeMap<String, String> {
    let margin = (backend == Backend::Postgres).then_some(("margin", "5s"));
    let sign_off = (book == DemoBook::Restoration1).then_some(("sign_off", "false"));
    margin.into_iter().chain(sign_off).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn summary(
    report: &Report,
    diff: &lab::Diff,
    latency: &serde_json::Value,
    wall_s: f64,
    page: &Path,
) -> serde_json::Value {
    let batches: Vec<_> = report
        .batches
        .iter()
        .map(|batch| json!({ "sites": batch.sites, "wall_s": batch.wall_s, "sites_per_hour": batch.sites_per_hour }))
        .collect();
    json!({
        "sites": report.sites_by_state.given,
        "returned": report.sites_by_state.returned,
        "degraded": report.sites_by_state.degraded,
        "quarantined": report.sites_by_state.quarantined,
        "wall_s": wall_s,
        "units": report.units.total,
        "batches": batches,
        "bystanders_changed": diff.bystanders_changed,
        "diff": {
            "clean": diff.clean, "sites_equal": diff.sites_equal, "sites_moved": diff.sites_moved, "sites_different": diff.sites_different,
            "effects_applied_twice": diff.effects_applied_twice,
        },
        "live_latency": latency["phases"],
        "report": page,
    })
}

/// Where the demo works: the folder it was given, or a temporary one of which only the report is kept.
enum Place {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Place {
    fn new(dir: Option<&Path>) -> Result<Self, Failure> {
        let trouble = |error: std::io::Error| Failure::trouble("demo-dir", &error, "name a folder with --dir");
        match dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(trouble)?;
                Ok(Self::Given(dir.to_owned()))
            }
            None => {
                // The database servers' user passes it on the way to their data.
                let mode = std::fs::Permissions::from_mode(0o711);
                let folder = tempfile::Builder::new().prefix("reinstate-demo-").permissions(mode).tempdir();
                Ok(Self::Temporary(folder.map_err(trouble)?))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }

    fn report_path(&self) -> PathBuf {
        match self {
            Self::Given(dir) => dir.join("report.html"),
            Self::Temporary(_) => {
                let now = SystemClock.now();
                std::env::temp_dir().join(format!("reinstate-demo-report-{now}.html"))
            }
        }
    }
}
