//! Commands that look at a run: `status`, `runs`, `sites`, `why`. None takes the lease; all read the journal.

use engine::{RunEnd, Status};
use runtime::{Clock, Journal, Recovered, SystemClock};
use serde_json::json;

use crate::args::{OfRun, SitesOf, Stored, Why};
use crate::commands::report::fold_all;
use crate::commands::run::rule_hint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

async fn recovered(name: &str, stored: &Stored) -> Result<(Recovered, Option<String>), Failure> {
    let journal = stored.store.open().await?;
    let recovered = runtime::recover(&*journal, name, |_, _| {}).await?;
    let held = holder_of(&*journal, name).await?;
    Ok((recovered, held))
}

async fn holder_of(journal: &dyn Journal, name: &str) -> Result<Option<String>, Failure> {
    Ok(journal.list().await?.into_iter().find(|summary| summary.head.run == name).and_then(|summary| summary.held_by))
}

/// Shows how far a run is.
pub(crate) async fn status(args: &OfRun, json: bool) -> Result<Exit, Failure> {
    let journal = args.stored.store.open().await?;
    let (fold, tail) = fold_all(&*journal, &args.name).await?;
    let held = holder_of(&*journal, &args.name).await?;
    let run = fold.run();
    let on_word = fold.on_a_persons_word();
    let rest = if tail.groups() == 0 { None } else { fold.rest(SystemClock.now()) };
    let tally = run.tally();
    let status = run.status();
    if json {
        let standing = report::standing(run);
        out::json(&json!({
            "run": args.name, "plan": run.plan().hash(), "status": word(&status), "driven_by": held,
            "sites": run.plan().site_count(), "waiting": tally.waiting, "restoring": tally.restoring,
            "returned": tally.returned, "degraded": tally.degraded, "quarantined": tally.quarantined,
            "in_flight": run.in_flight(), "ready": run.ready_units(),
            "sites_by_state": standing.sites_by_state, "approvals": standing.approvals, "pools": standing.pools,
            "for_operator": standing.for_operator, "on_a_persons_word": on_word,
            "forecast": rest,
        }));
    } else {
        out::answer(&report::status_line(run, SystemClock.now()));
        if on_word > 0 {
            let units = if on_word == 1 { "unit" } else { "units" };
            out::answer(&format!("{on_word} {units} settled on a person's word; `report` names who and why"));
        }
        if let Some(rest) = &rest {
            out::answer(&format!("forecast: {}", report::rest_line(rest)));
        }
        match (&held, &status) {
            (Some(holder), _) => out::answer(&format!("driven by {holder}")),
            (None, Status::Ended(_)) => {}
            // Resuming would find nothing that it may do.
            (None, _) if run.in_flight() == 0 && run.ready_units() == 0 && run.for_operator().next().is_some() => {
                out::answer(&rule_hint(run, &args.name, &args.stored.store.to_string()));
            }
            (None, _) => out::answer(&format!(
                "nobody drives it: `reinstate resume {} --store {}` goes on",
                args.name, args.stored.store
            )),
        }
    }
    Ok(match status {
        Status::Ended(end) => Exit::of_run(end),
        _ if run.is_waiting_for_operator() => Exit::Waits,
        _ => Exit::Done,
    })
}

/// The status of a run as a word for programs.
fn word(status: &Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::Running => "running",
        Status::Paused { .. } => "paused",
        Status::Aborting => "aborting",
        Status::Cancelling => "cancelling",
        Status::Unwinding => "unwinding",
        Status::Closing => "closing",
        Status::Ended(RunEnd::Succeeded) => "succeeded",
        Status::Ended(RunEnd::SucceededWithExceptions) => "succeeded-with-exceptions",
        Status::Ended(RunEnd::Failed) => "failed",
        Status::Ended(RunEnd::Cancelled) => "cancelled",
    }
}

/// Lists what waits for approval.
pub(crate) async fn approvals(args: &OfRun, json: bool) -> Result<Exit, Failure> {
    let store = args.stored.store.open().await?;
    let run = runtime::recover(&*store, &args.name, |_, _| {}).await?.run;
    let (claims, now) = (store.claims(&args.name).await?, SystemClock.now());
    let claim = |gate: &str| claims.iter().find(|claim| claim.subject == gate && claim.holder(now).is_some());
    let members = |groups: &[String]| -> Vec<String> {
        let of = run.plan().spec().extras.approvers.iter().filter(|group| groups.contains(&group.name));
        let mut names: Vec<String> = of.flat_map(|group| group.members.clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    let requests: Vec<serde_json::Value> = run
        .requests()
        .map(|request| {
            let claim = claim(&report::gate_word(&run, request.gate));
            json!({
                "claimed_by": claim.map(|claim| &claim.who),
                "claimed_until": claim.map(|claim| report::stamp(claim.until)),
                "gate": run.gate_name(request.gate).replace(' ', "-"),
                "from": request.approval.from,
                "people": members(&request.approval.from),
                "needed": request.approval.min,
                "approved_by": request.approved_by,
                "since": report::stamp(request.since),
                "lapses": request.due.map(report::stamp),
                "on_timeout": match request.approval.on_timeout {
                    engine::OnLapse::Reject => "reject",
                    engine::OnLapse::Pause => "pause",
                },
                "checklist": request.checklist,
            })
        })
        .collect();
    if json {
        out::json(
            &json!({ "run": args.name, "plan": run.plan().hash(), "asked_by": run.opened_by(), "waiting": requests }),
        );
        return Ok(Exit::Done);
    }
    if requests.is_empty() {
        out::answer("nothing waits for approval");
    }
    for (request, told) in run.requests().zip(&requests) {
        let gate = told["gate"].as_str().unwrap_or_default();
        let missing = usize::from(request.approval.min) - request.approved_by.len();
        let until =
            request.due.map_or("once the run is continued".to_owned(), |due| format!("until {}", report::stamp(due)));
        let checks: String = request.checklist.iter().map(|item| format!("\n  [ ] {}", report::plain(item))).collect();
        let held = claim(gate).map(|claim| {
            format!("\n  {} has it in hand until {}", report::plain(&claim.who), report::stamp(claim.until))
        });
        let held = held.unwrap_or_default();
        let checked = if checks.is_empty() { "" } else { "--checked " };
        out::answer(&format!(
            "{gate}: {missing} more of {} ({}), {until}{held}{checks}\n  reinstate approve {} {gate} {checked}--reason ... --store {}",
            request.approval.from.join(", "),
            members(&request.approval.from).join(", "),
            args.name,
            args.stored.store,
        ));
    }
    Ok(Exit::Done)
}

/// What `sites --state` knows; a misspelt state must not look like "there are none".
const STATES: [&str; 9] =
    ["waiting", "restoring", "undoing", "returned", "degraded", "quarantined", "undone", "excluded", "released"];

/// Lists the sites of a run.
pub(crate) async fn sites(args: &SitesOf, json: bool) -> Result<Exit, Failure> {
    if let Some(state) = args.state.as_ref().filter(|state| !STATES.contains(&state.as_str())) {
        return Err(Failure::input(
            "sites-state",
            format!("`{}` is no state of a site", state.escape_debug()),
            format!("use one of {}", STATES.join(", ")),
        ));
    }
    let (recovered, _) = recovered(&args.of.name, &args.of.stored).await?;
    let views = report::sites(&recovered.run)
        .filter(|view| args.state.as_ref().is_none_or(|state| view.state == state.as_str()));
    let mut lines = Vec::new();
    for view in views {
        lines.push(if json {
            serde_json::to_string(&view).map_err(|error| Failure::trouble("json", &error, "report this defect"))?
        } else {
            let batch = view.batch.map_or_else(|| "-".to_owned(), |batch| batch.to_string());
            let mut what = vec![view.out_by.clone().unwrap_or_else(|| view.steps.join(", "))];
            what.extend(view.reason.map(str::to_owned));
            what.extend(view.adopted_from.map(|from| format!("adopted from {from}")));
            what.extend((!view.overruled.is_empty()).then(|| format!("by a person: {}", view.overruled.join(", "))));
            let what = what.into_iter().filter(|what| !what.is_empty()).collect::<Vec<_>>().join("; ");
            let line = format!(
                "{:<38} batch {batch:<3} {:<12} {:>3}/{:<3} {what}",
                view.id, view.state, view.settled, view.of
            );
            report::plain(&line)
        });
    }
    out::answer(&lines.join("\n"));
    Ok(Exit::Done)
}

/// Says what a site or step waits for.
pub(crate) async fn why(args: &Why, json: bool) -> Result<Exit, Failure> {
    let (recovered, _) = recovered(&args.name, &args.stored).await?;
    let typed = report::Typed { run: args.name.clone(), store: Some(args.stored.store.to_string()) };
    let reasons = report::why(&recovered.run, &args.subject, SystemClock.now(), &typed)
        .map_err(|error| Failure::input("why-subject", error.to_string(), "give a site's ID or a step's name"))?;
    if json {
        out::json(&reasons);
    } else {
        let reasons: Vec<String> = reasons.iter().map(|reason| report::plain(reason)).collect();
        out::answer(&reasons.join("\n"));
    }
    Ok(Exit::Done)
}
