//! What people had to decide, what they said, and what still waits for them.

use std::collections::BTreeSet;

use engine::{Approval, Gate, Millis, Request, Run};

use crate::duration::{seconds, stamp};
use crate::fold::{Fold, GateLog, Word, missing};
use crate::report::exceptions::place;
use crate::report::people::{ApprovalReport, DecisionReport};
use crate::report::spread::narrow;

/// Every gate that waits, the one that lapses first before others, then those that were decided, in order.
pub(super) fn approvals(fold: &Fold) -> Vec<ApprovalReport> {
    let run = fold.run();
    let mut open: Vec<Request<'_>> = run.requests().collect();
    open.sort_by_key(|request| (request.due.is_none(), request.due, request.gate));
    let mut list: Vec<ApprovalReport> = open.iter().map(|request| waiting(fold, request)).collect();
    let waits: BTreeSet<Gate> = open.iter().map(|request| request.gate).collect();
    for log in &fold.gates.all {
        let told =
            waits.contains(&log.gate) && fold.gates.of_open(log.gate).is_some_and(|open| std::ptr::eq(open, log));
        if let Some(approval) = run.approval(log.gate).filter(|_| !told) {
            list.push(decided(fold, log, approval));
        }
    }
    list
}

fn waiting(fold: &Fold, request: &Request<'_>) -> ApprovalReport {
    let decisions = fold.gates.of_open(request.gate).map(|log| said(fold, log)).unwrap_or_default();
    let state = if request.due.is_some() { "waiting" } else { "lapsed_paused" };
    let missing = u16::try_from(missing(request)).unwrap_or(u16::MAX);
    row(fold, request.gate, request.approval, request.since, state, request.due, missing, decisions)
}

fn decided(fold: &Fold, log: &GateLog, approval: &Approval) -> ApprovalReport {
    let state = log.end.map_or("withdrawn", name);
    row(fold, log.gate, approval, log.since, state, None, 0, said(fold, log))
}

fn said(fold: &Fold, log: &GateLog) -> Vec<DecisionReport> {
    let decision = |said: &crate::fold::Decided| DecisionReport {
        decision: name(said.word),
        actor: (!said.actor.is_empty()).then(|| said.actor.to_string()),
        reason: said.reason.to_string(),
        at: stamp(said.at),
        after_s: seconds(fold.since_opening(said.at)),
        plan: said.plan.to_string(),
    };
    log.decisions.iter().map(decision).collect()
}

#[expect(clippy::too_many_arguments, reason = "one row, one line each")]
fn row(
    fold: &Fold,
    gate: Gate,
    approval: &Approval,
    since: Millis,
    state: &'static str,
    due: Option<Millis>,
    missing: u16,
    decisions: Vec<DecisionReport>,
) -> ApprovalReport {
    let (run, plan) = (fold.run(), fold.plan());
    let (kind, step) = match gate {
        Gate::Start => ("start", None),
        Gate::Batch(_) => ("batch", None),
        Gate::Unit(unit) => ("step", run.unit_at(unit).map(|(node, _)| plan.node_at(node).0)),
    };
    ApprovalReport {
        gate: run.gate_name(gate),
        kind,
        step: step.map(|step| plan.step(step).name.clone()).unwrap_or_default(),
        place: step.map(|step| place(plan, step)).unwrap_or_default(),
        sites: sites_behind(run, gate),
        asked: stamp(since),
        asked_by: run.opened_by().to_owned(),
        from: approval.from.clone(),
        needed: approval.min.max(1),
        missing,
        state,
        due: due.map(stamp),
        decisions,
    }
}

/// Sites that wait behind a gate.
pub(crate) fn sites_behind(run: &Run, gate: Gate) -> u32 {
    match gate {
        Gate::Start => run.plan().site_count(),
        Gate::Batch(batch) => run.plan().batch_sites(batch).end - run.plan().batch_sites(batch).start,
        Gate::Unit(unit) => narrow(run.covers(unit, usize::MAX).len()),
    }
}

fn name(word: Word) -> &'static str {
    match word {
        Word::Approved => "approved",
        Word::Rejected => "rejected",
        Word::Lapsed => "lapsed",
    }
}
