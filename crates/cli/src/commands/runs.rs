//! `runs`: the runs of a store, and an end to those that are over.

use engine::Millis;
use runtime::{Clock, Judged, Pruning, SystemClock};
use serde_json::json;

use crate::args::{Prune, Runs, RunsCommand, StoreAddress};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Lists the runs of a store, or deletes some.
pub(crate) async fn runs(args: &Runs, json: bool) -> Result<Exit, Failure> {
    match &args.command {
        Some(RunsCommand::Prune(prune)) => delete(&args.store, prune, json).await,
        None => list(args, json).await,
    }
}

/// Deletes runs that are over, and finishes what was begun before.
async fn delete(at: &StoreAddress, args: &Prune, json: bool) -> Result<Exit, Failure> {
    let store = at.open().await?;
    let age = Millis::try_from(args.older_than.as_millis()).unwrap_or(Millis::MAX);
    let now = SystemClock.now();
    let pruning = Pruning::of(&*store, now, now.saturating_sub(age)).await?;
    let mut judged = pruning.judged(args.keep).await?;
    let going = judged.iter().filter(|one| one.kept.is_none()).count();
    if !args.dry_run && !args.yes && going > 0 {
        tell(&judged, false, json);
        return Err(Failure::input(
            "prune-not-agreed",
            format!("{going} runs would be deleted for good"),
            "look at them, then give --yes; `reinstate report RUN` keeps what is worth keeping",
        ));
    }
    if args.dry_run {
        tell(&judged, false, json);
        return Ok(Exit::Done);
    }
    let holder = server::holder();
    for one in judged.iter_mut().filter(|one| one.kept.is_none()) {
        one.kept = pruning.prune(&one.run, &holder).await?;
    }
    let freed = runtime::free_all(&*store).await?;
    tell(&judged, true, json);
    let spare = store.spare().await?;
    let text = format!("{freed} bytes were freed; the store has {spare} to spare, which later runs take first");
    if json {
        out::json(&json!({ "freed": freed, "spare": spare }))
    } else {
        out::note(&text)
    }
    Ok(Exit::Done)
}

fn tell(judged: &[Judged], is_done: bool, json: bool) {
    let lines = judged.iter().map(|one| {
        let ended = one.ended_at.map(report::stamp);
        if json {
            let deleted = one.kept.is_none();
            return json!({ "run": one.run, "ended": ended, "deleted": deleted && is_done, "kept": one.kept })
                .to_string();
        }
        let what = match (&one.kept, is_done) {
            (None, true) => "deleted".to_owned(),
            (None, false) => "would be deleted".to_owned(),
            (Some(why), _) => format!("kept: {why}"),
        };
        report::plain(&format!("{:<40} {:<24} {what}", one.run, ended.unwrap_or_default()))
    });
    out::answer(&lines.collect::<Vec<_>>().join("\n"));
}

/// Lists the runs of a store.
async fn list(args: &Runs, json: bool) -> Result<Exit, Failure> {
    let journal = args.store.open().await?;
    let list = journal.list().await?;
    if json {
        let list: Vec<_> = list
            .iter()
            .map(|summary| {
                json!({
                    "run": summary.head.run, "plan": summary.head.plan_hash, "created_at": summary.head.created_at,
                    "groups": summary.groups, "driven_by": summary.held_by,
                })
            })
            .collect();
        out::json(&list);
        return Ok(Exit::Done);
    }
    if list.is_empty() {
        out::note(&format!("there are no runs in {}", args.store));
        return Ok(Exit::Done);
    }
    let lines: Vec<String> = list
        .iter()
        .map(|summary| {
            let created = chrono::DateTime::from_timestamp_millis(summary.head.created_at).unwrap_or_default();
            let held = summary.held_by.as_ref().map_or_else(String::new, |holder| format!("  driven by {holder}"));
            format!("{:<40} {}{held}", summary.head.run, created.format("%Y-%m-%d %H:%M:%SZ"))
        })
        .collect();
    out::answer(&lines.join("\n"));
    Ok(Exit::Done)
}
