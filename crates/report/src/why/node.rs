//! What one step waits for, for one key.

use engine::{Mode, NodeIx, NodeState, Plan, Run, Scope, UnitIx, UnitState, Wait};

use crate::duration::{count, span};
use crate::why::Asked;
use crate::why::reason::{needed, reason};

/// Sentences about one node: what is in flight, what failed, what it waits for.
pub(super) fn of_node(asked: &Asked<'_>, node: NodeIx) -> Vec<String> {
    let (run, now) = (asked.run, asked.now);
    let plan = run.plan();
    let name = node_name(plan, node);
    let mut lines = Vec::new();
    if let Some(failure) = run.unevaluable(node) {
        lines.push(format!(
            "{name} could not be evaluated: {}: {}{}",
            failure.code,
            failure.message,
            hint(&failure.hint)
        ));
    }
    for unit in run.units_of(node).map(UnitIx) {
        if let Some(flight) = run.flight(unit) {
            lines.push(format!(
                "{} is in flight: attempt {}{}, started {} ago, ends by time-out in {} at the latest",
                run.unit_name(unit),
                flight.attempt,
                mode_words(flight.mode),
                span(now.saturating_sub(flight.started_at).max(0)),
                span(flight.deadline.saturating_sub(now).max(0)),
            ));
        }
        let told = matches!(
            run.unit_state(unit),
            Some(UnitState::Failed | UnitState::Degraded | UnitState::Parked | UnitState::Stuck | UnitState::Backoff)
        );
        if let Some(failure) = run.failure(unit).filter(|_| told) {
            lines.push(format!(
                "{} failed in attempt {}: {}: {}{}",
                run.unit_name(unit),
                run.attempts(unit),
                failure.code,
                failure.message,
                hint(&failure.hint)
            ));
        }
    }
    if let Some(wait) = run.why(node) {
        lines.push(format!("{name} waits for {}", reason(asked, &wait, waiting_unit(run, node))));
        if matches!(wait, Wait::Needs(_)) {
            lines.extend(needed(asked, node));
        }
        lines.extend(what_to_type(asked, node));
    }
    if lines.is_empty() {
        let state = match run.node_state(node) {
            NodeState::Succeeded => "has succeeded",
            NodeState::Skipped if run.came_too_late(node) => {
                "was skipped: an amendment would have it run, but came too late for it"
            }
            NodeState::Skipped => "was skipped: its condition is false or it has no item",
            NodeState::Degraded => "is degraded",
            NodeState::Failed => "has failed",
            NodeState::Cancelled => "will not run: a need failed or its site is out",
            NodeState::Undone => "was taken back",
            NodeState::Undoing => "is being taken back",
            NodeState::Waiting | NodeState::Undecided | NodeState::Active => "is about to go on",
        };
        lines.push(format!("{name} {state}"));
    }
    lines
}

/// What follows the number of an attempt.
fn mode_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Apply => "",
        Mode::Probe => ", asking whether its effect is there",
        Mode::Undo => ", taking it back",
        Mode::ProbeUndo => ", asking whether it was taken back",
    }
}

/// The unit of a node that what is said of the node is about.
pub(super) fn waiting_unit(run: &Run, node: NodeIx) -> Option<UnitIx> {
    let state = |unit: &UnitIx| run.unit_state(*unit);
    let waits = |unit: &UnitIx| {
        matches!(state(unit), Some(UnitState::Ready | UnitState::Parked | UnitState::Stuck | UnitState::Asked))
    };
    run.units_of(node).map(UnitIx).find(waits)
}

/// Commands for the units of a node that wait for an operator, the first of them written out.
fn what_to_type(asked: &Asked<'_>, node: NodeIx) -> Vec<String> {
    let (run, typed) = (asked.run, asked.typed);
    let waits = |unit: &UnitIx| run.unit_state(*unit).is_some_and(UnitState::waits_for_operator);
    let mut units = run.units_of(node).map(UnitIx).filter(waits);
    let Some(unit) = units.next() else { return Vec::new() };
    let more = units.count() as u64;
    let mut lines = match (run.next_mode(unit).is_undo(), run.unit_state(unit)) {
        (true, _) => vec![
            format!("to have it taken back again: {}", typed.retry(run, unit)),
            format!("if it was taken back by hand: {}", typed.mark_done(run, unit)),
            format!("to leave it as it is in the estate: {}", typed.skip(run, unit)),
        ],
        (false, Some(UnitState::Stuck)) => vec![
            format!("to try it again: {}", typed.retry(run, unit)),
            format!("if it was done by hand: {}", typed.mark_done(run, unit)),
            format!("to do without it: {}", typed.skip(run, unit)),
        ],
        (false, _) => vec![format!("look in the system itself, then say what is true: {}", typed.resolve(run, unit))],
    };
    if more > 0 {
        lines.push(format!("and so for {}", count(more, "more unit of it", "more units of it")));
    }
    lines
}

fn hint(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; hint: {hint}") }
}

pub(super) fn key_words(plan: &Plan, node: NodeIx) -> String {
    let (step, key) = plan.node_at(node);
    let scope = plan.step(step).scope;
    match scope {
        Scope::Run => "the run".to_owned(),
        _ => format!("{} {}", crate::report::scope_name(plan, scope), plan.key_name(scope, key)),
    }
}

pub(super) fn node_name(plan: &Plan, node: NodeIx) -> String {
    let (step, _) = plan.node_at(node);
    format!("step {} for {}", plan.step(step).name, key_words(plan, node))
}
