//! The last sites of each batch, which go step by step and not site by site.
//!
//! Site by site is what people want of a batch: sites are back one after another from early on. Its end is slow, though:
//! the last sites go through their whole chain while fewer and fewer of them keep the pools busy. So the last wave, and it
//! alone, goes by the longest way first, and its sites end together.

use crate::plan::graph::expected_ms;
use crate::plan::spec::PlanSpec;

/// Sites in the last wave for each slot of the pool with the most work.
///
/// As many as that pool has slots are under way when they go site by site; only with twice as many does the wave begin while
/// all slots are still in use. With the times of a lab run of 883 sites a simulated run came from 12 % above its lower bound to
/// 7 % with one, 4.7 % with two and 4.3 % with four, and half of the sites were back after the same time in all.
const SITES_PER_SLOT: u64 = 2;

/// First site of the last wave of each batch; `units` and `instances` are those of each step and of each pool.
pub(super) fn waves(spec: &PlanSpec, units: &[u64], instances: &[u64]) -> Vec<u32> {
    let wave = SITES_PER_SLOT.saturating_mul(slots_of_the_busiest(spec, units, instances));
    let wave = u32::try_from(wave).unwrap_or(u32::MAX);
    let starts = std::iter::once(0).chain(spec.batches.ends.iter().copied());
    spec.batches.ends.iter().zip(starts).map(|(&end, start)| end.saturating_sub(wave).max(start)).collect()
}

/// Slots, over all its instances, of the pool that has the most work for each of them; 0 if none has slots.
fn slots_of_the_busiest(spec: &PlanSpec, units: &[u64], instances: &[u64]) -> u64 {
    let mut work = vec![0_u128; spec.pools.len()];
    for (step, &units) in spec.steps.iter().zip(units) {
        for held in &step.pools {
            work[held.pool.ix()] += u128::from(units) * u128::from(expected_ms(step)) * u128::from(held.slots);
        }
    }
    let slots = |ix: usize| u64::from(spec.pools[ix].slots.unwrap_or(0)) * instances[ix];
    let with_slots = (0..work.len()).filter(|&ix| slots(ix) > 0);
    // Work for a slot, compared without a division.
    let busiest = with_slots.max_by(|&a, &b| {
        let left = work[a].saturating_mul(u128::from(slots(b)));
        left.cmp(&work[b].saturating_mul(u128::from(slots(a))))
    });
    busiest.map_or(0, slots)
}
