//! Random amendments of random plans: steps come, go and change in the middle, pools and budgets change, and now and then
//! something that must be refused.

use std::collections::BTreeMap;

use engine::{ForEach, Plan, PlanSpec, Run, Scope, StepIx, UnitIx, When, Work};

use crate::plans;
use crate::random::Random;

/// A plan that changes some things of another; it may be one that no run can take.
#[must_use]
pub fn amended(random: &mut Random, plan: &Plan) -> PlanSpec {
    let mut spec = plan.spec().clone();
    for _ in 0..random.between(1, 3) {
        match random.between(0, 11) {
            0..=3 => add(random, &mut spec),
            4 | 5 => remove(random, &mut spec),
            6..=8 => change(random, &mut spec),
            9 => {
                if let Some(pool) = spec.pools.first_mut() {
                    pool.slots = pool.slots.map(|_| random.between(2, 6) as u32);
                }
            }
            10 => spec.batches.max_failures.iter_mut().for_each(|most| *most = random.pick(&[0, 2, 1_000])),
            _ => spec.batches.soak_ms = random.pick(&[0, 700]),
        }
    }
    if random.chance(5) {
        spec.sites.source_rows.reverse();
        spec.sites.ids =
            spec.sites.ids.iter().map(|id| format!("{id}x")).collect::<Vec<_>>().iter().map(String::as_str).collect();
    }
    spec
}

/// A step of its own somewhere, before some of those that come later.
fn add(random: &mut Random, spec: &mut PlanSpec) {
    let work = spec.steps.iter().take_while(|step| !step.finally).count();
    let at = random.between(0, work as u64) as usize;
    let mut step = plans::step(random, at, spec.sites.len(), &spec.steps[..at], &spec.groups, &spec.pools);
    step.name = format!("added{}", random.between(0, 1_000_000));
    if let (When::Planned(bits), Scope::Batch) = (&mut step.when, step.scope) {
        bits.resize(spec.batches.ends.len(), true);
    }
    if let (ForEach::Planned { offsets, .. }, Scope::Batch) = (&mut step.for_each, step.scope) {
        let last = offsets.last().copied().unwrap_or(0);
        offsets.resize(spec.batches.ends.len() + 1, last);
    }
    if random.chance(80) {
        step.work = match step.work {
            Work::Approval(_) => plans::action(random),
            action => action,
        };
    }
    renumber(spec, |ix| Some(if ix < at { ix } else { ix + 1 }));
    spec.steps.insert(at, step);
    if !spec.extras.read_only.is_empty() {
        spec.extras.read_only.insert(at, false);
    }
    if !spec.extras.runs_on.is_empty() {
        spec.extras.runs_on.insert(at, plans::labels(random));
    }
    let need = engine::Need { step: StepIx::from(at), require_all: false };
    for later in &mut spec.steps[at + 1..] {
        if !later.finally && random.chance(25) {
            later.needs.push(need);
        }
    }
}

fn remove(random: &mut Random, spec: &mut PlanSpec) {
    if spec.steps.len() < 2 {
        return;
    }
    let at = random.between(0, spec.steps.len() as u64 - 1) as usize;
    spec.steps.remove(at);
    if !spec.extras.read_only.is_empty() {
        spec.extras.read_only.remove(at);
    }
    if !spec.extras.runs_on.is_empty() {
        spec.extras.runs_on.remove(at);
    }
    renumber(spec, |ix| match ix.cmp(&at) {
        std::cmp::Ordering::Less => Some(ix),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(ix - 1),
    });
}

fn change(random: &mut Random, spec: &mut PlanSpec) {
    let at = random.between(0, spec.steps.len() as u64 - 1) as usize;
    let other = plans::action_use(random);
    let step = &mut spec.steps[at];
    match random.between(0, 9) {
        0 | 1 => {
            if let Work::Action(action) = &mut step.work {
                action.with = format!("{{\"v\":{}}}", random.between(0, 9));
            }
        }
        2 => {
            if let Work::Action(action) = &mut step.work {
                *action = other;
            }
        }
        3 => step.timeout_ms = random.pick(&[200, 30_000]),
        4 => step.retry.attempts = random.between(1, 5) as u16,
        5 => drop(step.pools.pop()),
        6 => {
            step.undo = step
                .undo
                .take()
                .is_none()
                .then_some(other)
                .filter(|_| matches!(step.work, Work::Action(_)) && !step.finally)
        }
        7 => step.when = When::Always,
        8 => {
            if let Some(labels) = spec.extras.runs_on.get_mut(at) {
                *labels = plans::labels(random);
            }
        }
        _ => drop(step.needs.pop()),
    }
    if step.undo.is_some()
        && let Some(read_only) = spec.extras.read_only.get_mut(at)
    {
        *read_only = false;
    }
}

/// Steps move; needs of what is gone go with it.
fn renumber(spec: &mut PlanSpec, to: impl Fn(usize) -> Option<usize>) {
    for step in &mut spec.steps {
        step.needs.retain_mut(|need| match to(need.step.ix()) {
            Some(ix) => {
                need.step = StepIx::from(ix);
                true
            }
            None => false,
        });
    }
}

/// Where units of a run lie after an amendment: those of the same step, key and item.
#[derive(Debug)]
pub struct Moved {
    to: BTreeMap<String, UnitIx>,
    names: Vec<String>,
}

impl Moved {
    /// Compares a run before and after.
    #[must_use]
    pub fn new(before: &Run, after: &Run) -> Self {
        let names = |run: &Run| -> Vec<String> {
            (0..)
                .map(UnitIx)
                .take_while(|&unit| run.unit_state(unit).is_some())
                .map(|unit| run.unit_key(unit))
                .collect()
        };
        let to = names(after).into_iter().enumerate().map(|(ix, name)| (name, UnitIx::from(ix))).collect();
        Self { to, names: names(before) }
    }

    /// The new number of a unit, if it is still there.
    #[must_use]
    pub fn unit(&self, unit: UnitIx) -> Option<UnitIx> {
        self.to.get(self.names.get(unit.ix())?).copied()
    }
}
