//! Rates as resources: before it starts, a unit holds a ticket for as long as the rate keeps starts apart.

use engine::{Plan, PoolIx};

use crate::schedule::project::ProjectSpec;

/// First resource and time of a ticket in milliseconds, for each pool whose rate can hold anything back.
pub(crate) struct Rates(Vec<Option<(u32, u64)>>);

impl Rates {
    pub(crate) fn new(plan: &Plan, spec: &mut ProjectSpec) -> Self {
        let pools = (0..plan.spec().pools.len()).map(PoolIx::from).map(|pool| {
            let described = &plan.spec().pools[pool.ix()];
            let rate = described.rate?;
            if slots_are_tighter(plan, pool) {
                return None;
            }
            // Faster than one in a millisecond: several tickets of whole milliseconds.
            let tickets = (u64::from(rate.count)).div_ceil(rate.per_ms.max(1)).max(1);
            let ticket_ms = (rate.per_ms * tickets / u64::from(rate.count.max(1))).max(1);
            let base = u32::try_from(spec.capacities.len()).unwrap_or(u32::MAX);
            let instances = described.per.map_or(1, |per| plan.key_count(per));
            let tickets = u32::try_from(tickets).unwrap_or(u32::MAX);
            spec.capacities.extend((0..instances).map(|_| tickets));
            Some((base, ticket_ms))
        });
        Self(pools.collect())
    }

    pub(crate) fn of(&self, pool: PoolIx) -> Option<(u32, u64)> {
        self.0[pool.ix()]
    }
}

/// Whether the slots of a pool let fewer starts through than its rate, for the quickest step that uses it.
fn slots_are_tighter(plan: &Plan, pool: PoolIx) -> bool {
    let described = &plan.spec().pools[pool.ix()];
    let (Some(slots), Some(rate)) = (described.slots, described.rate) else { return false };
    let users = plan.steps().filter(|&step| plan.step(step).pools.iter().any(|held| held.pool == pool));
    users.map(|step| plan.expected_ms(step)).min().is_none_or(|quickest| {
        u128::from(slots) * u128::from(rate.per_ms) <= u128::from(rate.count) * u128::from(quickest)
    })
}
