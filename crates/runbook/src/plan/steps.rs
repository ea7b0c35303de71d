//! Steps as the engine takes them; what expressions decide is filled in afterwards.

use engine::{ActionUse, ForEach, Need, PlanSpec, StepIx, StepSpec, When, Work};

use crate::check::{self, schema};
use crate::expr::Compiled;
use crate::model::{Ids, Runbook, Step};
use crate::template::{self, Part};
use crate::yaml::{Node, Value};

pub(super) fn fill(runbook: &Runbook, spec: &mut PlanSpec) {
    let mut kept: Vec<bool> = runbook.steps.iter().map(|step| step.reads_own).collect();
    for (kept, step) in kept.iter_mut().zip(&runbook.steps) {
        *kept |= tells_its_point(step) || (runbook.ids.value == Ids::Remap && check::tells_new_id(step));
    }
    for &read in runbook.steps.iter().flat_map(|step| &step.reads) {
        kept[read] = true;
    }
    spec.steps = runbook.steps.iter().zip(kept).map(|(step, kept)| step_of(step, kept)).collect();
    if runbook.steps.iter().any(|step| !step.runs_on.is_empty()) {
        spec.extras.runs_on = runbook.steps.iter().map(labels).collect();
    }
    spec.extras.read_only = runbook.steps.iter().map(check::read_only).collect();
}

/// Says whether a step's outputs may say at which restore point its store stands: they are then recorded for the report.
///
/// That is so if the action always says it, if its inputs select it, or if the step is asked for a restore point and the
/// action's outputs are whatever it answers.
fn tells_its_point(step: &Step) -> bool {
    let Some(action) = &step.action else { return false };
    let (input, output) = (&action.spec.input, &action.spec.output);
    let required = output.get("required").and_then(|names| names.as_array());
    if required.is_some_and(|names| names.iter().any(|name| name == "restore_point")) {
        return true;
    }
    let Some(with) = &step.with else { return false };
    let selected = named(with, "outputs").is_some_and(|outputs| named(outputs, "restore_point").is_some());
    let free = schema::known_properties(output).is_none() && schema::property(input, "outputs").is_none();
    named(with, "restore_point").is_some() || selected || (free && asks(with))
}

fn named<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value)
}

/// Says whether inputs read a restore point.
fn asks(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => template::split(text).unwrap_or_default().iter().any(|part| match part {
            Part::Hole { expression, .. } => Compiled::unchecked(expression).is_ok_and(|compiled| {
                compiled.paths.iter().any(|path| {
                    matches!(path.root(), "restore_point" | "restore_points")
                        || (path.root() == "site" && path.second() == Some("restore_point"))
                })
            }),
            Part::Plain(_) => false,
        }),
        Value::List(items) => items.iter().any(asks),
        Value::Map(entries) => entries.iter().any(|entry| asks(&entry.value)),
        _ => false,
    }
}

fn step_of(step: &Step, keeps_outputs: bool) -> StepSpec {
    let work = match (&step.action, &step.approval) {
        (Some(action), _) => Work::Action(ActionUse {
            uses: action.spec.uses.clone(),
            with: inputs(step.with.as_ref()),
            expect: step.expect.clone(),
            idempotent: check::idempotent(&action.spec, step.with.as_ref()),
            has_probe: check::holds(&action.spec.has_probe, step.with.as_ref()),
        }),
        (None, Some(declared)) => Work::Approval(declared.approval.clone()),
        // A checked runbook has one of the two in every step.
        (None, None) => Work::Action(ActionUse {
            uses: "noop@1".into(),
            with: "{}".into(),
            expect: String::new(),
            idempotent: true,
            has_probe: false,
        }),
    };
    StepSpec {
        name: step.name.clone(),
        place: step.place,
        scope: step.scope,
        needs: step
            .needs
            .iter()
            .map(|need| Need { step: StepIx::from(need.step), require_all: need.require_all })
            .collect(),
        reads: step.reads.iter().map(|&ix| StepIx::from(ix)).collect(),
        work,
        pools: step.pools.clone(),
        timeout_ms: step.timeout_ms,
        retry: step.retry,
        on_failure: step.on_failure,
        front_load: step.front_load,
        finally: step.finally,
        when: step.condition.as_ref().map_or(When::Always, |condition| When::Later(condition.value.clone())),
        for_each: step.for_each.as_ref().map_or(ForEach::Once, |list| ForEach::Later(list.value.clone())),
        expect_ms: step.expect_ms,
        keeps_outputs,
        undo: step.undo.as_ref().map(|undo| ActionUse {
            uses: undo.action.spec.uses.clone(),
            with: inputs(undo.with.as_ref()),
            expect: String::new(),
            idempotent: check::idempotent(&undo.action.spec, undo.with.as_ref()),
            has_probe: check::holds(&undo.action.spec.has_probe, undo.with.as_ref()),
        }),
    }
}

/// The labels of a step's workers, as the plan keeps them; nothing if it has none.
fn labels(step: &Step) -> String {
    if step.runs_on.is_empty() {
        return String::new();
    }
    step.runs_on
        .iter()
        .map(|label| serde_json::Value::from(label.value.as_str()))
        .collect::<serde_json::Value>()
        .to_string()
}

fn inputs(node: Option<&Node>) -> String {
    node.map_or_else(|| "{}".to_owned(), |node| node.to_json().to_string())
}
