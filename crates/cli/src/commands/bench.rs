//! `bench`: figures of this machine, now.

mod restore;

use std::path::{Path, PathBuf};

use crate::args::{Bench, BenchEngine, BenchPart, BenchStore, BenchTenant};
use crate::bench::{
    Ageing, EngineLoad, Part, Wanted, engine_text, history_text, measure_engine, measure_tenant, soak_text, tenant_text,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::signals;

/// Carries a benchmark out.
pub(crate) async fn bench(command: Bench, json: bool) -> Result<Exit, Failure> {
    match command {
        Bench::Engine(args) => engine(args, json).await,
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
    let ageing = Ageing::begin(&args.store, (args.sites, args.workers), signals::stop_token()).await?;
    if let Some(lasts) = args.soak {
        answer(json, &ageing.soak(lasts, &out::note).await?, soak_text);
    } else {
        answer(json, &ageing.history(args.history.unwrap_or_default(), &out::note).await?, history_text);
    }
    Ok(Exit::Done)
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

async fn engine(args: BenchEngine, json: bool) -> Result<Exit, Failure> {
    let BenchEngine { sites, steps, store, dir, workers, rate } = args;
    let in_file = store.is_kind("sqlite");
    if !in_file && !store.is_postgres() {
        let hint = "use `--store sqlite` or `--store postgres://USER@HOST/DATABASE?schema=NAME`";
        return Err(Failure::input("bench-store", format!("{store} is no store that can be measured"), hint));
    }
    if sites == 0 {
        return Err(Failure::input("bench-sites", "there is nothing to measure with 0 sites", "give at least 1"));
    }
    if sites.checked_mul(steps).is_none() {
        let fact = format!("{sites} sites of {steps} steps are more units than a run may have");
        return Err(Failure::input("bench-sites", fact, "give fewer"));
    }
    // Beside the caller's files, because temporary folders are often in memory and a disk is to be measured.
    let scratch = scratch(&dir.unwrap_or_else(|| PathBuf::from(".")))?;
    let kind = if in_file { "SQLite, synchronous=FULL" } else { "PostgreSQL" };
    let load = EngineLoad { sites, steps, store: (!in_file).then_some(store), workers, rate };
    let figures = measure_engine(scratch.path(), load, &signals::stop_token()).await?;
    answer(json, &figures, |figures| engine_text(figures, kind));
    Ok(Exit::Done)
}
