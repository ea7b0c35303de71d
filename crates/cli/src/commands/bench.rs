//! `bench`: figures of this machine, now.

mod restore;

use std::path::{Path, PathBuf};

use crate::args::{Bench, BenchPart, BenchStore, BenchTenant, StoreAddress};
use crate::bench::{Ageing, Part, Wanted, history_text, measure_engine, measure_tenant, soak_text, tenant_text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::signals;

/// Carries a benchmark out.
pub(crate) async fn bench(command: Bench, json: bool) -> Result<Exit, Failure> {
    match command {
        Bench::Engine { sites, store, dir, workers } => engine(sites, (store, workers), dir, json).await,
        Bench::Store(args) => store(args, json).await,
        Bench::Restore(args) => restore::restore(args, json).await,
        Bench::Tenant(args) => tenant(args, json).await,
    }
}

async fn tenant(args: BenchTenant, json: bool) -> Result<Exit, Failure> {
    if args.backend != "postgres" {
        let fact = format!("the restore on {} is not measured in this version", args.backend);
        return Err(Failure::input("bench-backend", fact, "use `--backend postgres`"));
    }
    let (sites, rows) = if args.half { (441, 4_200_000) } else { (args.sites, args.rows) };
    let wanted = Wanted {
        sites,
        rows,
        connections: usize::from(args.connections),
        max_latency: args.max_latency,
        tx_per_s: args.load,
        repeat: args.repeat,
        parts: parts(&args.only),
        flat: args.flat,
    };
    // Temporary folders are often in memory, and a disk is to be measured; the servers' user must be able to enter.
    let base = args.dir.unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let base = base.canonicalize().map_err(|error| trouble(&error))?;
    let dir = scratch(&base)?;
    let stop = signals::stop_token();
    let tell = |text: &str| {
        if out::on_terminal() {
            out::note(text);
        }
    };
    let measured = tokio::select! {
        measured = measure_tenant(dir.path(), &wanted, &tell) => Some(measured?),
        () = stop.cancelled() => None,
    };
    let Some(figures) = measured else { return Ok(Exit::Stopped) };
    answer(json, &figures, tenant_text);
    Ok(Exit::Done)
}

async fn store(args: BenchStore, json: bool) -> Result<Exit, Failure> {
    let ageing = Ageing::begin(&args.store, args.sites, args.workers).await?;
    let measured = async {
        match (args.soak, args.history) {
            (Some(lasts), _) => {
                let figures = ageing.soak(lasts, &out::note).await?;
                answer(json, &figures, soak_text);
            }
            (None, units) => {
                let figures = ageing.history(units.unwrap_or_default(), &out::note).await?;
                answer(json, &figures, history_text);
            }
        }
        Ok(Exit::Done)
    };
    let stop = signals::stop_token();
    tokio::select! {
        measured = measured => measured,
        () = stop.cancelled() => Ok(Exit::Stopped),
    }
}

fn answer<T: serde::Serialize>(json: bool, figures: &T, text: impl Fn(&T) -> String) {
    if json {
        out::json(figures);
    } else {
        out::answer(&text(figures));
    }
}

/// What is asked for; everything unless something is named.
fn parts(only: &[BenchPart]) -> Vec<Part> {
    let asked = if only.is_empty() { clap::ValueEnum::value_variants() } else { only };
    let part = |part: &BenchPart| match part {
        BenchPart::Ours => Part::Ours,
        BenchPart::Hand => Part::Hand,
        BenchPart::Plain => Part::Plain,
        BenchPart::Ceiling => Part::Ceiling,
        BenchPart::Small => Part::Small,
        BenchPart::Live => Part::Live,
        BenchPart::Flat => Part::Flat,
    };
    asked.iter().map(part).collect()
}

fn scratch(base: &Path) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new().prefix(".reinstate-bench-").tempdir_in(base).map_err(|error| trouble(&error))
}

fn trouble(error: &std::io::Error) -> Failure {
    Failure::trouble("bench-dir", error, "name a folder that can be written with --dir")
}

async fn engine(
    sites: u32,
    (store, workers): (StoreAddress, u32),
    dir: Option<PathBuf>,
    json: bool,
) -> Result<Exit, Failure> {
    let in_file = store.is_kind("sqlite");
    if !in_file && !store.is_postgres() {
        let hint = "use `--store sqlite` or `--store postgres://USER@HOST/DATABASE?schema=NAME`";
        return Err(Failure::input("bench-store", format!("{store} is no store that can be measured"), hint));
    }
    if sites == 0 {
        return Err(Failure::input("bench-sites", "there is nothing to measure with 0 sites", "give at least 1"));
    }
    // Beside the caller's files, because temporary folders are often in memory and a disk is to be measured.
    let scratch = scratch(&dir.unwrap_or_else(|| PathBuf::from(".")))?;
    let figures = measure_engine(scratch.path(), sites, (!in_file).then_some(store), workers).await?;
    if json {
        out::json(&figures);
        return Ok(Exit::Done);
    }
    out::answer(&format!(
        "{} sites x 30 steps, starts and outcomes durable ({})\n\
         {:>12.0} steps/s, {:.2} s in all, {} commits, {:.1} us of CPU a step\n\
         {:>12.0} rows/s of a bare SQLite writer at 100 rows a commit, same minute, same disk (ratio {:.2})\n\
         {:>12.1} bytes of journal a step\n\
         {:>12.1} MB peak memory, {:.0} bytes a unit beyond the plan\n\
         {:>12.3} s to resume the run killed before its last step",
        figures.sites,
        if in_file { "SQLite, synchronous=FULL" } else { "PostgreSQL" },
        figures.steps_per_s,
        figures.wall_s,
        figures.commits,
        figures.cpu_us_per_step,
        figures.anchor_rows_per_s,
        figures.steps_per_s / figures.anchor_rows_per_s,
        figures.journal_bytes_per_step,
        figures.peak_rss_mb,
        figures.rss_bytes_per_unit,
        figures.resume_s,
    ));
    Ok(Exit::Done)
}
