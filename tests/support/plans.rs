//! Random plans: every scope, condition, item list, pool, budget and failure rule the engine executes.

use std::sync::Arc;

use engine::{
    ActionUse, Approval, ApprovalAt, ApproverGroup, Backoff, Batches, Checklist, Extras, ForEach, Group, GroupIx,
    Interned, NO_KEY, Need, Objectives, OnExceeded, OnFailure, OnLapse, Origin, PLAN_FORMAT, Place, Plan, PlanSpec,
    PoolIx, PoolSpec, PoolUse, Rate, Retry, Scope, Sites, StepIx, StepSpec, When, Work,
};

use crate::random::Random;

/// Generates a plan; asks again where the choices made a plan that is not admitted (batches that could never end).
#[must_use]
pub fn plan(random: &mut Random) -> Arc<Plan> {
    loop {
        if let Ok(plan) = Plan::new(spec(random)) {
            return if random.chance(15) { reordered(random, &plan) } else { plan };
        }
    }
}

/// The plan with an order of its own: whatever numbers, as a file may hold them, many alike.
fn reordered(random: &mut Random, plan: &Plan) -> Arc<Plan> {
    let mut spec = plan.spec().clone();
    let most = random.pick(&[0, 3, u64::from(u32::MAX)]);
    let rank = |random: &mut Random| if random.chance(10) { u32::MAX } else { random.between(0, most) as u32 };
    spec.extras.order = (0..plan.node_count()).map(|_| rank(random)).collect();
    Plan::new(spec).expect("an order is as long as the plan has nodes")
}

/// Labels that a step's workers must have; mostly none. The engine keeps them, and asks nothing of them.
pub(crate) fn labels(random: &mut Random) -> String {
    random.pick(&["", "", "[\"ssd\"]", "[\"region=eu\"]"]).to_owned()
}

/// Generates a plan as data.
#[must_use]
pub fn spec(random: &mut Random) -> PlanSpec {
    let many = random.chance(20);
    let least = u64::from(!random.chance(3));
    let sites = random.between(least, if many { 40 } else { 8 }) as usize;
    let groups: Vec<Group> = (0..random.between(0, 2)).map(|ix| group(random, ix, sites)).collect();
    let pools: Vec<PoolSpec> = (0..random.between(0, 3)).map(|ix| pool(random, ix, &groups)).collect();
    let mut steps: Vec<StepSpec> = Vec::new();
    for ix in 0..random.between(1, if many { 6 } else { 10 }) {
        let step = step(random, ix as usize, sites, &steps, &groups, &pools);
        steps.push(step);
    }
    for ix in 0..random.pick(&[0, 0, 1, 2]) {
        let step = finally(random, steps.len(), ix, sites, &steps, &groups, &pools);
        steps.push(step);
    }
    let batches = batches(random, sites);
    resize_batch_choices(&mut steps, batches.ends.len());
    let read_only = steps.iter().map(|step| step.undo.is_none() && random.chance(30)).collect();
    let runs_on = if random.chance(30) { steps.iter().map(|_| labels(random)).collect() } else { Vec::new() };
    let extras = Extras {
        runs_on,
        start: random.chance(10).then(|| approval(random)),
        approvers: vec![
            ApproverGroup { name: "leads".into(), members: vec!["anna".into(), "ben".into(), "sim".into()] },
            ApproverGroup { name: "support".into(), members: vec!["cleo".into(), "ben".into()] },
        ],
        excluded: vec![],
        read_only,
        order: vec![],
        drill: None,
        uncertified: None,
        // Every gate asks for something to be confirmed.
        checklists: batches
            .gate
            .iter()
            .map(|_| Checklist { of: ApprovalAt::Batches, items: vec!["look".into()] })
            .collect(),
    };
    PlanSpec {
        format: PLAN_FORMAT,
        origin: Origin { runbook: "random".into(), ..Origin::default() },
        sites: Sites {
            ids: (0..sites).map(|ix| format!("site-{ix}")).collect::<Vec<_>>().iter().map(String::as_str).collect(),
            source_rows: (0..sites as u32).map(|ix| ix + 2).collect(),
            columns: vec![],
            restore_points: vec![],
        },
        groups,
        batches,
        pools,
        steps,
        items: vec!["\"a\"".into(), "\"b\"".into(), "\"c\"".into()],
        inputs: "{}".into(),
        estate: "{}".into(),
        objectives: Objectives::default(),
        extras,
    }
}

fn group(random: &mut Random, ix: u64, sites: usize) -> Group {
    let keys = random.between(1, 4) as usize;
    let holes = random.chance(20);
    let mut rows = Vec::new();
    let mut dictionary: Vec<String> = Vec::new();
    for _ in 0..sites {
        if holes && random.chance(20) {
            rows.push(NO_KEY);
            continue;
        }
        let name = format!("k{}", random.between(0, keys as u64 - 1));
        let row = dictionary.iter().position(|known| *known == name).unwrap_or_else(|| {
            dictionary.push(name);
            dictionary.len() - 1
        });
        rows.push(row as u32);
    }
    Group { name: format!("group{ix}"), keys: Interned { dictionary, rows }, restore_points: vec![] }
}

fn pool(random: &mut Random, ix: u64, groups: &[Group]) -> PoolSpec {
    let mut scopes = vec![None, None, Some(Scope::Site), Some(Scope::Batch)];
    scopes.extend((0..groups.len()).map(|group| Some(Scope::Group(GroupIx::from(group)))));
    let rate = random.chance(25).then(|| Rate {
        count: random.between(1, 5) as u32,
        per_ms: random.between(10, 2_000),
        burst: random.between(1, 3) as u32,
    });
    let slots = (rate.is_none() || random.chance(50)).then(|| random.between(1, 4) as u32);
    let per = random.pick(&scopes);
    let shared = matches!(per, None | Some(Scope::Group(_))) && random.chance(25);
    PoolSpec { name: format!("pool{ix}"), per, slots, rate, shared }
}

fn batches(random: &mut Random, sites: usize) -> Batches {
    let mut ends = Vec::new();
    let mut end = 0;
    while end < sites {
        end = (end + random.between(1, 1 + sites as u64) as usize).min(sites);
        ends.push(end as u32);
    }
    let max_failures = ends.iter().map(|_| random.pick(&[0, 1, 3, 1_000])).collect();
    Batches {
        ends,
        max_failures,
        on_exceeded: if random.chance(85) { OnExceeded::Pause } else { OnExceeded::Abort },
        soak_ms: random.pick(&[0, 0, 500]),
        gate: random.chance(15).then(|| approval(random)),
    }
}

fn approval(random: &mut Random) -> Approval {
    Approval {
        from: random.pick(&[vec!["leads".to_owned()], vec!["leads".to_owned(), "support".to_owned()]]),
        min: random.pick(&[1, 1, 2]),
        timeout_ms: random.pick(&[300, 20_000, 1_000_000]),
        on_timeout: random.pick(&[OnLapse::Reject, OnLapse::Pause]),
    }
}

/// A step of `finally`: needs its like only.
fn finally(
    random: &mut Random,
    ix: usize,
    of_finally: usize,
    sites: usize,
    before: &[StepSpec],
    groups: &[Group],
    pools: &[PoolSpec],
) -> StepSpec {
    let mut step = step(random, ix, sites, &[], groups, pools);
    step.work = match step.work {
        Work::Action(action) => Work::Action(action),
        Work::Approval(_) => action(random),
    };
    let last = before.len() - 1;
    if of_finally > 0 && random.chance(50) {
        step.needs.push(Need { step: StepIx::from(last), require_all: false });
    }
    StepSpec { finally: true, front_load: false, undo: None, on_failure: OnFailure::Quarantine, ..step }
}

pub(crate) fn action(random: &mut Random) -> Work {
    Work::Action(action_use(random))
}

pub(crate) fn action_use(random: &mut Random) -> ActionUse {
    ActionUse {
        uses: "noop@1".into(),
        with: "{}".into(),
        expect: String::new(),
        idempotent: random.chance(60),
        has_probe: random.chance(50),
    }
}

pub(crate) fn step(
    random: &mut Random,
    ix: usize,
    sites: usize,
    before: &[StepSpec],
    groups: &[Group],
    pools: &[PoolSpec],
) -> StepSpec {
    let mut scopes = vec![Scope::Site, Scope::Site, Scope::Site, Scope::Run, Scope::Batch];
    scopes.extend((0..groups.len()).map(|group| Scope::Group(GroupIx::from(group))));
    let scope = random.pick(&scopes);
    let mut needs = Vec::new();
    for (other, step) in before.iter().enumerate() {
        if !step.finally && random.chance(30) {
            needs.push(Need { step: StepIx::from(other), require_all: random.chance(10) });
        }
    }
    let mut held = Vec::new();
    for (ix, pool) in pools.iter().enumerate() {
        if random.chance(30) {
            held.push(PoolUse {
                pool: PoolIx::from(ix),
                slots: random.between(1, u64::from(pool.slots.unwrap_or(2))) as u32,
            });
        }
    }
    let keys = match scope {
        Scope::Run => 1,
        Scope::Batch => 0,
        Scope::Group(group) => groups[group.ix()].keys.dictionary.len(),
        Scope::Site => sites,
    };
    let abort = random.chance(4);
    let asks = random.chance(8);
    let work = if asks { Work::Approval(approval(random)) } else { action(random) };
    let undo = (!asks && random.chance(60)).then(|| action_use(random));
    if asks {
        held.clear();
    }
    StepSpec {
        name: format!("step{ix}"),
        place: Place { line: ix as u32 + 1, column: 1 },
        scope,
        needs,
        reads: vec![],
        work,
        pools: held,
        timeout_ms: random.pick(&[100, 1_000, 60_000]),
        retry: Retry {
            attempts: random.between(1, 4) as u16,
            backoff: random.pick(&[Backoff::Constant, Backoff::Exponential]),
            delay_ms: random.pick(&[0, 10, 1_000]),
            max_delay_ms: 5_000,
        },
        on_failure: if abort {
            OnFailure::Abort
        } else {
            random.pick(&[OnFailure::Quarantine, OnFailure::Undo, OnFailure::Degrade, OnFailure::Pause])
        },
        front_load: random.chance(15),
        finally: false,
        when: match random.between(0, 9) {
            0 => When::Planned((0..keys).map(|_| random.chance(70)).collect()),
            1 => When::Later("later".into()),
            _ => When::Always,
        },
        for_each: match if asks { 9 } else { random.between(0, 9) } {
            0 | 1 => for_each(random, keys),
            2 => ForEach::Later("later".into()),
            _ => ForEach::Once,
        },
        expect_ms: random.pick(&[(0, 0), (1_000, 2_000)]),
        keeps_outputs: random.chance(20),
        undo,
    }
}

fn for_each(random: &mut Random, keys: usize) -> ForEach {
    let mut offsets = vec![0];
    let mut items = Vec::new();
    for _ in 0..keys {
        items.extend((0..random.between(0, 3)).map(|item| item as u32));
        offsets.push(items.len() as u32);
    }
    ForEach::Planned { offsets, items }
}

/// Batches are made last, so choices of batch steps get their length here.
fn resize_batch_choices(steps: &mut [StepSpec], batches: usize) {
    for step in steps.iter_mut().filter(|step| step.scope == Scope::Batch) {
        if let When::Planned(bits) = &mut step.when {
            bits.resize(batches, true);
        }
        if let ForEach::Planned { offsets, .. } = &mut step.for_each {
            let last = offsets.last().copied().unwrap_or(0);
            offsets.resize(batches + 1, last);
        }
    }
}
