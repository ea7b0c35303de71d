//! A plan as data.

use engine::{ApprovalAt, Plan, Scope, StepIx};
use report::{Forecast, OrderFinding};
use serde_json::{Value, json};

/// The plan as data: batches, steps with their units, what cannot be taken back, and its hash.
#[must_use]
pub fn plan_view(plan: &Plan, forecast: Option<&Forecast>, order: Option<&OrderFinding>) -> Value {
    let spec = plan.spec();
    let batches: Vec<Value> = (0..plan.batch_count())
        .map(|ix| {
            let batch = engine::BatchIx::from(ix as usize);
            json!({ "sites": plan.batch_sites(batch).len(), "max_failures": spec.batches.max_failures[batch.ix()] })
        })
        .collect();
    let steps: Vec<Value> = plan
        .steps()
        .map(|step| {
            let held: Vec<&str> =
                plan.step(step).pools.iter().map(|held| spec.pools[held.pool.ix()].name.as_str()).collect();
            json!({
                "name": plan.step(step).name,
                "scope": scope(plan, plan.step(step).scope),
                "uses": plan.action(step).map(|action| action.uses.as_str()),
                "units": units(plan, step),
                "pools": held,
                "front_load": plan.step(step).front_load,
                "finally": plan.step(step).finally,
                "undo": plan.step(step).undo.as_ref().map(|undo| undo.uses.as_str()),
                "checklist": plan.checklist(ApprovalAt::Step(step)),
            })
        })
        .collect();
    json!({
        "hash": plan.hash(),
        "runbook": spec.origin.runbook,
        "estate": spec.origin.estate,
        "sites": plan.site_count(),
        "units": plan.unit_count(),
        "batches": batches,
        "gate_checklist": plan.checklist(ApprovalAt::Batches),
        "start_checklist": plan.checklist(ApprovalAt::Start),
        "steps": steps,
        "longest_path": longest_path(plan),
        "data_loss_s": loss(plan),
        "forecast": forecast,
        "order": order,
        "new_ids_from": report::new_id_steps(plan),
        "points_of_no_return": no_return(plan),
        "undone_with_the_run_only": shared_undo(plan),
    })
}

/// The name of a scope.
#[must_use]
pub fn scope(plan: &Plan, scope: Scope) -> String {
    match scope {
        Scope::Run => "run".to_owned(),
        Scope::Batch => "batch".to_owned(),
        Scope::Site => "site".to_owned(),
        Scope::Group(group) => plan.spec().groups[group.ix()].name.clone(),
    }
}

/// Units that a step is planned to run.
#[must_use]
pub fn units(plan: &Plan, step: StepIx) -> u32 {
    let keys = plan.key_count(plan.step(step).scope);
    (0..keys)
        .map(engine::KeyIx)
        .filter(|&key| plan.planned_to_run(step, key))
        .map(|key| {
            let units = plan.planned_units(plan.node(step, key));
            units.end - units.start
        })
        .sum()
}

/// Names of the steps on the longest way through the runbook, by number of steps.
#[must_use]
pub fn longest_path(plan: &Plan) -> Vec<&str> {
    let count = plan.spec().steps.len();
    let mut length = vec![0_usize; count];
    let mut before: Vec<Option<usize>> = vec![None; count];
    // Relaxing as often as there are steps settles any acyclic graph, whatever the order of the steps.
    for _ in 0..count {
        let mut changed = false;
        for step in plan.steps() {
            for need in &plan.step(step).needs {
                if length[need.step.ix()] + 1 > length[step.ix()] {
                    length[step.ix()] = length[need.step.ix()] + 1;
                    before[step.ix()] = Some(need.step.ix());
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let mut at = (0..count).max_by_key(|&step| length[step]);
    let mut path = Vec::new();
    while let Some(step) = at {
        path.push(plan.spec().steps[step].name.as_str());
        at = before[step];
    }
    path.reverse();
    path
}

/// Names of the steps whose effect stays for good, in order.
#[must_use]
pub fn no_return(plan: &Plan) -> Vec<&str> {
    report::points_of_no_return(plan.spec()).into_iter().map(|step| step.name.as_str()).collect()
}

/// Steps that one site shares with others and whose effect an undo of that site alone leaves.
#[must_use]
pub fn shared_undo(plan: &Plan) -> Vec<&str> {
    let steps = plan.steps().map(|step| plan.step(step));
    let shared = steps.filter(|step| step.undo.is_some() && step.scope != engine::Scope::Site);
    shared.map(|step| step.name.as_str()).collect()
}

/// Data loss of the sites in seconds: median and worst, where deletion times are known.
fn loss(plan: &Plan) -> Option<Value> {
    let spec = plan.spec();
    let column = spec.sites.column("deleted_at")?;
    let engine::Values::Timestamp(deleted) = &column.values else { return None };
    let mut losses: Vec<i64> =
        deleted.iter().zip(&spec.sites.restore_points).map(|(deleted, point)| deleted - point).collect();
    losses.sort_unstable();
    let worst = *losses.last()?;
    Some(json!({ "median": losses[losses.len() / 2] / 1_000, "worst": worst / 1_000 }))
}
