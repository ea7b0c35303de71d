//! Every site that did not return cleanly, with the unit that is to blame, its place in the runbook, and the next move.

use std::collections::BTreeMap;

use engine::{
    Failure, Gate, KeyIx, NodeIx, NodeState, Plan, Run, RunEnd, Scope, SiteEnd, SiteIx, StepIx, TakeOut, UnitIx,
    UnitState,
};

use crate::fold::{Fold, How, Of, taken_words};
use crate::report::audit;
use crate::report::remains::by;
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
    attempts: u32,
    /// Further bad units of the node.
    more: u32,
}

fn blame(fold: &Fold, node: NodeIx) -> Blame {
    let run = fold.run();
    if let Some(failure) = run.unevaluable(node) {
        return Blame { node, unit: None, failure: failure.clone(), attempts: 0, more: 0 };
    }
    let bad = |unit: &UnitIx| {
        let ended_badly = matches!(run.unit_state(*unit), Some(UnitState::Failed | UnitState::Degraded));
        ended_badly || fold.people.gave_up.contains_key(unit)
    };
    let mut units = run.units_of(node).map(UnitIx).filter(bad);
    let unit = units.next();
    let more = narrow(units.count());
    let said = unit.and_then(|unit| fold.people.said.get(&Of::Unit(unit)));
    let said = said.or_else(|| fold.people.said.get(&Of::Node(node)));
    let gave_up = unit.and_then(|unit| fold.people.gave_up.get(&unit));
    let known = gave_up.map(|how| &*how.failure).or_else(|| unit.and_then(|unit| run.failure(unit)));
    let failure = match (said, known) {
        // What a person said last explains the state; what had failed before is told with it.
        (Some(said), known) if matches!(said.how, How::Skipped | How::GivenUp) => Failure {
            code: format!("operator.{}", said.how.name()).into(),
            message: match known {
                Some(known) => format!("{}; before that {}: {}", by(said), known.code, known.message).into(),
                None => by(said).into(),
            },
            hint: "".into(),
        },
        (_, Some(known)) => known.clone(),
        (Some(said), None) => {
            Failure { code: format!("operator.{}", said.how.name()).into(), message: by(said).into(), hint: "".into() }
        }
        (None, None) => Failure {
            code: "given_up".into(),
            message: "given up by an operator before any attempt had failed".into(),
            hint: "".into(),
        },
    };
    let failure = if unit.is_some_and(|unit| fold.gates.has_lapsed(Gate::Unit(unit))) {
        Failure { code: "approval.lapsed".into(), ..failure }
    } else {
        failure
    };
    let attempts = gave_up.map_or_else(|| unit.map_or(0, |unit| run.attempts(unit)), |how| how.attempts);
    Blame { node, unit, failure, attempts, more }
}

/// Whether a node is bad only because what it did was to be taken back and stays, which is told elsewhere.
fn only_stays(fold: &Fold, node: NodeIx) -> bool {
    let left = |unit: u32| fold.people.said.get(&Of::Unit(UnitIx(unit))).is_some_and(|said| said.how == How::Left);
    let gave_up = |unit: u32| fold.people.gave_up.contains_key(&UnitIx(unit));
    let mut units = fold.run().units_of(node);
    units.clone().any(left) && !units.any(gave_up)
}

/// Bad nodes that cover a site, the one that put it out first; `finally` is nobody's.
fn bad_nodes(fold: &Fold, site: SiteIx) -> Vec<NodeIx> {
    let run = fold.run();
    let plan = run.plan();
    let out_by = run.out_by(site);
    let mut nodes: Vec<NodeIx> = out_by.into_iter().collect();
    for step in plan.steps().filter(|&step| !plan.step(step).finally) {
        let Some(key) = plan.covering_key(Scope::Site, KeyIx(site.0), plan.step(step).scope) else { continue };
        let node = plan.node(step, key);
        let bad = matches!(run.node_state(node), NodeState::Failed | NodeState::Degraded);
        if bad && Some(node) != out_by && !only_stays(fold, node) {
            nodes.push(node);
        }
    }
    nodes
}

/// How a site stands that has not returned cleanly, or cannot any more; `None` for one that has or may.
fn state(run: &Run, site: SiteIx, end: Option<RunEnd>) -> Option<&'static str> {
    let out = run.out_by(site).is_some();
    Some(match (run.site_end(site), run.taken_out(site), end) {
        _ if run.is_undoing(site) => "undoing",
        (Some(SiteEnd::Returned), None, _) if !out => return None,
        (None, None, None) if !out => return None,
        (None, None, Some(_)) if !out && run.batch_times(run.plan().batch_of(site)).0.is_none() => "never_started",
        (None, None, Some(_)) if !out => "unfinished",
        (Some(SiteEnd::Returned) | None, Some(TakeOut::Exclude), _) => "excluded",
        (Some(SiteEnd::Returned) | None, Some(TakeOut::Release), _) => "released",
        (Some(SiteEnd::Returned) | None, _, _) => "quarantined",
        (Some(_), _, _) => site_state(run, site),
    })
}

/// Exceptions of a run, in the plan's order.
pub(super) fn exceptions(fold: &Fold, end: Option<RunEnd>) -> Vec<ExceptionReport> {
    (0..fold.plan().site_count()).filter_map(|site| exception(fold, SiteIx(site), end)).collect()
}

/// The exception of one site of a run; `None` if it has returned cleanly, or still may.
pub(crate) fn exception(fold: &Fold, site: SiteIx, end: Option<RunEnd>) -> Option<ExceptionReport> {
    let run = fold.run();
    let plan = run.plan();
    let Some(state) = state(run, site, end) else { return discordant(fold, site) };
    let nodes = bad_nodes(fold, site);
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
        was_back: fold.backs.was_back(site),
    };
    if let Some(&node) = nodes.first() {
        let blame = blame(fold, node);
        exception.more = blame.more + narrow(nodes.len() - 1);
        let (step, key) = plan.node_at(blame.node);
        exception.step = plan.step(step).name.clone();
        exception.unit = unit_name(run, &blame, step, key);
        exception.place = place(plan, step);
        exception.attempts = blame.attempts;
        exception.code = blame.failure.code.into();
        exception.message = blame.failure.message.into();
        exception.hint = blame.failure.hint.into();
    }
    if let Some((code, message)) = by_person(fold, site) {
        let stays = if run.is_left(site) { "something of it stays; see what remains in the estate" } else { "" };
        exception.hint = stays.to_owned();
        exception.message = match exception.code.as_str() {
            "" => message,
            failed => format!("{message}; before that {failed}: {}", exception.message),
        };
        exception.code = code;
    }
    Some(exception)
}

/// The exception of a site that is back with stores that do not stand at one point.
fn discordant(fold: &Fold, site: SiteIx) -> Option<ExceptionReport> {
    let (run, plan) = (fold.run(), fold.plan());
    let discord = audit::discord(fold, site)?;
    let scope = plan.step(discord.step).scope;
    let key = plan.covering_key(Scope::Site, KeyIx(site.0), scope)?;
    let name = &plan.step(discord.step).name;
    Some(ExceptionReport {
        site: plan.spec().sites.id(site).to_owned(),
        row: plan.spec().sites.source_rows.get(site.ix()).copied().unwrap_or(0),
        batch: u32::from(plan.batch_of(site).0) + 1,
        state: site_state(run, site),
        step: name.clone(),
        unit: format!("{name}/{}", plan.key_name(scope, key)),
        code: discord.code.to_owned(),
        message: discord.message,
        hint: discord.hint.to_owned(),
        place: place(plan, discord.step),
        attempts: run.units_of(plan.node(discord.step, key)).next().map_or(0, |unit| run.attempts(UnitIx(unit))),
        in_doubt: false,
        more: discord.more,
        was_back: fold.backs.was_back(site),
    })
}

/// Who took a site out, as code and words.
fn by_person(fold: &Fold, site: SiteIx) -> Option<(String, String)> {
    let (how, (actor, reason)) = match (fold.run().taken_out(site), &fold.unwound) {
        (Some(how), _) => (how, fold.people.taken.get(&site)?),
        // The whole run is taken back; what was out before keeps its own cause.
        (None, Some(who)) if fold.run().out_by(site).is_none() && fold.run().site_end(site).is_some() => {
            (TakeOut::Undo, who)
        }
        (None, _) => return None,
    };
    let word = taken_words(how);
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Some((format!("operator.{}", word.replace(' ', "_")), format!("{word} by {actor}{why}")))
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
    let mut groups: BTreeMap<(&str, &str, &str, &str), Cause> = BTreeMap::new();
    for exception in exceptions {
        // What one person said of one site is not what another said of the next.
        let personal = exception.code.starts_with("operator.") || exception.code.starts_with("approval.");
        let message = if personal { exception.message.as_str() } else { "" };
        let key = (exception.state, exception.step.as_str(), exception.code.as_str(), message);
        let cause = groups.entry(key).or_insert_with(|| Cause {
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
    let mild = |cause: &Cause| !matches!(cause.state, "quarantined" | "unfinished" | "returned");
    causes.sort_by_key(|cause| (mild(cause), std::cmp::Reverse(cause.sites)));
    causes
}

/// Failed and degraded units of steps that sites share.
pub(super) fn shared_failures(fold: &Fold) -> Vec<SharedFailure> {
    let plan = fold.plan();
    failures(fold, |step| plan.step(step).scope != Scope::Site && !plan.step(step).finally)
}

/// Failed and degraded units of `finally`.
pub(super) fn finally_failures(fold: &Fold) -> Vec<SharedFailure> {
    let plan = fold.plan();
    failures(fold, |step| plan.step(step).finally)
}

fn failures(fold: &Fold, of: impl Fn(StepIx) -> bool) -> Vec<SharedFailure> {
    let (run, plan) = (fold.run(), fold.plan());
    let mut list = Vec::new();
    for step in plan.steps().filter(|&step| of(step)) {
        let scope = plan.step(step).scope;
        for key in (0..plan.key_count(scope)).map(KeyIx) {
            let node = plan.node(step, key);
            let state = match run.node_state(node) {
                NodeState::Failed => "failed",
                NodeState::Degraded => "degraded",
                _ => continue,
            };
            if only_stays(fold, node) {
                continue;
            }
            let blame = blame(fold, node);
            list.push(SharedFailure {
                step: plan.step(step).name.clone(),
                unit: unit_name(run, &blame, step, key),
                state,
                place: place(plan, step),
                attempts: blame.attempts,
                sites: narrow(plan.sites_of(scope, key).count()),
                finally: plan.step(step).finally,
                code: blame.failure.code.into(),
                message: blame.failure.message.into(),
                hint: blame.failure.hint.into(),
            });
        }
    }
    list
}

/// Units that wait for an operator, in the order of their numbers.
pub(crate) fn waiting_for_operator(run: &Run) -> impl Iterator<Item = WaitingUnit> + '_ {
    let plan = run.plan();
    run.for_operator().filter_map(|unit| {
        let (node, _) = run.unit_at(unit)?;
        let (step, key) = plan.node_at(node);
        let stuck = run.unit_state(unit) == Some(UnitState::Stuck);
        let undo = run.next_mode(unit).is_undo();
        let failure = run.failure(unit);
        let (fact, hint) = if undo {
            (
                if stuck { "its undo failed" } else { "it is not known whether its undo had its effect" },
                "repair the cause and have it taken back again, or take it back by hand and mark it done, or leave it",
            )
        } else if stuck {
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
            undo,
            code: failure.map(|failure| failure.code.to_string()).unwrap_or_default(),
            message: failure.map_or(fact, |failure| &*failure.message).to_owned(),
            hint: hint.to_owned(),
            place: place(plan, step),
            attempts: run.attempts(unit),
            sites: narrow(plan.sites_of(plan.step(step).scope, key).count()),
        })
    })
}
