//! What becomes of steps that an amendment adds: for whom they run, and who has passed them already.

use crate::event::SiteEnd;
use crate::ids::{KeyIx, SiteIx, StepIx};
use crate::plan::{Carry, Plan, Scope};
use crate::run::Run;

/// What becomes of a node that an amendment adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs when its needs are settled.
    Waits,
    /// What was to come after it has begun: it is skipped.
    Passed,
    /// Its site, batch or group is through: it is skipped.
    Ended,
    /// Its site is out: it is cancelled, and comes back with the site.
    Out,
}

impl Run {
    /// Fates of the nodes of added steps, by step of the new plan; `None` for steps that were there before.
    ///
    /// # Errors
    /// Names a step that would come before one that has begun and, for the same key, before one that has not.
    pub(super) fn fates(&self, plan: &Plan, carry: &Carry) -> Result<Vec<Option<Vec<Fate>>>, String> {
        let mut fates: Vec<Option<Vec<Fate>>> = vec![None; plan.spec().steps.len()];
        // Dependents first: a step that was passed has itself been begun without what it needs.
        for step in plan.dependents_first() {
            if carry.step_before(step).is_some() {
                continue;
            }
            let keys = plan.key_count(plan.step(step).scope);
            let of_step: Result<Vec<Fate>, String> =
                (0..keys).map(|key| self.fate(plan, carry, &fates, step, KeyIx(key))).collect();
            fates[step.ix()] = Some(of_step?);
        }
        Ok(fates)
    }

    fn fate(
        &self,
        plan: &Plan,
        carry: &Carry,
        fates: &[Option<Vec<Fate>>],
        step: StepIx,
        key: KeyIx,
    ) -> Result<Fate, String> {
        let spec = plan.step(step);
        if spec.finally {
            return Ok(Fate::Waits);
        }
        match spec.scope {
            Scope::Site => {
                let row = self.sites[key.ix()];
                if matches!(row.end, Some(SiteEnd::Returned | SiteEnd::Degraded)) {
                    return Ok(Fate::Ended);
                }
                if self.is_over(SiteIx(key.0)) {
                    return Ok(Fate::Out);
                }
            }
            Scope::Batch if self.batches[key.ix()].settled_at.is_some() => return Ok(Fate::Ended),
            Scope::Group(_) if self.are_back(spec.scope, key) => return Ok(Fate::Ended),
            Scope::Run | Scope::Batch | Scope::Group(_) => {}
        }
        let (mut begun, mut open) = (None, None);
        for dependent in &plan.dependents[step.ix()] {
            let scope = plan.step(dependent.step).scope;
            let keys = plan.keys.shared(spec.scope, key, scope);
            for other in (0..keys.len()).map(|ix| keys.get(ix)) {
                match self.stands(plan, carry, fates, dependent.step, other) {
                    Some(true) => begun = begun.or(Some((dependent.step, other))),
                    Some(false) => open = open.or(Some((dependent.step, other))),
                    None => {}
                }
            }
        }
        let shut = self.batches.get(plan.gate_of(spec.scope, key).ix()).is_some_and(|batch| batch.opened_at.is_none());
        match (begun, open) {
            (None, _) => Ok(Fate::Waits),
            // What comes after it there is held back by it alone.
            (Some((step, key)), _) if shut => {
                let begun = plan.step(step);
                Err(format!(
                    "step `{}` would come before `{}/{}`, which has begun, and be skipped for sites whose batch is not open",
                    spec.name,
                    begun.name,
                    plan.key_name(begun.scope, key)
                ))
            }
            (Some(_), None) => Ok(Fate::Passed),
            (Some(begun), Some(open)) => {
                let name = |(step, key): (StepIx, KeyIx)| {
                    let spec = plan.step(step);
                    format!("`{}/{}`", spec.name, plan.key_name(spec.scope, key))
                };
                Err(format!(
                    "step `{}` would come before {}, which has begun, and before {}, which has not",
                    spec.name,
                    name(begun),
                    name(open)
                ))
            }
        }
    }

    /// Whether a dependent of an added step has begun; `None` if it does not matter: it will not run, or is through.
    fn stands(
        &self,
        plan: &Plan,
        carry: &Carry,
        fates: &[Option<Vec<Fate>>],
        step: StepIx,
        key: KeyIx,
    ) -> Option<bool> {
        let of_site = plan.step(step).scope == Scope::Site;
        if plan.step(step).finally || (of_site && self.is_over(SiteIx(key.0))) {
            return None;
        }
        match carry.node_before(plan.node(step, key)) {
            Some(before) if self.has_run(before) => Some(true),
            Some(before) => (!self.nodes[before.ix()].state.is_settled()).then_some(false),
            None => match fates[step.ix()].as_ref().and_then(|fates| fates.get(key.ix())) {
                Some(Fate::Passed) => Some(true),
                Some(Fate::Ended | Fate::Out) => None,
                Some(Fate::Waits) | None => Some(false),
            },
        }
    }
}
