//! The engine's figures for people.

use std::fmt::Write as _;

use super::engine_load::EngineFigures;

/// The figures, on a store of a kind.
pub(crate) fn engine_text(figures: &EngineFigures, kind: &str) -> String {
    let by = match figures.workers {
        0 => String::new(),
        1 => ", by a worker process".to_owned(),
        many => format!(", by {many} worker processes"),
    };
    let mut text = format!(
        "{} sites x {} steps, starts and outcomes durable ({kind}){by}\n\
         {:>12.0} steps/s, {:.2} s in all, {} commits, {:.1} us of CPU a step\n\
         {:>12.0} rows/s of a bare SQLite writer at 100 rows a commit, same minute, same disk (ratio {:.2})\n\
         {:>12.1} bytes of journal a step\n\
         {:>12.1} MB peak memory, {:.0} bytes a unit beyond the plan\n\
         {:>12.3} s to resume the run killed before its last step",
        figures.sites,
        figures.steps / figures.sites.max(1),
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
    );
    if let Some(of) = &figures.dispatch {
        for (since, of) in [("durable", of.from_durable), ("decided", of.from_decided)] {
            let _ = write!(
                text,
                "\n{:>12.1} ms from when the outcome that a step waited for was {since} to its durable start, in the middle; \
                 {:.1} ms of 99 %, {:.1} ms at most",
                of.p50_ms, of.p99_ms, of.max_ms
            );
        }
    }
    text
}
