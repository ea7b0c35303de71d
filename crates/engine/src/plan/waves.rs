//! The last sites of each batch, which go step by step and not site by site.
//!
//! Site by site is what people want of a batch: sites are back one after another from early on. Its end is slow, though:
//! the last sites go through their whole chain while fewer and fewer of them keep the pools busy. So the last wave, and it
//! alone, goes by the longest way first, and its sites end together; of its sites those with the most to do go first.

use crate::ids::{KeyIx, SiteIx};
use crate::plan::graph::expected_ms;
use crate::plan::keys::Keys;
use crate::plan::spec::{ForEach, PlanSpec, Scope, When};

/// Sites in the last wave for each slot of the pool with the most work.
///
/// As many as that pool has slots are under way when they go site by site; only with twice as many does the wave begin while
/// all slots are still in use. With the times of a lab run of 883 sites a simulated run came from 12 % above its lower bound to
/// 7 % with one, 4.7 % with two and 4.3 % with four, and half of the sites were back after the same time in all.
const SITES_PER_SLOT: u64 = 2;
/// Bits of what a site has less to do than another.
const LIGHT_BITS: u32 = 15;

/// Which sites are in a last wave, and in which order they go.
#[derive(Debug)]
pub(super) struct Waves {
    /// First site of each batch's last wave.
    first: Vec<u32>,
    /// Of each site, how many units less than the most it has.
    light: Vec<u16>,
}

impl Waves {
    /// `units` and `instances` are those of each step and of each pool.
    pub(super) fn new(spec: &PlanSpec, units: &[u64], instances: &[u64]) -> Self {
        let wave = SITES_PER_SLOT.saturating_mul(slots_of_the_busiest(spec, units, instances));
        let wave = u32::try_from(wave).unwrap_or(u32::MAX);
        let starts = std::iter::once(0).chain(spec.batches.ends.iter().copied());
        let first = spec.batches.ends.iter().zip(starts).map(|(&end, start)| end.saturating_sub(wave).max(start));
        Self { first: first.collect(), light: light(spec) }
    }

    /// Place of a unit among those of sites that are ready, in 63 bits: its site's turn, or that of the wave; then by the rank of
    /// its step; then by how much its site has to do.
    pub(super) fn turn(&self, keys: &Keys, site: SiteIx, rank: u16) -> u64 {
        let batch = keys.of_site(Scope::Batch, site).unwrap_or(KeyIx(0));
        let turn = u64::from(self.first[batch.ix()].min(site.0));
        (turn << (16 + LIGHT_BITS)) | (u64::from(rank) << LIGHT_BITS) | u64::from(self.light[site.ix()])
    }
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
    // Work for a slot, compared without a division; of two alike the one with more slots.
    let busiest = with_slots.max_by(|&a, &b| {
        let left = work[a].saturating_mul(u128::from(slots(b)));
        left.cmp(&work[b].saturating_mul(u128::from(slots(a)))).then(slots(a).cmp(&slots(b)))
    });
    busiest.map_or(0, slots)
}

/// How many units less than the most each site has, as far as the plan knows: a unit more is one more that may be slow, or have
/// to be tried again, with the end of the batch waiting for it.
fn light(spec: &PlanSpec) -> Vec<u16> {
    let mut units = vec![0_u32; spec.sites.len()];
    for step in spec.steps.iter().filter(|step| step.scope == Scope::Site) {
        if let When::Planned(runs) = &step.when {
            units.iter_mut().zip(runs).for_each(|(units, &runs)| *units = units.saturating_add(u32::from(runs)));
        }
        if let ForEach::Planned { offsets, .. } = &step.for_each {
            units
                .iter_mut()
                .zip(offsets.windows(2))
                .for_each(|(units, of)| *units = units.saturating_add(of[1].saturating_sub(of[0])));
        }
    }
    let most = units.iter().copied().max().unwrap_or(0);
    let least = (1 << LIGHT_BITS) - 1;
    units.iter().map(|&units| u16::try_from(most - units).unwrap_or(least).min(least)).collect()
}
