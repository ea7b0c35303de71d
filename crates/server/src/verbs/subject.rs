//! What a verb is about, by the names that reports and `why` use.

use engine::{Gate, KeyIx, NodeIx, PoolIx, Run, SiteIx, StepIx, UnitIx};

use crate::verbs::NoSubject;

/// Finds a site by its ID.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn site(run: &Run, id: &str) -> Result<SiteIx, NoSubject> {
    let sites = &run.plan().spec().sites;
    let known = (0..run.plan().site_count()).map(SiteIx).find(|&site| sites.id(site) == id);
    known.ok_or_else(|| {
        let excluded = run.plan().spec().extras.excluded.iter().find(|site| site.id == id);
        let hint = match excluded {
            Some(site) => format!("the plan left it out: {}", site.reason),
            None => "`reinstate sites NAME` lists the run's sites".to_owned(),
        };
        NoSubject::site(format!("{id} is no site of this run"), hint)
    })
}

/// Finds a step by its name.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn step(run: &Run, name: &str) -> Result<StepIx, NoSubject> {
    run.plan().steps().find(|&step| run.plan().step(step).name == name).ok_or_else(|| {
        let names: Vec<&str> = run.plan().spec().steps.iter().map(|step| step.name.as_str()).collect();
        let hint = format!("steps of the run: {}", names.join(", "));
        NoSubject::step(format!("{name} is no step of this run"), hint)
    })
}

/// Finds a pool by its name.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn pool(run: &Run, name: &str) -> Result<PoolIx, NoSubject> {
    let pools = &run.plan().spec().pools;
    pools.iter().position(|pool| pool.name == name).map(PoolIx::from).ok_or_else(|| {
        let names: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
        let hint = format!("pools of the run: {}", names.join(", "));
        NoSubject::pool(format!("{name} is no pool of this run"), hint)
    })
}

/// Finds a node, and the item if one is named: `STEP/KEY` or `STEP/KEY/ITEM`, `STEP` alone for a step that runs once.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn node(run: &Run, text: &str) -> Result<(NodeIx, Option<u32>), NoSubject> {
    let plan = run.plan();
    let (name, rest) = text.split_once('/').unwrap_or((text, "run"));
    let step = step(run, name)?;
    let scope = plan.step(step).scope;
    let key_named = |key: &str| (0..plan.key_count(scope)).map(KeyIx).find(|&ix| plan.key_name(scope, ix) == key);
    if let Some(key) = key_named(rest) {
        return Ok((plan.node(step, key), None));
    }
    let with_item = rest.rsplit_once('/').and_then(|(key, item)| {
        let node = plan.node(step, key_named(key)?);
        let unit = run.units_of(node).find(|&unit| run.unit_name(UnitIx(unit)) == format!("{name}/{key}/{item}"))?;
        Some((node, Some(unit - run.units_of(node).start)))
    });
    with_item.ok_or_else(|| {
        let hint = "name it as `why` and reports do: STEP/KEY, or STEP/KEY/ITEM for one of several items";
        NoSubject::unit(format!("{text} is nothing of this run"), hint)
    })
}

/// Finds a unit: a node of one unit, or an item of a node.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn unit(run: &Run, text: &str) -> Result<UnitIx, NoSubject> {
    let (node, item) = node(run, text)?;
    let units = run.units_of(node);
    match item {
        Some(item) => Ok(UnitIx(units.start + item)),
        None if units.len() == 1 => Ok(UnitIx(units.start)),
        None => {
            let names: Vec<String> = units.take(5).map(|unit| run.unit_name(UnitIx(unit))).collect();
            let message = format!("{text} has several items, or none yet");
            Err(NoSubject::unit(message, format!("name one of them: {}", names.join(", "))))
        }
    }
}

/// Finds a gate: `start`, `batch-2`, or the name of an approval's unit.
///
/// # Errors
/// If the run has none of that name; the hint says which it has.
pub fn gate(run: &Run, text: &str) -> Result<Gate, NoSubject> {
    let batch = text.strip_prefix("batch-").or_else(|| text.strip_prefix("batch ")).and_then(|n| n.parse::<u16>().ok());
    let gate = match (text, batch) {
        ("start", _) => Some(Gate::Start),
        (_, Some(batch)) => batch.checked_sub(1).map(|ix| Gate::Batch(engine::BatchIx(ix))),
        _ => unit(run, text).ok().map(Gate::Unit),
    };
    let known = gate.filter(|&gate| run.approval(gate).is_some());
    known.ok_or_else(|| {
        let open: Vec<String> = run.requests().take(5).map(|request| run.gate_name(request.gate)).collect();
        let hint = if open.is_empty() {
            "nothing of this run waits for approval".to_owned()
        } else {
            format!("what waits for approval: {}", open.join(", "))
        };
        NoSubject::gate(format!("{text} is no approval of this run"), hint)
    })
}
