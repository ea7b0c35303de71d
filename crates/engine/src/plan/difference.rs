//! What a plan changes of another: field by field, by the names that a runbook uses.

use std::collections::BTreeSet;

use crate::ids::StepIx;
use crate::plan::carry::Carry;
use crate::plan::layout::Plan;
use crate::plan::spec::{ForEach, Need, PoolUse, StepSpec};

/// Fields of a step that differ, as a runbook names them.
pub(crate) fn fields(old: (&Plan, StepIx), new: (&Plan, StepIx)) -> Vec<&'static str> {
    let (before, after) = (old.0.step(old.1), new.0.step(new.1));
    let mut fields = Vec::new();
    let mut note = |differs: bool, name| {
        if differs {
            fields.push(name);
        }
    };
    note(needs(old.0, before) != needs(new.0, after), "needs");
    note(before.work != after.work, "uses, with or verify");
    note(pools(old.0, before) != pools(new.0, after), "pool");
    note(before.timeout_ms != after.timeout_ms, "timeout");
    note(before.retry != after.retry, "retry");
    note(before.on_failure != after.on_failure, "on_failure");
    note(before.front_load != after.front_load, "front_load");
    note(before.when != after.when, "if");
    note(!same_items(old, new), "for_each");
    note(before.undo != after.undo, "undo");
    note(old.0.spec().extras.runs_on(old.1) != new.0.spec().extras.runs_on(new.1), "runs_on");
    note(before.expect_ms != after.expect_ms, "expect");
    fields
}

/// Whether the items of `for_each` are the same, or come from the same expression.
pub(crate) fn same_items(old: (&Plan, StepIx), new: (&Plan, StepIx)) -> bool {
    match (&old.0.step(old.1).for_each, &new.0.step(new.1).for_each) {
        (ForEach::Once, ForEach::Once) => true,
        (ForEach::Later(before), ForEach::Later(after)) => before == after,
        (ForEach::Planned { offsets: a, items: x }, ForEach::Planned { offsets: b, items: y }) => {
            let text = |plan: &Plan, ix: u32| plan.spec().items.get(ix as usize).cloned();
            a == b && x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| text(old.0, x) == text(new.0, y))
        }
        _ => false,
    }
}

/// Characters of an input's value that are told.
const VALUE_MAX: usize = 100;

/// What differs beside the steps, in words.
pub(crate) fn beside(old: &Plan, new: &Plan) -> Vec<String> {
    let (before, after) = (old.spec(), new.spec());
    let mut found = Vec::new();
    for pool in &after.pools {
        match before.pools.iter().find(|other| other.name == pool.name) {
            None => found.push(format!("pool `{}` is added", pool.name)),
            Some(other) if other != pool => found.push(format!("pool `{}` is changed", pool.name)),
            Some(_) => {}
        }
    }
    found.extend(inputs(&before.inputs, &after.inputs));
    let gone = before.pools.iter().filter(|pool| after.pools.iter().all(|other| other.name != pool.name));
    found.extend(gone.map(|pool| format!("pool `{}` is removed", pool.name)));
    let mut note = |differs: bool, what: &str| {
        if differs {
            found.push(format!("{what} differ"));
        }
    };
    let budgets = |plan: &Plan| (plan.spec().batches.max_failures.clone(), plan.spec().batches.on_exceeded);
    note(budgets(old) != budgets(new), "failure budgets");
    note(before.batches.soak_ms != after.batches.soak_ms, "the soaks between batches");
    note(!before.extras.order.is_empty() && before.extras.order != after.extras.order, "orders of work");
    note(before.estate != after.estate, "the estate's variables or secrets");
    note(before.objectives != after.objectives, "objectives");
    found
}

/// Inputs with other values. Whoever leaves one out gets its default, which may not be what the run began with.
fn inputs(before: &str, after: &str) -> Vec<String> {
    let read =
        |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap_or_default();
    let (before, after) = (read(before), read(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let short = |value: Option<&serde_json::Value>| match value {
        Some(value) => value.to_string().chars().take(VALUE_MAX).collect(),
        None => "nothing".to_owned(),
    };
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| format!("input `{name}` is {}, was {}", short(after.get(name)), short(before.get(name))))
        .collect()
}

/// Needs of a new step that its former self did not have, as positions in the new plan.
pub(crate) fn new_needs<'a>(
    carry: &'a Carry,
    old: &'a Plan,
    new: &'a Plan,
    step: StepIx,
) -> impl Iterator<Item = Need> + 'a {
    let before = carry.step_before(step).map(|before| &old.step(before).needs);
    new.step(step).needs.iter().copied().filter(move |need| {
        let was = carry.step_before(need.step);
        !before.is_some_and(|needs| needs.iter().any(|other| Some(other.step) == was))
    })
}

fn needs<'a>(plan: &'a Plan, spec: &StepSpec) -> Vec<(&'a str, bool)> {
    let mut needs: Vec<_> =
        spec.needs.iter().map(|need| (plan.step(need.step).name.as_str(), need.require_all)).collect();
    needs.sort_unstable();
    needs
}

fn pools<'a>(plan: &'a Plan, spec: &StepSpec) -> Vec<(&'a str, u32)> {
    let name = |held: &PoolUse| plan.spec().pools.get(held.pool.ix()).map_or("", |pool| pool.name.as_str());
    let mut pools: Vec<_> = spec.pools.iter().map(|held| (name(held), held.slots)).collect();
    pools.sort_unstable();
    pools
}
