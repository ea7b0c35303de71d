//! Steps as the engine takes them; what expressions decide is filled in afterwards.

use engine::{ActionUse, ForEach, Need, PlanSpec, StepIx, StepSpec, When, Work};

use crate::check;
use crate::model::{Runbook, Step};
use crate::yaml::Node;

pub(super) fn fill(runbook: &Runbook, spec: &mut PlanSpec) {
    let mut kept: Vec<bool> = runbook.steps.iter().map(|step| step.reads_own).collect();
    for &read in runbook.steps.iter().flat_map(|step| &step.reads) {
        kept[read] = true;
    }
    spec.steps = runbook.steps.iter().zip(kept).map(|(step, kept)| step_of(step, kept)).collect();
    spec.extras.read_only = runbook.steps.iter().map(check::read_only).collect();
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

fn inputs(node: Option<&Node>) -> String {
    node.map_or_else(|| "{}".to_owned(), |node| node.to_json().to_string())
}
