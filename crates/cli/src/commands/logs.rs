//! `logs`: the events of a run, as they lie in the journal, or what the attempts of one unit did.

use std::collections::VecDeque;

use engine::{Record, Run};

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
    let journal = args.of.stored.store.open().await?;
    let mut kept: VecDeque<String> = VecDeque::new();
    let most = args.tail.unwrap_or(usize::MAX);
    // The run as it was before each event: only there a decree on a step and one on its undo differ.
    let mut before: Option<Run> = None;
    let recovered = runtime::recover(&*journal, &args.of.name, |run, record| {
        let before = before.get_or_insert_with(|| Run::new(run.plan().clone()));
        let undo = report::settles_undo(before, &record.event);
        // What does not fit is refused by the recovery itself.
        let _ = before.apply(record);
        if !wanted(run, record, args) {
            return;
        }
        kept.push_back(if json {
            report::event_json(run, record, Some(undo)).to_string()
        } else {
            report::event_line(run, record, undo)
        });
        if kept.len() > most {
            kept.pop_front();
        }
    })
    .await?;
    known(recovered.run.plan(), args)?;
    out::answer(&kept.into_iter().collect::<Vec<_>>().join("\n"));
    Ok(Exit::Done)
}

/// Refuses names that the run does not have: they must not look like "nothing happened".
fn known(plan: &engine::Plan, args: &Logs) -> Result<(), Failure> {
    if let Some(site) = args.site.as_ref().filter(|site| !plan.spec().sites.ids.iter().any(|id| id == site.as_str())) {
        return Err(Failure::input(
            "logs-site",
            format!("the run has no site `{}`", site.escape_debug()),
            format!("`reinstate sites {}` lists them", args.of.name),
        ));
    }
    if let Some(step) = args.step.as_ref().filter(|step| !plan.spec().steps.iter().any(|one| one.name == **step)) {
        let names: Vec<&str> = plan.spec().steps.iter().take(50).map(|step| step.name.as_str()).collect();
        return Err(Failure::input(
            "logs-step",
            format!("the run has no step `{}`", step.escape_debug()),
            format!("its steps are {}", names.join(", ")),
        ));
    }
    Ok(())
}

fn wanted(run: &Run, record: &Record, args: &Logs) -> bool {
    let by_site =
        args.site.as_ref().is_none_or(|site| report::sites_of(run, &record.event).iter().any(|id| id == site));
    let by_step = args.step.as_ref().is_none_or(|step| {
        report::event_subject(run, &record.event)
            .is_some_and(|subject| subject.split('/').next() == Some(step.as_str()))
    });
    by_site && by_step
}
