//! The plan as a forecast runs it: people are steps that take time, and what runs share is this run's alone.

use std::sync::Arc;

use engine::{ActionUse, Approval, Plan, Work};

/// A plan in which nothing waits for the world outside, and what that assumes.
pub(super) fn stand_in(plan: &Arc<Plan>) -> (Arc<Plan>, Vec<String>) {
    let spec = plan.spec();
    let asks = spec.steps.iter().any(|step| matches!(step.work, Work::Approval(_)));
    let gate = spec.batches.gate.is_some() || spec.extras.start.is_some();
    let shared = spec.pools.iter().any(|pool| pool.shared);
    let mut assumptions = Vec::new();
    if !(asks || gate || shared) {
        return (plan.clone(), assumptions);
    }
    let mut changed = spec.clone();
    if asks {
        assumptions.push("people approve after the time that `expect` of their step says, else at once".to_owned());
        for step in changed.steps.iter_mut().filter(|step| matches!(step.work, Work::Approval(_))) {
            step.work = Work::Action(nothing());
        }
    }
    if gate {
        assumptions.push(gates(spec.extras.start.as_ref(), spec.batches.gate.as_ref()));
        (changed.extras.start, changed.batches.gate) = (None, None);
    }
    // Without what they belong to they would have the plan refused.
    changed.extras.checklists.clear();
    if shared {
        assumptions.push("no other run uses the shared pools".to_owned());
        changed.pools.iter_mut().for_each(|pool| pool.shared = false);
    }
    match Plan::new(changed) {
        Ok(changed) => (changed, assumptions),
        Err(why) => {
            // Whoever asks for less than an admitted plan is admitted: a defect, which must not pass for a forecast.
            debug_assert!(false, "the plan that stands in is refused: {why}");
            (plan.clone(), vec![format!("DEFECT: it could not be forecast without what waits for people: {why}")])
        }
    }
}

fn gates(start: Option<&Approval>, batch: Option<&Approval>) -> String {
    let what = match (start, batch) {
        (Some(_), Some(_)) => "the start and every batch",
        (Some(_), None) => "the start",
        (None, _) => "every batch",
    };
    format!("people approve {what} at once")
}

fn nothing() -> ActionUse {
    ActionUse {
        uses: "noop@1".to_owned(),
        with: "{}".to_owned(),
        expect: String::new(),
        idempotent: true,
        has_probe: false,
    }
}
