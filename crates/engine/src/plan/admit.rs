//! What a plan must satisfy before a run may be opened on it.
//!
//! The front end reports the same faults with their places in the YAML; this is the last line, so that no plan from a
//! journal or another front end can bring the engine into a state it does not know.

use crate::ids::StepIx;
use crate::plan::extras::ApprovalAt;
use crate::plan::graph::{self, covers};
use crate::plan::spec::{Approval, ForEach, NO_KEY, PLAN_FORMAT, PlanSpec, Scope, StepSpec, When, Work};
use crate::sites::{Interned, Values};

/// Why a plan was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The bytes are no plan.
    #[error("the plan cannot be encoded or decoded")]
    Encoding,
    /// The plan was written by a newer version.
    #[error("the plan has format {found}, this version reads up to {PLAN_FORMAT}")]
    NewerFormat {
        /// Its format.
        found: u16,
    },
    /// More units than can be numbered.
    #[error("the plan has {units} units, more than {}", u32::MAX)]
    TooLarge {
        /// Units.
        units: u64,
    },
    /// A table is not as long as it must be, or refers to what does not exist.
    #[error("{0}")]
    Malformed(String),
    /// Steps need each other in a circle.
    #[error("steps need each other in a circle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Batches could never finish: a step of a site waits for sites of batches that open later.
    #[error("batch 1 could never end: step {step} waits for {wide}, which waits for sites of later batches")]
    BatchDeadlock {
        /// The waiting step.
        step: String,
        /// The step in between.
        wide: String,
    },
}

/// Checks a plan and returns its steps in an order in which each comes after its needs.
pub(crate) fn admit(spec: &PlanSpec) -> Result<Vec<StepIx>, PlanError> {
    if spec.format > PLAN_FORMAT {
        return Err(PlanError::NewerFormat { found: spec.format });
    }
    admit_sites(spec)?;
    admit_batches(spec)?;
    admit_pools(spec)?;
    for step in &spec.steps {
        admit_step(spec, step)?;
    }
    let order = graph::order(spec)
        .map_err(|cycle| PlanError::Cycle(cycle.iter().map(|step| spec.steps[step.ix()].name.clone()).collect()))?;
    admit_extras(spec)?;
    admit_batch_order(spec, &order)?;
    Ok(order)
}

fn malformed(condition: bool, what: impl FnOnce() -> String) -> Result<(), PlanError> {
    if condition { Err(PlanError::Malformed(what())) } else { Ok(()) }
}

fn admit_sites(spec: &PlanSpec) -> Result<(), PlanError> {
    let sites = spec.sites.len();
    malformed(spec.steps.len() > usize::from(u16::MAX), || "more than 65535 steps".to_owned())?;
    malformed(spec.sites.source_rows.len() != sites, || "source rows do not match the sites".to_owned())?;
    let points = spec.sites.restore_points.len();
    malformed(points != 0 && points != sites, || "restore points do not match the sites".to_owned())?;
    malformed(spec.groups.len() > usize::from(u16::MAX), || "more than 65535 groups".to_owned())?;
    malformed(repeats(spec.sites.ids.iter()), || "a site is listed twice".to_owned())?;
    malformed(repeats(spec.steps.iter().map(|step| step.name.as_str())), || "two steps have one name".to_owned())?;
    for column in &spec.sites.columns {
        malformed(!is_whole(&column.values, sites), || format!("attribute {} does not match the sites", column.name))?;
    }
    for group in &spec.groups {
        let mut used = vec![false; group.keys.dictionary.len()];
        for &row in group.keys.rows.iter().filter(|&&row| row != NO_KEY) {
            if let Some(used) = used.get_mut(row as usize) {
                *used = true;
            }
        }
        malformed(used.contains(&false), || format!("group {} has a key without a site", group.name))?;
        let names = group.keys.dictionary.iter().map(String::as_str);
        malformed(repeats(names), || format!("group {} lists a key twice", group.name))?;
        let keys = group.keys.dictionary.len();
        malformed(group.keys.rows.len() != sites, || format!("group {} does not match the sites", group.name))?;
        let outside = group.keys.rows.iter().any(|&row| row != NO_KEY && row as usize >= keys);
        malformed(outside, || format!("group {} refers to a key it does not have", group.name))?;
        let points = group.restore_points.len();
        malformed(points != 0 && points != keys, || format!("restore points of group {} do not match", group.name))?;
    }
    Ok(())
}

/// Whether some text comes twice: names stand in idempotency keys.
fn repeats<'a>(mut texts: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    !texts.all(|text| seen.insert(text))
}

/// Whether a column has a value for each site.
fn is_whole(values: &Values, sites: usize) -> bool {
    let interned = |texts: &Interned| texts.rows.iter().all(|&row| (row as usize) < texts.dictionary.len());
    match values {
        Values::Text(texts) => texts.rows.len() == sites && interned(texts),
        Values::Integer(values) | Values::Timestamp(values) => values.len() == sites,
        Values::Number(values) => values.len() == sites,
        Values::Boolean(values) => values.len() == sites,
        Values::List { offsets, items } => {
            offsets.len() == sites + 1
                && offsets.first() == Some(&0)
                && offsets.windows(2).all(|pair| pair[0] <= pair[1])
                && offsets.last().is_some_and(|&last| last as usize <= items.rows.len())
                && interned(items)
        }
    }
}

fn admit_extras(spec: &PlanSpec) -> Result<(), PlanError> {
    let extras = &spec.extras;
    let flags = extras.read_only.len();
    malformed(flags != 0 && flags != spec.steps.len(), || "the read-only steps do not match the steps".to_owned())?;
    admit_checklists(spec)?;
    let places = extras.runs_on.len();
    malformed(places != 0 && places != spec.steps.len(), || "the places of work do not match the steps".to_owned())?;
    let nodes: u64 = spec.steps.iter().map(|step| keys_of(spec, step.scope) as u64).sum();
    let ranks = extras.order.len() as u64;
    malformed(ranks != 0 && ranks != nodes, || "the order does not match the nodes".to_owned())
}

/// A checklist belongs to an approval of the plan, and asks for something.
fn admit_checklists(spec: &PlanSpec) -> Result<(), PlanError> {
    let lists = &spec.extras.checklists;
    for (ix, list) in lists.iter().enumerate() {
        let known = match list.of {
            ApprovalAt::Start => spec.extras.start.is_some(),
            ApprovalAt::Batches => spec.batches.gate.is_some(),
            ApprovalAt::Step(step) => {
                spec.steps.get(step.ix()).is_some_and(|step| matches!(step.work, Work::Approval(_)))
            }
        };
        malformed(!known, || "a checklist belongs to no approval".to_owned())?;
        let twice =
            lists[..ix].iter().any(|other| other.of == list.of) || repeats(list.items.iter().map(String::as_str));
        malformed(twice || list.items.is_empty(), || "a checklist is empty, or says something twice".to_owned())?;
    }
    Ok(())
}

fn keys_of(spec: &PlanSpec, scope: Scope) -> usize {
    match scope {
        Scope::Run => 1,
        Scope::Batch => spec.batches.ends.len(),
        Scope::Group(group) => spec.groups[group.ix()].keys.dictionary.len(),
        Scope::Site => spec.sites.len(),
    }
}

fn admit_batches(spec: &PlanSpec) -> Result<(), PlanError> {
    let batches = &spec.batches;
    let ascending = batches.ends.windows(2).all(|pair| pair[0] < pair[1]);
    let whole = batches.ends.last().copied().unwrap_or(0) as usize == spec.sites.len();
    let first = batches.ends.first().is_none_or(|&end| end > 0);
    malformed(!(ascending && whole && first), || "batches do not divide the sites".to_owned())?;
    malformed(batches.ends.len() >= usize::from(u16::MAX), || "more than 65534 batches".to_owned())?;
    malformed(batches.max_failures.len() != batches.ends.len(), || "budgets do not match the batches".to_owned())?;
    batches.gate.iter().chain(&spec.extras.start).try_for_each(|approval| admit_approval(spec, approval, "a gate"))
}

fn admit_pools(spec: &PlanSpec) -> Result<(), PlanError> {
    for pool in &spec.pools {
        malformed(pool.slots == Some(0), || format!("pool {} has no slot", pool.name))?;
        let idle = pool.rate.is_some_and(|rate| rate.count == 0 || rate.per_ms == 0 || rate.burst == 0);
        malformed(idle, || format!("the rate of pool {} never allows a start", pool.name))?;
        let own = matches!(pool.per, Some(Scope::Site | Scope::Batch | Scope::Run));
        malformed(pool.shared && own, || format!("pool {} is shared, but per site, batch or run", pool.name))?;
        if let Some(Scope::Group(group)) = pool.per {
            malformed(group.ix() >= spec.groups.len(), || format!("pool {} is per unknown group", pool.name))?;
        }
    }
    Ok(())
}

fn admit_step(spec: &PlanSpec, step: &StepSpec) -> Result<(), PlanError> {
    let name = &step.name;
    let known = |other: StepIx| other.ix() < spec.steps.len();
    malformed(!step.needs.iter().all(|need| known(need.step)), || format!("step {name} needs an unknown step"))?;
    let itself = step.needs.iter().any(|need| spec.steps.get(need.step.ix()).is_some_and(|other| other.name == *name));
    if itself {
        return Err(PlanError::Cycle(vec![name.clone(), name.clone()]));
    }
    malformed(!step.reads.iter().all(|&read| known(read)), || format!("step {name} reads an unknown step"))?;
    malformed(step.timeout_ms == 0, || format!("step {name} has no time-out"))?;
    malformed(step.retry.attempts == 0, || format!("step {name} allows no attempt"))?;
    if let Scope::Group(group) = step.scope {
        malformed(group.ix() >= spec.groups.len(), || format!("step {name} has an unknown scope"))?;
    }
    let across = step.needs.iter().any(|need| spec.steps[need.step.ix()].finally != step.finally);
    malformed(across, || format!("step {name} and a step that it needs are not both in `finally`"))?;
    let last = step.finally && (step.undo.is_some() || matches!(step.work, Work::Approval(_)));
    malformed(last, || format!("step {name} of `finally` has an undo, or is an approval"))?;
    if let Work::Approval(approval) = &step.work {
        admit_approval(spec, approval, name)?;
        let acts = step.undo.is_some() || !step.pools.is_empty() || step.for_each != ForEach::Once;
        malformed(acts, || format!("approval {name} has an undo, a pool or items"))?;
    }
    admit_holds(spec, step)?;
    admit_choices(spec, step)
}

/// An approval that nobody could give would only ever lapse.
fn admit_approval(spec: &PlanSpec, approval: &Approval, name: &str) -> Result<(), PlanError> {
    let groups = spec.extras.approvers.iter().filter(|group| approval.from.contains(&group.name));
    let members: std::collections::BTreeSet<&String> = groups.flat_map(|group| &group.members).collect();
    malformed(approval.min == 0 || approval.timeout_ms == 0, || format!("approval {name} needs nobody, or no time"))?;
    malformed(members.len() < usize::from(approval.min), || format!("approval {name} has too few approvers"))
}

fn admit_holds(spec: &PlanSpec, step: &StepSpec) -> Result<(), PlanError> {
    let name = &step.name;
    for (ix, held) in step.pools.iter().enumerate() {
        let twice = step.pools[..ix].iter().any(|other| other.pool == held.pool);
        malformed(held.pool.ix() >= spec.pools.len() || twice, || format!("step {name} names no or one pool twice"))?;
        let pool = &spec.pools[held.pool.ix()];
        let fits = held.slots >= 1 && pool.slots.is_none_or(|slots| held.slots <= slots);
        malformed(!fits, || format!("step {name} can never get {} slots of pool {}", held.slots, pool.name))?;
        let per = pool.per.unwrap_or(Scope::Run);
        malformed(!covers(per, step.scope), || {
            format!("step {name} is wider than pool {}, which is per key", pool.name)
        })?;
        if let (Scope::Group(group), Scope::Site) = (per, step.scope) {
            let keyless = spec.groups[group.ix()].keys.rows.contains(&NO_KEY);
            malformed(keyless, || format!("a site has no key for pool {} of step {name}", pool.name))?;
        }
    }
    Ok(())
}

fn admit_choices(spec: &PlanSpec, step: &StepSpec) -> Result<(), PlanError> {
    let name = &step.name;
    let keys = keys_of(spec, step.scope);
    if let When::Planned(bits) = &step.when {
        malformed(bits.len() != keys, || format!("the condition of step {name} does not match its keys"))?;
    }
    if let ForEach::Planned { offsets, items } = &step.for_each {
        let whole = offsets.len() == keys + 1
            && offsets.first() == Some(&0)
            && offsets.last().copied() == u32::try_from(items.len()).ok()
            && offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        malformed(!whole, || format!("the items of step {name} do not match its keys"))?;
        let outside = items.iter().any(|&item| item as usize >= spec.items.len());
        malformed(outside, || format!("step {name} refers to an unknown item"))?;
    }
    Ok(())
}

/// Refuses a step that opens batch by batch but waits for a step that needs nodes of later batches.
fn admit_batch_order(spec: &PlanSpec, order: &[StepIx]) -> Result<(), PlanError> {
    if spec.batches.ends.len() < 2 {
        return Ok(());
    }
    // For each step: do its nodes open one after another with the batches, or wait for such?
    let mut paced = vec![false; spec.steps.len()];
    // For each step: the first among its ancestors and itself that waits for nodes of several batches at once.
    let mut wide: Vec<Option<StepIx>> = vec![None; spec.steps.len()];
    for &ix in order {
        let step = &spec.steps[ix.ix()];
        if step.finally {
            continue;
        }
        let batchwise = matches!(step.scope, Scope::Site | Scope::Batch);
        paced[ix.ix()] = !step.front_load && step.scope != Scope::Run;
        for need in &step.needs {
            let from = need.step.ix();
            paced[ix.ix()] |= paced[from];
            wide[ix.ix()] = wide[ix.ix()].or(wide[from]);
            if !batchwise && paced[from] && spec.steps[from].scope != step.scope {
                wide[ix.ix()] = wide[ix.ix()].or(Some(ix));
            }
        }
        if let (true, Some(between)) = (batchwise, wide[ix.ix()]) {
            let wide = spec.steps[between.ix()].name.clone();
            return Err(PlanError::BatchDeadlock { step: step.name.clone(), wide });
        }
    }
    Ok(())
}
