//! Which pool holds the run back: measured by waiting, settled by simulating the plan with that pool twice as large.

use std::sync::Arc;

use engine::{Plan, PoolIx, Scope};

use crate::duration::seconds;
use crate::forecast::drive::{Course, from_the_start};
use crate::forecast::model::Model;
use crate::forecast::outlook::{Bottleneck, PoolOutlook, WhatIf};

/// Pools that are looked at more closely.
const CANDIDATES: usize = 3;

/// What was waited for at a pool.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) outlook: PoolOutlook,
    pool: PoolIx,
    /// Key of the instance that most was waited for.
    key: Option<String>,
    /// Whether most waited for the rate rather than for a slot.
    by_rate: bool,
    /// Waiting time of the worst instance, weighed with its utilisation.
    weight: f64,
}

/// Sums up the pools of a course.
#[expect(clippy::cast_precision_loss, reason = "shares for people")]
pub(super) fn queues(course: &Course) -> Vec<Queue> {
    let plan = course.run.plan();
    let span = (course.end - course.trace.from).max(1) as f64;
    let mut queues: Vec<Queue> = plan
        .spec()
        .pools
        .iter()
        .enumerate()
        .map(|(ix, pool)| Queue {
            outlook: PoolOutlook {
                pool: pool.name.clone(),
                slots: pool.slots,
                instances: plan.key_count(pool.per.unwrap_or(Scope::Run)),
                waits: 0,
                waiting_s: 0.0,
                longest_waiting_s: 0.0,
                utilisation: pool.slots.map(|_| 0.0),
            },
            pool: PoolIx::from(ix),
            key: None,
            by_rate: false,
            weight: 0.0,
        })
        .collect();
    for (ix, row) in course.trace.pools.rows.iter().enumerate() {
        let (pool, key) = course.trace.pools.pool_of(ix);
        let queue = &mut queues[pool.ix()];
        let waited = seconds(row.waited);
        let used = row.slots.map(|slots| row.work as f64 / f64::from(slots.max(1)) / span);
        queue.outlook.waits += row.waits;
        queue.outlook.waiting_s += waited;
        queue.outlook.utilisation = queue.outlook.utilisation.zip(used).map(|(most, used)| most.max(used));
        if waited > queue.outlook.longest_waiting_s {
            queue.outlook.longest_waiting_s = waited;
            queue.by_rate = row.rate_waits * 2 > row.waits;
            queue.weight = waited * used.filter(|_| !queue.by_rate).unwrap_or(1.0);
            queue.key = plan.spec().pools[pool.ix()].per.map(|per| plan.key_name(per, key));
        }
    }
    queues
}

/// The pools that were waited for, worst first.
fn candidates(queues: &[Queue]) -> Vec<&Queue> {
    let mut waited: Vec<&Queue> = queues.iter().filter(|queue| queue.weight > 0.0).collect();
    waited.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.pool.cmp(&b.pool)));
    waited.truncate(CANDIDATES);
    waited
}

/// Simulates the worst pools twice as large, at most `most` of them, with the drawings of a seed.
pub(super) fn what_if(plan: &Plan, model: &Model, seed: u64, end: i64, queues: &[Queue], most: usize) -> Vec<WhatIf> {
    let mut all = Vec::new();
    for queue in candidates(queues).into_iter().take(most) {
        let mut spec = plan.spec().clone();
        let Some(pool) = spec.pools.get_mut(queue.pool.ix()) else { continue };
        let what = if let Some(rate) = pool.rate.as_mut().filter(|_| queue.by_rate) {
            rate.count = rate.count.saturating_mul(2);
            format!("at twice its rate ({} in {} ms)", rate.count, rate.per_ms)
        } else {
            let slots = pool.slots.map_or(u32::MAX, |slots| slots.saturating_mul(2));
            pool.slots = Some(slots);
            format!("with {slots} slots instead of {}", slots / 2)
        };
        // A plan with a larger pool is as admissible as the plan itself.
        let Ok(changed) = Plan::new(spec) else { continue };
        let course = from_the_start(&Arc::clone(&changed), model, seed);
        if course.ended {
            all.push(WhatIf {
                change: format!("pool {} {what}", queue.outlook.pool),
                pool: queue.outlook.pool.clone(),
                makespan_s: seconds(course.end),
                saves_s: seconds(end - course.end),
            });
        }
    }
    all
}

/// The pool whose enlargement saves most; without a simulated change the one that most was waited for.
pub(super) fn bottleneck(queues: &[Queue], changes: &[WhatIf]) -> Option<Bottleneck> {
    let candidates = candidates(queues);
    let best = changes
        .iter()
        .filter(|change| change.saves_s > 0.0)
        .max_by(|a, b| a.saves_s.total_cmp(&b.saves_s))
        .and_then(|change| candidates.iter().find(|queue| queue.outlook.pool == change.pool));
    let queue = best.or(candidates.first())?;
    Some(Bottleneck {
        pool: queue.outlook.pool.clone(),
        key: queue.key.clone(),
        saves_s: changes.iter().find(|change| change.pool == queue.outlook.pool).map(|change| change.saves_s),
    })
}
