//! The workload of the engine's measurements: S sites, each a layered graph of steps that do nothing.

use std::sync::Arc;

use engine::{
    ActionUse, Backoff, Batches, ForEach, Need, Objectives, OnExceeded, OnFailure, Origin, PLAN_FORMAT, Place, Plan,
    PlanSpec, PoolIx, PoolSpec, PoolUse, Rate, Retry, Scope, Sites, StepIx, StepSpec, Texts, When, Work,
};

use crate::failure::Failure;

/// Steps in each layer; each needs every step of the layer before.
const LAYERS: [usize; 9] = [1, 4, 3, 6, 4, 6, 3, 2, 1];

/// Steps of a site, unless told otherwise.
pub(crate) const STEPS: u32 = 30;

/// A plan of so many sites with so many steps each, executed here or by workers with a label.
pub(super) fn plan(sites: u32, steps: u32, label: Option<&str>) -> Result<Arc<Plan>, Failure> {
    admitted(spec(sites, steps, label))
}

/// The same at a pace: sites begin one after the other, so that so many steps a second are done.
pub(super) fn paced(sites: u32, steps: u32, label: Option<&str>, steps_per_s: u32) -> Result<Arc<Plan>, Failure> {
    let mut spec = spec(sites, steps, label);
    // What a late processor has missed for a tenth of a second is made up for.
    let burst = (steps_per_s / (10 * steps.max(1))).max(1);
    let rate = Rate { count: steps_per_s, per_ms: 1_000 * u64::from(steps), burst };
    spec.pools.push(PoolSpec { name: "pace".to_owned(), per: None, slots: None, rate: Some(rate), shared: false });
    if let Some(first) = spec.steps.first_mut() {
        first.pools.push(PoolUse { pool: PoolIx(0), slots: 1 });
    }
    admitted(spec)
}

fn admitted(spec: PlanSpec) -> Result<Arc<Plan>, Failure> {
    Plan::new(spec).map_err(|error| Failure::trouble("bench-plan", &error, "report this defect"))
}

fn spec(sites: u32, steps: u32, label: Option<&str>) -> PlanSpec {
    let ids: Vec<String> = (0..sites).map(|site| format!("site-{site:08}")).collect();
    let steps = layered(steps as usize);
    let runs_on = label.map_or_else(Vec::new, |label| vec![format!("[\"{label}\"]"); steps.len()]);
    PlanSpec {
        format: PLAN_FORMAT,
        origin: Origin { runbook: "bench-engine".to_owned(), ..Origin::default() },
        sites: Sites {
            ids: ids.iter().map(String::as_str).collect::<Texts>(),
            source_rows: (2..sites + 2).collect(),
            columns: vec![],
            restore_points: vec![],
        },
        groups: vec![],
        batches: Batches {
            ends: vec![sites],
            max_failures: vec![0],
            on_exceeded: OnExceeded::Pause,
            soak_ms: 0,
            gate: None,
        },
        pools: vec![],
        steps,
        items: vec![],
        inputs: "{}".to_owned(),
        estate: "{}".to_owned(),
        objectives: Objectives::default(),
        extras: engine::Extras { runs_on, ..engine::Extras::default() },
    }
}

/// So many steps, in layers again and again.
fn layered(count: usize) -> Vec<StepSpec> {
    let mut steps = Vec::new();
    let mut before = 0..0;
    for (layer, &width) in LAYERS.iter().cycle().enumerate() {
        let first = steps.len();
        if first == count {
            break;
        }
        for ix in 0..width.min(count - first) {
            let needs = before.clone().map(|step: usize| Need { step: StepIx::from(step), require_all: false });
            steps.push(step(format!("l{layer}s{ix}"), needs.collect()));
        }
        before = first..steps.len();
    }
    steps
}

fn step(name: String, needs: Vec<Need>) -> StepSpec {
    let noop = ActionUse {
        uses: "noop@1".to_owned(),
        with: "{}".to_owned(),
        expect: String::new(),
        idempotent: true,
        has_probe: true,
    };
    StepSpec {
        name,
        place: Place::default(),
        scope: Scope::Site,
        needs,
        reads: vec![],
        work: Work::Action(noop),
        pools: vec![],
        timeout_ms: 60_000,
        retry: Retry { attempts: 3, backoff: Backoff::Exponential, delay_ms: 1_000, max_delay_ms: 60_000 },
        on_failure: OnFailure::Quarantine,
        front_load: false,
        finally: false,
        when: When::Always,
        for_each: ForEach::Once,
        expect_ms: (0, 0),
        keeps_outputs: false,
        undo: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_hold_as_many_steps_as_are_asked_for() {
        for count in [1, 5, 10, 30, 31, 65] {
            assert_eq!(layered(count).len(), count);
        }
        let steps = layered(LAYERS.iter().sum());
        assert_eq!(steps.len(), STEPS as usize);
        assert_eq!((steps[0].needs.len(), steps[1].needs.len(), steps[5].needs.len()), (0, 1, 4));
    }
}
