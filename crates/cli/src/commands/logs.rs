//! `logs`: the events of a run, as they lie in the journal, or what the attempts of one unit did.

use engine::{Record, Run};
use server::Chosen;

use crate::args::Logs;
use crate::commands::attempt_logs::attempt_logs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Prints events, oldest first; of a unit, the lines of its attempts.
pub(crate) async fn logs(args: &Logs, json: bool) -> Result<Exit, Failure> {
    if let Some(unit) = &args.unit {
        return attempt_logs(args, unit, json).await;
    }
    let store = args.of.stored.store.open().await?;
    let chosen = Chosen { site: args.site.clone(), step: args.step.clone(), newest: args.tail };
    let told = |run: &Run, record: &Record, undo: bool| {
        let told = report::ToldEvent::of(run, record, Some(undo));
        if json { told.json() } else { told.line() }
    };
    let lines = chosen.read(&*store, &args.of.name, told).await?;
    out::answer(&Vec::from(lines).join("\n"));
    Ok(Exit::Done)
}
