//! `drill run`: draw, plan, conduct, judge, keep.

use super::conclude;
use super::read;
use crate::args::DrillRun;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, out, signals};

/// Runs a drill now.
pub(super) async fn run(args: &DrillRun, json: bool) -> Result<Exit, Failure> {
    let loaded = match read::loaded(&args.file, json)? {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let store = args.stored.store.open().await?;
    let stop = signals::stop_token();
    conclude::take_up(&store, loaded.drill.name(), Some(&loaded.estate.name), json).await?;
    let report = match conclude::take_place(&store, &loaded, (args.seed, args.chaos), stop.clone(), json).await? {
        Ok(report) => report,
        Err(exit) => return Ok(exit),
    };
    if let Some(path) = &args.junit {
        files::write(path, report::render_drill_junit(&report).as_bytes())?;
    }
    if json {
        out::json(&report);
    } else {
        out::answer(report::render_drill(&report).trim_end());
    }
    Ok(match (report.good, stop.is_cancelled()) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Stopped,
        (false, false) => Exit::NotGood,
    })
}
