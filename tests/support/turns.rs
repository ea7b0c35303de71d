//! In which order the sites of a batch go, told once more without the engine's tables.

use std::cmp::Reverse;

use engine::{BatchIx, ForEach, Plan, PoolIx, Scope, SiteIx, StepIx, When};

/// Lower comes first: its site or its wave, the way that is left from its step, the step, and how much its site has to do.
type Turn = (u32, Reverse<u64>, StepIx, Reverse<u32>);

/// The order of a plan's sites.
pub(crate) struct Turns<'a> {
    plan: &'a Plan,
    /// Time of the longest way from the begin of each step to the end.
    ways: Vec<u64>,
    /// Sites that are last in a batch.
    wave: u64,
}

impl<'a> Turns<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut ways: Vec<u64> = plan.steps().map(|step| plan.expected_ms(step)).collect();
        // As often as a way is long.
        for _ in plan.steps() {
            for step in plan.steps() {
                for need in &plan.step(step).needs {
                    let through = plan.expected_ms(need.step) + ways[step.ix()];
                    ways[need.step.ix()] = ways[need.step.ix()].max(through);
                }
            }
        }
        Self { plan, ways, wave: 2 * slots_of_the_busiest(plan) }
    }

    /// Site by site, but for the last of a batch, two for each slot of its busiest pool, which count as one; within each the step
    /// with the longest way to the end, the earlier of two alike; and of one step the site that has the most to do.
    pub(crate) fn of(&self, step: StepIx, site: SiteIx) -> Turn {
        let plan = self.plan;
        let mut batches = (0..plan.batch_count() as usize).map(|ix| plan.batch_sites(BatchIx::from(ix)));
        let batch = batches.find(|sites| sites.contains(&site.0)).expect("each site is in a batch");
        let last = u64::from(batch.end).saturating_sub(self.wave);
        let wave = u32::try_from(last).expect("below the end").max(batch.start);
        (site.0.min(wave), Reverse(self.ways[step.ix()]), step, Reverse(to_do(plan, site)))
    }
}

/// Slots in all of the pool whose slots have the most to do each; the more of two alike.
fn slots_of_the_busiest(plan: &Plan) -> u64 {
    let pools = (0..).zip(&plan.spec().pools).filter_map(|(ix, pool)| {
        let slots = u64::from(pool.slots?) * pool.per.map_or(1, |per| u64::from(plan.key_count(per)));
        let work = plan.steps().map(|step| {
            let spec = plan.step(step);
            let nodes = plan.key_count(spec.scope);
            let units = match &spec.for_each {
                ForEach::Planned { items, .. } => nodes.max(u32::try_from(items.len()).expect("a plan fits")),
                ForEach::Once | ForEach::Later(_) => nodes,
            };
            let held: u32 = spec.pools.iter().filter(|held| held.pool == PoolIx(ix)).map(|held| held.slots).sum();
            u128::from(units) * u128::from(plan.expected_ms(step)) * u128::from(held)
        });
        Some((work.sum::<u128>(), slots))
    });
    let busier = |a: &(u128, u64), b: &(u128, u64)| (a.0 * u128::from(b.1), a.1).cmp(&(b.0 * u128::from(a.1), b.1));
    pools.max_by(busier).map_or(0, |(_, slots)| slots)
}

/// Units of a site that the plan knows of and that others may not have.
fn to_do(plan: &Plan, site: SiteIx) -> u32 {
    let of = |step: StepIx| {
        let spec = plan.step(step);
        if spec.scope != Scope::Site {
            return 0;
        }
        let runs = matches!(&spec.when, When::Planned(runs) if runs[site.ix()]);
        let items = match &spec.for_each {
            ForEach::Planned { offsets, .. } => offsets[site.ix() + 1] - offsets[site.ix()],
            ForEach::Once | ForEach::Later(_) => 0,
        };
        u32::from(runs) + items
    };
    plan.steps().map(of).sum()
}
