//! A plan of a sample of sites, with batches and pools of other sizes than the runbook's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{Plan, Work};
use report::Cell;

use crate::failure::Failure;
use crate::planning;

/// IDs of a sample: every so-manieth site in the plan's order, which goes by size, so that large and small sites are in it as
/// in the whole. `turn` begins at another one.
pub(super) fn sample(plan: &Plan, sites: u32, turn: u32) -> BTreeSet<String> {
    let all: Vec<&str> = plan.spec().sites.ids.iter().collect();
    let (every, wanted) = (all.len(), sites as usize);
    let shift = turn as usize * 7 % every.checked_div(wanted).unwrap_or(1).max(1);
    // Evenly spaced with one shift for all: no index comes twice, as long as no more are wanted than there are.
    (0..wanted.min(every)).map(|ix| all[(ix * every / wanted + shift).min(every - 1)].to_owned()).collect()
}

/// Sites that are left out so that a sample is left, each with why.
pub(super) fn others(plan: &Plan, sample: &BTreeSet<String>) -> BTreeMap<String, String> {
    let ids = plan.spec().sites.ids.iter().filter(|id| !sample.contains(*id));
    ids.map(|id| (id.to_owned(), "not in the sample".to_owned())).collect()
}

/// The plan with the batches, pools and workers of a cell: no failure is tolerated, and nobody is asked between batches.
pub(super) fn sized(plan: &Plan, cell: &Cell, label: &str) -> Result<Arc<Plan>, Failure> {
    let mut spec = plan.spec().clone();
    let batch = cell.batch.clamp(1, cell.sites.max(1));
    let ends: Vec<u32> = (1..=cell.sites.div_ceil(batch)).map(|number| (number * batch).min(cell.sites)).collect();
    spec.batches.max_failures = vec![0; ends.len()];
    spec.batches.ends = ends;
    spec.batches.gate = None;
    for pool in &mut spec.pools {
        let Some(slots) = pool.slots else { continue };
        let twice = cell.doubled.as_ref() == Some(&pool.name);
        pool.slots = Some(match (cell.slots, cell.factor) {
            (Some(set), _) => set,
            (None, Some(factor)) => times(slots, factor),
            (None, None) if twice => slots.saturating_mul(2),
            (None, None) => slots,
        });
        if let Some(rate) = pool.rate.as_mut().filter(|_| twice) {
            rate.count = rate.count.saturating_mul(2);
        }
    }
    // What the plan does not keep the figures would not know.
    for step in &mut spec.steps {
        step.keeps_outputs |= matches!(&step.work, Work::Action(action) if tells(&action.uses).is_some());
    }
    if cell.workers > 0 {
        spec.extras.runs_on = vec![format!("[\"{label}\"]"); spec.steps.len()];
    }
    planning::admit(spec)
}

/// Which output of an action is counted: rows of a restore, bytes of a copy. What a check reads is not counted again.
pub(super) fn tells(uses: &str) -> Option<&'static str> {
    let name = uses.split('@').next().unwrap_or_default();
    match name.rsplit('/').next() {
        Some("restore") => Some("rows"),
        Some("copy") => Some("bytes"),
        _ => None,
    }
}

fn times(slots: u32, factor: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturates")]
    let slots = (f64::from(slots) * factor).round() as u32;
    slots.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_never_none() {
        assert_eq!((times(8, 0.5), times(1, 0.25), times(64, 2.0)), (4, 1, 128));
        assert_eq!(tells("postgres/restore@1"), Some("rows"));
        assert_eq!(tells("objects/copy@1"), Some("bytes"));
        assert_eq!(tells("objects/verify@1"), None);
    }
}
