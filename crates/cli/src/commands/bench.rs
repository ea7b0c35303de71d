//! `bench`: figures of this machine, now.

use crate::args::Bench;
use crate::bench::measure_engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Carries a benchmark out.
pub(crate) async fn bench(command: Bench, json: bool) -> Result<Exit, Failure> {
    let Bench::Engine { sites, store, dir } = command;
    if store != "sqlite" {
        return Err(Failure::input(
            "bench-store",
            format!("the journal on {store} is not part of this version"),
            "use `--store sqlite`",
        ));
    }
    if sites == 0 {
        return Err(Failure::input("bench-sites", "there is nothing to measure with 0 sites", "give at least 1"));
    }
    let base = dir.unwrap_or_else(|| std::path::PathBuf::from("."));
    // Beside the caller's files, because temporary folders are often in memory and a disk is to be measured.
    let scratch = tempfile::Builder::new()
        .prefix(".reinstate-bench-")
        .tempdir_in(&base)
        .map_err(|error| Failure::trouble("bench-dir", &error, "name a folder that can be written with --dir"))?;
    let figures = measure_engine(scratch.path(), sites).await?;
    if json {
        out::json(&figures);
        return Ok(Exit::Done);
    }
    out::answer(&format!(
        "{} sites x 30 steps, starts and outcomes durable (SQLite, synchronous=FULL)\n\
         {:>12.0} steps/s, {:.2} s in all, {} commits, {:.1} us of CPU a step\n\
         {:>12.0} rows/s of a bare SQLite writer at 100 rows a commit, same minute, same disk (ratio {:.2})\n\
         {:>12.1} bytes of journal a step\n\
         {:>12.1} MB peak memory, {:.0} bytes a unit beyond the plan\n\
         {:>12.3} s to resume the run killed before its last step",
        figures.sites,
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
