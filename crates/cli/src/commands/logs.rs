//! `logs`: the events of a run, as they lie in the journal.

use std::collections::VecDeque;

use engine::{Again, Decree, Event, Gate, Mode, Record, Ruling, Run, SiteIx, UnitIx};
use serde_json::{Value, json};

use crate::args::Logs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;
use crate::progress::what_follows;

/// Prints events, oldest first.
pub(crate) async fn logs(args: &Logs, json: bool) -> Result<Exit, Failure> {
    let journal = store::open(&args.of.stored.store).await?;
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
        kept.push_back(if json { as_json(run, record, Some(undo)).to_string() } else { event_text(run, record, undo) });
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
    let by_site = args.site.as_ref().is_none_or(|site| sites_of(run, &record.event).iter().any(|id| id == site));
    let by_step = args.step.as_ref().is_none_or(|step| {
        subject(run, &record.event).is_some_and(|subject| subject.split('/').next() == Some(step.as_str()))
    });
    by_site && by_step
}

/// The IDs of the sites that an event is about, for events about one site or a unit of it.
fn sites_of(run: &Run, event: &Event) -> Vec<String> {
    let id = |site: SiteIx| run.plan().spec().sites.id(site).to_owned();
    match (event, unit_of(event)) {
        (
            Event::SiteEnded { site, .. }
            | Event::TakenOut { site, .. }
            | Event::SiteAdopted { site, .. }
            | Event::Retried { what: Again::Site(site) | Again::From(site, _), .. },
            _,
        ) => vec![id(*site)],
        (
            Event::Overruled { node, .. }
            | Event::Decided { node, .. }
            | Event::Expanded { node, .. }
            | Event::Unevaluable { node, .. },
            _,
        ) => {
            let (step, key) = run.plan().node_at(*node);
            run.plan().sites_of(run.plan().step(step).scope, key).map(id).collect()
        }
        (_, Some(unit)) => run.covers(unit, usize::MAX).into_iter().map(id).collect(),
        _ => vec![],
    }
}

fn unit_of(event: &Event) -> Option<UnitIx> {
    match event {
        Event::Started { unit, .. }
        | Event::Succeeded { unit, .. }
        | Event::Refused { unit, .. }
        | Event::InDoubt { unit, .. }
        | Event::Ruled { unit, .. }
        | Event::Approved { gate: Gate::Unit(unit), .. }
        | Event::Rejected { gate: Gate::Unit(unit), .. }
        | Event::Lapsed { gate: Gate::Unit(unit) }
        | Event::Retried { what: Again::Unit(unit), .. } => Some(*unit),
        _ => None,
    }
}

/// What an event is about: a unit, a node, a site or a batch.
fn subject(run: &Run, event: &Event) -> Option<String> {
    let plan = run.plan();
    match event {
        Event::Decided { node, .. } | Event::Expanded { node, .. } | Event::Unevaluable { node, .. } => {
            let (step, key) = plan.node_at(*node);
            Some(format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key)))
        }
        Event::Overruled { node, item, .. } => {
            let (step, key) = plan.node_at(*node);
            let unit = item.map(|item| UnitIx(run.units_of(*node).start.saturating_add(item)));
            let whole = format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key));
            Some(unit.map_or(whole, |unit| run.unit_name(unit)))
        }
        Event::SiteEnded { site, .. }
        | Event::TakenOut { site, .. }
        | Event::SiteAdopted { site, .. }
        | Event::Retried { what: Again::Site(site), .. } => Some(plan.spec().sites.id(*site).to_owned()),
        Event::Retried { what: Again::From(site, step), .. } => {
            Some(format!("{} from {} on", plan.spec().sites.id(*site), plan.step(*step).name))
        }
        Event::Retried { what: Again::Quarantined, .. } => Some("every quarantined site".to_owned()),
        Event::Approved { gate: gate @ (Gate::Start | Gate::Batch(_)), .. }
        | Event::Rejected { gate: gate @ (Gate::Start | Gate::Batch(_)), .. }
        | Event::Lapsed { gate: gate @ (Gate::Start | Gate::Batch(_)) } => Some(report::gate_word(run, *gate)),
        Event::Granted { instance, .. } => {
            let (pool, key) = plan.pool_of(*instance);
            plan.spec().pools.get(pool.ix()).map(|pool| match pool.per {
                Some(per) => format!("pool {}[{}]", pool.name, plan.key_name(per, key)),
                None => format!("pool {}", pool.name),
            })
        }
        Event::PoolSet { pool, .. } => plan.spec().pools.get(pool.ix()).map(|pool| format!("pool {}", pool.name)),
        Event::BatchOpened { batch } | Event::BatchSettled { batch } | Event::BudgetExceeded { batch } => {
            Some(format!("batch {}", batch.0 + 1))
        }
        event => unit_of(event).map(|unit| run.unit_name(unit)),
    }
}

/// What is told of an event; `undo` says whether it settles something that is being taken back, if that is known.
fn detail(event: &Event, undo: Option<bool>) -> Option<String> {
    Some(match event {
        Event::Opened { actor, plan } => format!("by {actor}, plan {plan}"),
        Event::Adopted { epoch, holder } => format!("by {holder}, epoch {epoch}"),
        Event::Started { attempt, mode: Mode::Apply, .. } => format!("attempt {attempt}"),
        Event::Started { attempt, mode: Mode::Probe, .. } => format!("attempt {attempt}, a probe"),
        Event::Started { attempt, mode: Mode::Undo, .. } => format!("attempt {attempt}, an undo"),
        Event::Started { attempt, mode: Mode::ProbeUndo, .. } => format!("attempt {attempt}, a probe of the undo"),
        Event::Refused { failure, then, .. } | Event::InDoubt { failure, then, .. } => {
            format!("[{}] {}; {}", failure.code, failure.message, what_follows(*then))
        }
        Event::Unevaluable { failure, .. } => format!("[{}] {}", failure.code, failure.message),
        Event::Decided { runs, .. } => if *runs { "runs" } else { "skipped" }.to_owned(),
        Event::Expanded { items, .. } => format!("{} items", items.len()),
        Event::SiteEnded { end, .. } => format!("{end:?}").to_lowercase(),
        Event::Ended { end } => format!("{end:?}"),
        Event::Paused { actor, reason } | Event::Continued { actor, reason } | Event::Cancelled { actor, reason } => {
            format!("by {actor}: {reason}")
        }
        Event::Ruled { ruling, actor, reason, .. } => {
            let ruling = match (ruling, undo) {
                (Ruling::Done, Some(false)) => "done",
                (Ruling::Done, Some(true)) => "taken back",
                (Ruling::Again, Some(false)) => "not done",
                (Ruling::Again, Some(true)) => "not taken back yet",
                (Ruling::GiveUp, Some(false)) => "given up",
                (Ruling::GiveUp, Some(true)) => "left as it is, not taken back",
                (Ruling::Done, None) => "`resolve done`",
                (Ruling::Again, None) => "`resolve not-done`",
                (Ruling::GiveUp, None) => "`resolve give-up`",
            };
            format!("{ruling}, by {actor}: {reason}")
        }
        Event::Clock
        | Event::Succeeded { .. }
        | Event::BatchOpened { .. }
        | Event::BatchSettled { .. }
        | Event::BudgetExceeded { .. } => return None,
        Event::Rejected { actor, reason, .. }
        | Event::Approved { actor, reason, .. }
        | Event::Retried { actor, reason, .. }
        | Event::Unwinding { actor, reason }
        | Event::Amended { actor, reason, .. } => format!("by {actor}: {reason}"),
        Event::Lapsed { .. } => "nobody decided in time".to_owned(),
        Event::Overruled { how, actor, reason, .. } => {
            let how = match (how, undo) {
                (Decree::Skip, Some(false)) => "skipped",
                (Decree::Skip, Some(true)) => "left as it is, not taken back,",
                (Decree::Done { .. }, Some(false)) => "marked done",
                (Decree::Done { .. }, Some(true)) => "marked as taken back",
                // Of the step or of its undo: what was typed is true of both.
                (Decree::Skip, None) => "`skip`",
                (Decree::Done { .. }, None) => "`mark-done`",
            };
            format!("{how} by {actor}: {reason}")
        }
        Event::TakenOut { how, actor, reason, .. } => format!("{how:?} by {actor}: {reason}").to_lowercase(),
        Event::SiteAdopted { from, actor, reason, .. } => format!("from run {from} by {actor}: {reason}"),
        Event::PoolSet { slots, actor, reason, .. } => format!("{slots} slots, by {actor}: {reason}"),
        Event::Granted { slots, sharers, .. } => format!("{slots} slots, {sharers} runs share them"),
        Event::Closing { end } => format!("{end:?}"),
    })
}

fn time(at: i64) -> String {
    chrono::DateTime::from_timestamp_millis(at).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn event_text(run: &Run, record: &Record, undo: bool) -> String {
    let subject = subject(run, &record.event).unwrap_or_default();
    let detail = detail(&record.event, Some(undo)).unwrap_or_default();
    let text = format!("{} {:<15} {subject} {detail}", time(record.at), record.event.name());
    report::plain(text.trim_end())
}

/// An event as JSON, with names instead of numbers, of a run that may be ahead of it.
pub(crate) fn event_json(run: &Run, record: &Record) -> Value {
    as_json(run, record, None)
}

fn as_json(run: &Run, record: &Record, undo: Option<bool>) -> Value {
    json!({
        "at": time(record.at),
        "event": record.event.name(),
        "subject": subject(run, &record.event),
        "detail": detail(&record.event, undo),
    })
}
