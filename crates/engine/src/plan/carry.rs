//! From the numbers of one plan to those of the plan that amends it: steps keep their names, everything else its place.

use std::sync::Arc;

use crate::ids::{NodeIx, StepIx, UnitIx};
use crate::plan::layout::Plan;
use crate::plan::spec::{ForEach, StepSpec, Work};

/// Which step of one plan is which of another over the same sites, groups and batches.
///
/// A step is the same if it has the same name, scope and shape: what was done under it can stand under it again.
#[derive(Clone, Debug)]
pub struct Carry {
    old: Arc<Plan>,
    new: Arc<Plan>,
    forward: Vec<Option<StepIx>>,
    backward: Vec<Option<StepIx>>,
}

impl Carry {
    /// Pairs the steps of two plans; both must have the same sites, groups and batches.
    #[must_use]
    pub fn new(old: &Arc<Plan>, new: &Arc<Plan>) -> Self {
        let named: std::collections::BTreeMap<&str, StepIx> =
            new.steps().map(|step| (new.step(step).name.as_str(), step)).collect();
        let mut backward = vec![None; new.spec().steps.len()];
        let mut forward = Vec::with_capacity(old.spec().steps.len());
        for step in old.steps() {
            let before = old.step(step);
            let same = named.get(before.name.as_str()).copied().filter(|&to| same_shape(before, new.step(to)));
            if let Some(to) = same {
                backward[to.ix()] = Some(step);
            }
            forward.push(same);
        }
        Self { old: old.clone(), new: new.clone(), forward, backward }
    }

    /// The step of the new plan that a step of the old one has become.
    #[must_use]
    pub fn step(&self, step: StepIx) -> Option<StepIx> {
        self.forward.get(step.ix()).copied().flatten()
    }

    /// The step of the old plan that a step of the new one was.
    #[must_use]
    pub fn step_before(&self, step: StepIx) -> Option<StepIx> {
        self.backward.get(step.ix()).copied().flatten()
    }

    /// The node of the new plan that a node of the old one has become.
    #[must_use]
    pub fn node(&self, node: NodeIx) -> Option<NodeIx> {
        let (step, key) = self.old.node_at(node);
        Some(self.new.node(self.step(step)?, key))
    }

    /// The unit of the same item of the same node; `at` finds a unit of the old plan, `of` the units of the new one.
    pub fn unit(
        &self,
        unit: UnitIx,
        at: impl Fn(UnitIx) -> Option<(NodeIx, u32)>,
        of: impl Fn(NodeIx) -> std::ops::Range<u32>,
    ) -> Option<UnitIx> {
        let (node, item) = at(unit)?;
        let units = of(self.node(node)?);
        let unit = units.start.checked_add(item)?;
        units.contains(&unit).then_some(UnitIx(unit))
    }

    /// The node of the old plan that a node of the new one was.
    #[must_use]
    pub fn node_before(&self, node: NodeIx) -> Option<NodeIx> {
        let (step, key) = self.new.node_at(node);
        Some(self.old.node(self.step_before(step)?, key))
    }
}

/// Whether nodes and units of one step can lie where those of the other lay.
fn same_shape(before: &StepSpec, after: &StepSpec) -> bool {
    let for_each = matches!(
        (&before.for_each, &after.for_each),
        (ForEach::Once, ForEach::Once)
            | (ForEach::Planned { .. }, ForEach::Planned { .. })
            | (ForEach::Later(_), ForEach::Later(_))
    );
    let work = matches!(
        (&before.work, &after.work),
        (Work::Action(_), Work::Action(_)) | (Work::Approval(_), Work::Approval(_))
    );
    before.scope == after.scope && before.finally == after.finally && for_each && work
}
