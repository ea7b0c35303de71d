//! Points of no return: what a run of a plan does for good.

use engine::{PlanSpec, StepSpec, Work};

/// Returns the steps that change something and have no undo, in an order in which each comes after its needs.
///
/// A step whose action is not known to be harmless counts as one that changes something.
#[must_use]
pub fn points_of_no_return(spec: &PlanSpec) -> Vec<&StepSpec> {
    in_order(spec)
        .into_iter()
        .filter(|&ix| {
            let step = &spec.steps[ix];
            let harmless = spec.extras.read_only.get(ix).copied().unwrap_or(false);
            step.undo.is_none() && !harmless && matches!(step.work, Work::Action(_))
        })
        .map(|ix| &spec.steps[ix])
        .collect()
}

/// Each step after its needs, those of `finally` last, else in the runbook's order; circles are cut anywhere.
fn in_order(spec: &PlanSpec) -> Vec<usize> {
    let mut order = Vec::with_capacity(spec.steps.len());
    let mut seen = vec![false; spec.steps.len()];
    for finally in [false, true] {
        for first in (0..spec.steps.len()).filter(|&ix| spec.steps[ix].finally == finally) {
            // Depth first without recursion: (step, next of its needs to look at).
            let mut path = vec![(first, 0)];
            while let Some((step, at)) = path.pop() {
                if at == 0 && std::mem::replace(&mut seen[step], true) {
                    continue;
                }
                match spec.steps[step].needs.get(at) {
                    Some(need) => {
                        path.push((step, at + 1));
                        if seen.get(need.step.ix()) == Some(&false) {
                            path.push((need.step.ix(), 0));
                        }
                    }
                    None => order.push(step),
                }
            }
        }
    }
    order
}
