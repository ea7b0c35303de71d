//! What an event is about, by name.

use engine::{Again, Event, Gate, Run, UnitIx};

/// Whether an event is about a site: about it alone, or about something of a step that it shares with others.
#[must_use]
pub fn is_about(run: &Run, event: &Event, id: &str) -> bool {
    let sites = &run.plan().spec().sites;
    match (event, unit_of(event)) {
        (
            Event::SiteEnded { site, .. }
            | Event::TakenOut { site, .. }
            | Event::SiteAdopted { site, .. }
            | Event::Retried { what: Again::Site(site) | Again::From(site, _), .. },
            _,
        ) => sites.id(*site) == id,
        (
            Event::Overruled { node, .. }
            | Event::Decided { node, .. }
            | Event::Expanded { node, .. }
            | Event::Unevaluable { node, .. },
            _,
        ) => {
            let (step, key) = run.plan().node_at(*node);
            run.plan().sites_of(run.plan().step(step).scope, key).any(|site| sites.id(site) == id)
        }
        (_, Some(unit)) => run.covers(unit, usize::MAX).into_iter().any(|site| sites.id(site) == id),
        _ => false,
    }
}

fn unit_of(event: &Event) -> Option<UnitIx> {
    match event {
        Event::Started { unit, .. }
        | Event::Succeeded { unit, .. }
        | Event::Refused { unit, .. }
        | Event::InDoubt { unit, .. }
        | Event::NotBegun { unit, .. }
        | Event::Ruled { unit, .. }
        | Event::Approved { gate: Gate::Unit(unit), .. }
        | Event::Rejected { gate: Gate::Unit(unit), .. }
        | Event::Lapsed { gate: Gate::Unit(unit) }
        | Event::Retried { what: Again::Unit(unit), .. } => Some(*unit),
        _ => None,
    }
}

/// What an event is about: a unit, a node, a site or a batch.
#[must_use]
pub fn event_subject(run: &Run, event: &Event) -> Option<String> {
    let plan = run.plan();
    match event {
        Event::Decided { node, .. } | Event::Expanded { node, .. } | Event::Unevaluable { node, .. } => {
            let (step, key) = plan.node_at(*node);
            Some(format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key)))
        }
        Event::Overruled { node, item, .. } => {
            let (step, key) = plan.node_at(*node);
            let unit = item.map(|item| UnitIx(run.units_of(*node).start.saturating_add(item)));
            let whole = format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key));
            Some(unit.map_or(whole, |unit| run.unit_name(unit)))
        }
        Event::SiteEnded { site, .. }
        | Event::TakenOut { site, .. }
        | Event::SiteAdopted { site, .. }
        | Event::Retried { what: Again::Site(site), .. } => Some(plan.spec().sites.id(*site).to_owned()),
        Event::Retried { what: Again::From(site, step), .. } => {
            Some(format!("{} from {} on", plan.spec().sites.id(*site), plan.step(*step).name))
        }
        Event::Retried { what: Again::Quarantined, .. } => Some("every quarantined site".to_owned()),
        Event::Approved { gate: gate @ (Gate::Start | Gate::Batch(_)), .. }
        | Event::Rejected { gate: gate @ (Gate::Start | Gate::Batch(_)), .. }
        | Event::Lapsed { gate: gate @ (Gate::Start | Gate::Batch(_)) } => Some(crate::typed::gate_word(run, *gate)),
        Event::Granted { instance, .. } => {
            let (pool, key) = plan.pool_of(*instance);
            plan.spec().pools.get(pool.ix()).map(|pool| match pool.per {
                Some(per) => format!("pool {}[{}]", pool.name, plan.key_name(per, key)),
                None => format!("pool {}", pool.name),
            })
        }
        Event::PoolSet { pool, .. } => plan.spec().pools.get(pool.ix()).map(|pool| format!("pool {}", pool.name)),
        Event::BatchOpened { batch } | Event::BatchSettled { batch } | Event::BudgetExceeded { batch } => {
            Some(format!("batch {}", batch.0 + 1))
        }
        event => unit_of(event).map(|unit| run.unit_name(unit)),
    }
}
