//! Every site that did not return cleanly, with the unit that is to blame, its place in the runbook, and the next move.

use std::collections::BTreeMap;

use engine::{Failure, KeyIx, NodeIx, NodeState, Plan, Run, RunEnd, Scope, SiteEnd, SiteIx, StepIx, UnitIx, UnitState};

use crate::fold::Fold;
use crate::report::rows::{Cause, ExceptionReport, SharedFailure, WaitingUnit};
use crate::report::rows_of::site_state;
use crate::report::spread::narrow;

/// Example sites shown of a cause.
const EXAMPLES: usize = 5;

/// Place of a step in the runbook, `file:line:column`.
pub(crate) fn place(plan: &Plan, step: StepIx) -> String {
    let place = plan.step(step).place;
    format!("{}:{}:{}", plan.spec().origin.runbook_file, place.line, place.column)
}

/// What is to blame at a node: its first bad unit, or its condition.
struct Blame {
    node: NodeIx,
    unit: Option<UnitIx>,
    failure: Failure,
    /// Further bad units of the node.
    more: u32,
}

fn blame(run: &Run, node: NodeIx) -> Blame {
    if let Some(failure) = run.unevaluable(node) {
        return Blame { node, unit: None, failure: failure.clone(), more: 0 };
    }
    let bad = |unit: &UnitIx| matches!(run.unit_state(*unit), Some(UnitState::Failed | UnitState::Degraded));
    let mut units = run.units_of(node).map(UnitIx).filter(bad);
    let unit = units.next();
    let more = narrow(units.count());
    let failure = unit.and_then(|unit| run.failure(unit)).cloned().unwrap_or_else(|| Failure {
        code: "given_up".into(),
        message: "given up by an operator before any attempt had failed".into(),
        hint: "".into(),
    });
    Blame { node, unit, failure, more }
}

/// Bad nodes that cover a site, the one that put it out first.
fn bad_nodes(run: &Run, site: SiteIx) -> Vec<NodeIx> {
    let plan = run.plan();
    let out_by = run.out_by(site);
    let mut nodes: Vec<NodeIx> = out_by.into_iter().collect();
    for step in plan.steps() {
        let Some(key) = plan.covering_key(Scope::Site, KeyIx(site.0), plan.step(step).scope) else { continue };
        let node = plan.node(step, key);
        let bad = matches!(run.node_state(node), NodeState::Failed | NodeState::Degraded);
        if bad && Some(node) != out_by {
            nodes.push(node);
        }
    }
    nodes
}

/// Exceptions of a run, in the plan's order.
pub(super) fn exceptions(fold: &Fold, end: Option<RunEnd>) -> Vec<ExceptionReport> {
    let run = fold.run();
    let plan = run.plan();
    let fallen: std::collections::BTreeSet<SiteIx> = fold.fallen.iter().copied().collect();
    let mut list = Vec::new();
    for site in (0..plan.site_count()).map(SiteIx) {
        let state = match (run.site_end(site), run.out_by(site), end) {
            (Some(SiteEnd::Returned), None, _) => continue,
            (None, None, None) => continue,
            (None, None, Some(_)) if run.batch_times(plan.batch_of(site)).0.is_none() => "never_started",
            (None, None, Some(_)) => "unfinished",
            (Some(SiteEnd::Returned) | None, Some(_), _) => "quarantined",
            (Some(_), _, _) => site_state(run, site),
        };
        let nodes = bad_nodes(run, site);
        let mut exception = ExceptionReport {
            site: plan.spec().sites.id(site).to_owned(),
            row: plan.spec().sites.source_rows.get(site.ix()).copied().unwrap_or(0),
            batch: u32::from(plan.batch_of(site).0) + 1,
            state,
            step: String::new(),
            unit: String::new(),
            code: String::new(),
            message: match state {
                "never_started" => "the run ended before its batch opened".to_owned(),
                "unfinished" => "the run ended while it was under way".to_owned(),
                _ => String::new(),
            },
            hint: match state {
                "never_started" | "unfinished" => "plan a new run over the sites that are not back".to_owned(),
                _ => String::new(),
            },
            place: String::new(),
            attempts: 0,
            in_doubt: nodes.iter().any(|&node| run.units_of(node).any(|unit| run.in_doubt(UnitIx(unit)))),
            more: 0,
            was_back: fallen.contains(&site),
        };
        if let Some(&node) = nodes.first() {
            let blame = blame(run, node);
            exception.more = blame.more + narrow(nodes.len() - 1);
            let (step, key) = plan.node_at(blame.node);
            exception.step = plan.step(step).name.clone();
            exception.unit = unit_name(run, &blame, step, key);
            exception.place = place(plan, step);
            exception.attempts = blame.unit.map_or(0, |unit| run.attempts(unit));
            exception.code = blame.failure.code.into();
            exception.message = blame.failure.message.into();
            exception.hint = blame.failure.hint.into();
        }
        list.push(exception);
    }
    list
}

fn unit_name(run: &Run, blame: &Blame, step: StepIx, key: KeyIx) -> String {
    let plan = run.plan();
    match blame.unit {
        Some(unit) => run.unit_name(unit),
        None => format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key)),
    }
}

/// Exceptions grouped by what they have in common: sites that are not back first, then most sites first.
pub(super) fn causes(exceptions: &[ExceptionReport]) -> Vec<Cause> {
    let mut groups: BTreeMap<(&str, &str, &str), Cause> = BTreeMap::new();
    for exception in exceptions {
        let cause = groups.entry((exception.state, &exception.step, &exception.code)).or_insert_with(|| Cause {
            step: exception.step.clone(),
            place: exception.place.clone(),
            code: exception.code.clone(),
            state: exception.state,
            sites: 0,
            message: exception.message.clone(),
            hint: exception.hint.clone(),
            examples: Vec::new(),
        });
        cause.sites += 1;
        if cause.examples.len() < EXAMPLES {
            cause.examples.push(exception.site.clone());
        }
    }
    let mut causes: Vec<Cause> = groups.into_values().collect();
    let mild = |cause: &Cause| !matches!(cause.state, "quarantined" | "unfinished");
    causes.sort_by_key(|cause| (mild(cause), std::cmp::Reverse(cause.sites)));
    causes
}

/// Failed and degraded units of steps that sites share.
pub(super) fn shared_failures(run: &Run) -> Vec<SharedFailure> {
    let plan = run.plan();
    let mut list = Vec::new();
    for step in plan.steps().filter(|&step| plan.step(step).scope != Scope::Site) {
        let scope = plan.step(step).scope;
        for key in (0..plan.key_count(scope)).map(KeyIx) {
            let node = plan.node(step, key);
            let state = match run.node_state(node) {
                NodeState::Failed => "failed",
                NodeState::Degraded => "degraded",
                _ => continue,
            };
            let blame = blame(run, node);
            list.push(SharedFailure {
                step: plan.step(step).name.clone(),
                unit: unit_name(run, &blame, step, key),
                state,
                place: place(plan, step),
                attempts: blame.unit.map_or(0, |unit| run.attempts(unit)),
                sites: narrow(plan.sites_of(scope, key).count()),
                code: blame.failure.code.into(),
                message: blame.failure.message.into(),
                hint: blame.failure.hint.into(),
            });
        }
    }
    list
}

/// Units that wait for an operator, in the order of their numbers.
pub(super) fn waiting_for_operator(run: &Run) -> Vec<WaitingUnit> {
    let plan = run.plan();
    run.for_operator()
        .filter_map(|unit| {
            let (node, _) = run.unit_at(unit)?;
            let (step, key) = plan.node_at(node);
            let stuck = run.unit_state(unit) == Some(UnitState::Stuck);
            let failure = run.failure(unit);
            let (fact, hint) = if stuck {
                (
                    "it failed and its step says on_failure: pause",
                    "repair the cause, then rule that it be applied again or given up",
                )
            } else {
                (
                    "a driver was gone while it was in flight, and its action can neither be probed nor repeated",
                    "look in the system itself, then rule: its effect is there, apply it again, or give it up",
                )
            };
            let hint = failure.map(|failure| &*failure.hint).filter(|hint| !hint.is_empty()).unwrap_or(hint);
            Some(WaitingUnit {
                step: plan.step(step).name.clone(),
                unit: run.unit_name(unit),
                number: unit.0,
                state: if stuck { "stuck" } else { "parked" },
                code: failure.map(|failure| failure.code.to_string()).unwrap_or_default(),
                message: failure.map_or(fact, |failure| &*failure.message).to_owned(),
                hint: hint.to_owned(),
                place: place(plan, step),
                attempts: run.attempts(unit),
                sites: narrow(plan.sites_of(plan.step(step).scope, key).count()),
            })
        })
        .collect()
}
