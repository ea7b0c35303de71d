//! Why something does not go on, in sentences: the answer to "what is it waiting for?".

use std::collections::BTreeMap;

use engine::{
    BatchIx, KeyIx, Millis, NodeIx, NodeState, Plan, PoolIx, Run, Scope, SiteEnd, SiteIx, Status, StepIx, UnitIx,
    UnitState, Wait,
};

use crate::duration::{clock, count, span};
use crate::report::place;

/// Different reasons told of a step; the rest is counted.
const REASONS: usize = 12;

/// Neither a site nor a step of the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no site and no step of this run is called `{subject}`")]
pub struct NoSuchSubject {
    /// What was asked for.
    pub subject: String,
}

/// Says why a site or a step does not go on, or that it does; one sentence an entry.
///
/// `subject` is the ID of a site, else the name of a step, else `step/key` (`recover/shard-03`). `now` dates what is
/// in flight. Control characters of names are not written out here: that is up to who shows the sentences.
///
/// # Errors
/// If the run has no such site or step.
pub fn why(run: &Run, subject: &str, now: Millis) -> Result<Vec<String>, NoSuchSubject> {
    let plan = run.plan();
    let mut lines = of_run(run);
    if let Some(site) = plan.spec().sites.ids.iter().position(|id| id == subject) {
        lines.extend(of_site(run, SiteIx::from(site), now));
        return Ok(lines);
    }
    let step_named = |name: &str| plan.steps().find(|&step| plan.step(step).name == name);
    if let Some(step) = step_named(subject) {
        lines.extend(of_step(run, step, now));
        return Ok(lines);
    }
    let node = subject.split_once('/').and_then(|(step, key)| {
        let step = step_named(step)?;
        let scope = plan.step(step).scope;
        let key = (0..plan.key_count(scope)).map(KeyIx).find(|&ix| plan.key_name(scope, ix) == key)?;
        Some(plan.node(step, key))
    });
    let node = node.ok_or_else(|| NoSuchSubject { subject: subject.to_owned() })?;
    lines.extend(of_node(run, node, now));
    Ok(lines)
}

fn of_run(run: &Run) -> Vec<String> {
    match run.status() {
        Status::New => vec!["the run has not been opened yet".to_owned()],
        Status::Running => Vec::new(),
        Status::Paused { actor, reason } => {
            vec![format!("the run is paused by {actor}: {reason}; nothing new starts until it is continued")]
        }
        Status::Aborting => vec!["the run is aborting; what is in flight finishes, nothing new starts".to_owned()],
        Status::Cancelling => {
            vec!["the run is being cancelled; what is in flight finishes, nothing new starts".to_owned()]
        }
        Status::Unwinding => vec!["the run is being taken back, the last steps first".to_owned()],
        Status::Closing => vec!["only `finally` is left".to_owned()],
        Status::Ended(_) => vec!["the run has ended; nothing of it goes on".to_owned()],
    }
}

fn of_site(run: &Run, site: SiteIx, now: Millis) -> Vec<String> {
    let plan = run.plan();
    let id = plan.spec().sites.id(site);
    let mut lines = Vec::new();
    match run.site_end(site) {
        Some(SiteEnd::Returned) => lines.push(format!("site {id} has returned; it waits for nothing")),
        Some(SiteEnd::Degraded) => lines.push(format!("site {id} is back, degraded; it waits for nothing")),
        Some(SiteEnd::Undone) => lines.push(format!("site {id} is out: what was done was taken back")),
        Some(SiteEnd::Excluded) => lines.push(format!("site {id} was taken out by an operator before it started")),
        Some(SiteEnd::Released) => lines.push(format!("site {id} was released, for another run to adopt")),
        Some(SiteEnd::Quarantined) | None => {}
    }
    if let Some(node) = run.out_by(site) {
        lines.push(format!("site {id} is out, put there by {}", node_name(plan, node)));
        lines.extend(of_node(run, node, now));
    }
    if run.site_end(site).is_some() {
        return lines;
    }
    let batch = plan.batch_of(site);
    let mut shared: Vec<NodeIx> = Vec::new();
    let mut behind = 0;
    for step in plan.steps().filter(|&step| plan.step(step).scope == Scope::Site) {
        let node = plan.node(step, KeyIx(site.0));
        if run.node_state(node).is_settled() {
            continue;
        }
        let Some(Wait::Needs(needs)) = run.why(node) else {
            if !matches!(run.why(node), Some(Wait::Batch(_))) {
                lines.extend(of_node(run, node, now));
            }
            continue;
        };
        let outside: Vec<_> = needs.iter().filter(|(step, _)| plan.step(*step).scope != Scope::Site).collect();
        if outside.len() < needs.len() {
            // It waits for another step of this site, which is told by itself.
            behind += 1;
            continue;
        }
        for (need, _) in outside {
            if let Some(key) = plan.covering_key(Scope::Site, KeyIx(site.0), plan.step(*need).scope) {
                let needed = plan.node(*need, key);
                lines.push(format!("{} waits for {}", node_name(plan, node), node_name(plan, needed)));
                if !shared.contains(&needed) {
                    shared.push(needed);
                }
            }
        }
    }
    for node in shared {
        lines.extend(of_node(run, node, now));
    }
    if behind > 0 {
        lines.push(format!("{} of this site come after these", count(behind, "more step", "more steps")));
    }
    if run.batch_times(batch).0.is_none() {
        lines.push(batch_sentence(run, &format!("site {id}"), batch));
    } else if lines.is_empty() {
        lines.push(format!("all steps of site {id} are settled; its end is about to be recorded"));
    }
    lines
}

fn of_step(run: &Run, step: StepIx, now: Millis) -> Vec<String> {
    let plan = run.plan();
    let spec = plan.step(step);
    let units = crate::report::units_of_step(run, step);
    let mut lines = vec![format!(
        "step {} ({}): {} of {} settled, {} in flight, {} ready, {} waiting for needs or their batch",
        spec.name,
        place(plan, step),
        units.settled(),
        count(units.total, "unit", "units"),
        units.running,
        units.ready,
        units.waiting,
    )];
    let mut reasons: BTreeMap<String, (u64, NodeIx)> = BTreeMap::new();
    for key in (0..plan.key_count(spec.scope)).map(KeyIx) {
        let node = plan.node(step, key);
        if let Some(wait) = run.why(node) {
            reasons.entry(reason(run, &wait, now)).or_insert((0, node)).0 += 1;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
    let rest = reasons.len().saturating_sub(REASONS);
    for (reason, (times, example)) in reasons.into_iter().take(REASONS) {
        let key = key_words(plan, example);
        lines.push(match times {
            1 => format!("for {key} it waits for {reason}"),
            _ => format!("for {} ({key} first) it waits for {reason}", count(times, "key", "keys of its scope")),
        });
    }
    if rest > 0 {
        lines.push(format!("and for {rest} more reasons"));
    }
    lines
}

/// Sentences about one node: what is in flight, what failed, what it waits for.
fn of_node(run: &Run, node: NodeIx, now: Millis) -> Vec<String> {
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
                "{} is in flight: attempt {}, started {} ago, ends by time-out in {} at the latest",
                run.unit_name(unit),
                flight.attempt,
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
        lines.push(format!("{name} waits for {}", reason(run, &wait, now)));
    }
    if lines.is_empty() {
        let state = match run.node_state(node) {
            NodeState::Succeeded => "has succeeded",
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

fn hint(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; hint: {hint}") }
}

/// What follows "waits for".
fn reason(run: &Run, wait: &Wait, now: Millis) -> String {
    let plan = run.plan();
    match wait {
        Wait::Batch(batch) => {
            let number = u32::from(batch.0) + 1;
            format!("batch {number}, which is not open{}", batch_cause(run, *batch))
        }
        Wait::Needs(needs) => {
            let needs: Vec<String> = needs
                .iter()
                .map(|&(step, open)| {
                    let name = &plan.step(step).name;
                    match open {
                        1 => format!("step {name}"),
                        _ => format!("step {name} ({open} not settled)"),
                    }
                })
                .collect();
            needs.join(" and ")
        }
        Wait::Pool { pool, key, used, slots } => {
            format!("a slot of pool {}: {used} of {slots} in use", pool_name(plan, *pool, *key))
        }
        Wait::Until(at) => {
            format!("its next attempt in {}, at {}", span(at.saturating_sub(now).max(0)), clock(*at))
        }
        Wait::Operator => "a ruling of an operator: its effect is there, apply it again, or give it up".to_owned(),
        Wait::Approval(gate) => format!("the approval of {}", run.gate_name(*gate)),
        Wait::LaterUndo => "later steps to be taken back first".to_owned(),
        Wait::Finally => "the end of everything else".to_owned(),
        Wait::Halted => "the run to go on".to_owned(),
        Wait::Turn => "its turn; units before it in the order start first".to_owned(),
    }
}

fn pool_name(plan: &Plan, pool: PoolIx, key: KeyIx) -> String {
    let Some(spec) = plan.spec().pools.get(pool.ix()) else { return String::new() };
    match spec.per {
        Some(per) => format!("{}[{}]", spec.name, plan.key_name(per, key)),
        None => spec.name.clone(),
    }
}

fn batch_sentence(run: &Run, what: &str, batch: BatchIx) -> String {
    format!("{what} waits for batch {}, which is not open{}", u32::from(batch.0) + 1, batch_cause(run, batch))
}

/// Why a batch is not open: sites of the one before, or the soak.
fn batch_cause(run: &Run, batch: BatchIx) -> String {
    let plan = run.plan();
    let before = (0..batch.0).map(BatchIx).find(|&before| run.batch_times(before).1.is_none());
    match before {
        Some(before) => {
            let open = plan.batch_sites(before).filter(|&site| run.site_end(SiteIx(site)).is_none()).count();
            let number = u32::from(before.0) + 1;
            match open {
                0 => format!("; batch {number} waits for its batch steps"),
                _ => format!("; batch {number} has {} to go", count(open as u64, "site", "sites")),
            }
        }
        None if batch.0 > 0 && plan.spec().batches.soak_ms > 0 => {
            let soak = i64::try_from(plan.spec().batches.soak_ms).unwrap_or(i64::MAX);
            format!("; it opens {} after the one before was settled", span(soak))
        }
        None => String::new(),
    }
}

fn key_words(plan: &Plan, node: NodeIx) -> String {
    let (step, key) = plan.node_at(node);
    let scope = plan.step(step).scope;
    match scope {
        Scope::Run => "the run".to_owned(),
        _ => format!("{} {}", crate::report::scope_name(plan, scope), plan.key_name(scope, key)),
    }
}

fn node_name(plan: &Plan, node: NodeIx) -> String {
    let (step, _) = plan.node_at(node);
    format!("step {} for {}", plan.step(step).name, key_words(plan, node))
}
