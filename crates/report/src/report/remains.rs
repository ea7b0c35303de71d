//! What stays in the estate, and what counts as done because a person said so.

use std::collections::BTreeSet;

use engine::{KeyIx, NodeIx, Plan, Run, Scope, SiteIx, StepIx, UnitIx, UnitState};

use crate::duration::seconds;
use crate::fold::{Fold, How, Of, Said, node_key, site_of};
use crate::report::exceptions::place;
use crate::report::people::{NoReturnReport, OverruledReport, RemainingReport};
use crate::report::spread::narrow;

/// Whether a step changes the estate.
fn changes(plan: &Plan, step: StepIx) -> bool {
    plan.action(step).is_some() && !plan.is_read_only(step) && !plan.step(step).finally
}

/// Effects that were to be taken back and stay, or may: of sites in the plan's order, then of what sites share.
pub(super) fn remains(fold: &Fold) -> Vec<RemainingReport> {
    let (run, plan) = (fold.run(), fold.plan());
    let mut list = Vec::new();
    for site in (0..plan.site_count()).map(SiteIx) {
        if !run.is_left(site) && !run.is_undoing(site) {
            continue;
        }
        for step in plan.steps().filter(|&step| plan.step(step).scope == Scope::Site && changes(plan, step)) {
            of_node(fold, plan.node(step, KeyIx(site.0)), run.is_left(site), &mut list);
        }
    }
    if fold.unwound.is_some() {
        let over = matches!(run.status(), engine::Status::Ended(_) | engine::Status::Closing);
        for step in plan.steps().filter(|&step| plan.step(step).scope != Scope::Site && changes(plan, step)) {
            for key in (0..plan.key_count(plan.step(step).scope)).map(KeyIx) {
                of_node(fold, plan.node(step, key), over, &mut list);
            }
        }
    }
    list
}

/// Units of a node that stay; `over` says whether the taking back has ended.
fn of_node(fold: &Fold, node: NodeIx, over: bool, list: &mut Vec<RemainingReport>) {
    let (run, plan) = (fold.run(), fold.plan());
    let (step, _) = plan.node_at(node);
    for unit in run.units_of(node).map(UnitIx) {
        let state = run.unit_state(unit);
        let stuck = state.is_some_and(UnitState::waits_for_operator) && run.next_mode(unit).is_undo();
        let stays = stuck || over && run.may_have_acted(unit);
        if !stays {
            continue;
        }
        let failure = run.failure(unit).filter(|_| plan.step(step).undo.is_some());
        let said = fold.people.said.get(&Of::Unit(unit)).filter(|said| said.how == How::Left);
        let fact = failure.map(|failure| failure.message.to_string()).unwrap_or_default();
        let (why, message) = match said {
            _ if stuck => ("stuck", fact),
            _ if plan.step(step).undo.is_none() => ("no_undo", "its step has no undo".to_owned()),
            Some(said) if fact.is_empty() => ("left", by(said)),
            Some(said) => ("left", format!("{}; its undo had failed: {fact}", by(said))),
            None => ("left", fact),
        };
        list.push(RemainingReport {
            site: site_of(run, Some(node)).map(|site| plan.spec().sites.id(site).to_owned()),
            step: plan.step(step).name.clone(),
            unit: run.unit_name(unit),
            why,
            in_doubt: run.in_doubt(unit),
            code: failure.map(|failure| failure.code.to_string()).unwrap_or_default(),
            message,
            place: place(plan, step),
        });
    }
}

/// `skipped by mia: reason`.
pub(super) fn by(said: &Said) -> String {
    let why = if said.reason.is_empty() { String::new() } else { format!(": {}", said.reason) };
    format!("{} by {}{why}", said.how.words(), said.actor)
}

/// Steps that count as settled on a person's word, in the order of their units.
pub(super) fn overruled(fold: &Fold) -> Vec<OverruledReport> {
    let (run, plan) = (fold.run(), fold.plan());
    fold.people
        .said
        .iter()
        .filter(|(_, said)| said.how != How::GivenUp)
        .filter_map(|(of, said)| {
            let (node, unit) = match of {
                Of::Unit(unit) => (run.unit_at(*unit)?.0, run.unit_name(*unit)),
                Of::Node(node) => (*node, node_key(run, *node)),
            };
            let (step, key) = plan.node_at(node);
            let scope = plan.step(step).scope;
            Some(OverruledReport {
                site: site_of(run, Some(node)).map(|site| plan.spec().sites.id(site).to_owned()),
                sites: narrow(plan.sites_of(scope, key).count()),
                step: plan.step(step).name.clone(),
                unit,
                how: said.how.name(),
                words: said.how.words(),
                actor: said.actor.to_string(),
                reason: said.reason.to_string(),
                at: crate::duration::stamp(said.at),
                place: place(plan, step),
            })
        })
        .collect()
}

/// Steps of each site that count as settled on a person's word only, `finally` aside.
pub(super) fn overruled_steps(fold: &Fold) -> std::collections::BTreeMap<SiteIx, BTreeSet<StepIx>> {
    let (run, plan) = (fold.run(), fold.plan());
    let mut sites: std::collections::BTreeMap<SiteIx, BTreeSet<StepIx>> = std::collections::BTreeMap::new();
    for (of, _) in fold.people.said.iter().filter(|(_, said)| said.how != How::GivenUp) {
        let node = match of {
            Of::Unit(unit) => run.unit_at(*unit).map(|(node, _)| node),
            Of::Node(node) => Some(*node),
        };
        let Some((step, key)) = node.map(|node| plan.node_at(node)) else { continue };
        if plan.step(step).finally {
            continue;
        }
        for site in plan.sites_of(plan.step(step).scope, key) {
            sites.entry(site).or_default().insert(step);
        }
    }
    sites
}

/// Points of no return that were passed: steps without an undo that changed the estate, or may have.
pub(super) fn no_return(fold: &Fold) -> Vec<NoReturnReport> {
    let (run, plan) = (fold.run(), fold.plan());
    let passed = |spec: &engine::StepSpec| {
        let step = plan.steps().find(|&step| plan.step(step).name == spec.name)?;
        let acted = acted(run, step);
        let first = fold.steps.get(step.ix()).and_then(|times| times.first_start_ms);
        (acted > 0).then(|| NoReturnReport {
            step: spec.name.clone(),
            uses: plan.action(step).map(|action| action.uses.clone()).unwrap_or_default(),
            place: place(plan, step),
            acted,
            first_after_s: first.map(seconds),
        })
    };
    crate::no_return::points_of_no_return(plan.spec()).into_iter().filter_map(passed).collect()
}

fn acted(run: &Run, step: StepIx) -> u64 {
    let plan = run.plan();
    let nodes = (0..plan.key_count(plan.step(step).scope)).map(|key| plan.node(step, KeyIx(key)));
    let units = nodes.flat_map(|node| run.units_of(node));
    units.filter(|&unit| run.may_have_acted(UnitIx(unit))).count() as u64
}
