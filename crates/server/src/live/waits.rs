//! What waits for people, by the names that verbs take.

use std::collections::BTreeMap;

use engine::{Gate, Millis, OnLapse, Request, Run, SiteEnd, SiteIx, StepIx, UnitIx};
use report::Fold;

use crate::live::snapshot::{Item, Kind, Waits};
use crate::live::survey::ended_as;

/// Items listed at most, of each kind.
const LISTED: usize = 200;

/// Gathers approvals, units that need a ruling, and sites that are out or degraded.
pub(super) fn waits(fold: &Fold, now: Millis) -> Waits {
    let run = fold.run();
    let mut waits = Waits::default();
    let mut seen = 0;
    for request in run.requests() {
        seen += 1;
        if seen <= LISTED {
            waits.items.push(approval(run, &request, now));
        }
    }
    let units = run.for_operator().count();
    waits.items.extend(fold.waiting_units().take(LISTED).map(|unit| unit_item(&unit)));
    let mut count = seen + units;
    for (end, kind) in [(SiteEnd::Quarantined, Kind::Quarantined), (SiteEnd::Degraded, Kind::Degraded)] {
        let (sites, all) = ended_as(run, end, LISTED);
        count += all;
        waits.items.extend(sites.into_iter().map(|site| site_item(fold, site, kind)));
    }
    waits.more = count.saturating_sub(waits.items.len());
    waits
}

/// What waits, of one kind, or of one step if people decide on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heap {
    /// As a link names it.
    pub(crate) key: String,
    /// As people read it.
    pub(crate) title: String,
    /// How many things it holds.
    pub(crate) count: usize,
}

/// Everything that waits, in heaps, the most urgent kind first.
pub(crate) fn heaps(fold: &Fold) -> Vec<Heap> {
    let run = fold.run();
    let mut gates = 0;
    let mut steps: BTreeMap<StepIx, usize> = BTreeMap::new();
    for request in run.requests() {
        match step_of(run, request.gate) {
            Some(step) => *steps.entry(step).or_default() += 1,
            None => gates += 1,
        }
    }
    let heap = |key: &str, title: &str, count| Heap { key: key.to_owned(), title: title.to_owned(), count };
    let mut heaps = vec![heap("gates", "Starts and batches", gates)];
    heaps.extend(steps.into_iter().map(|(step, count)| {
        let name = &run.plan().step(step).name;
        Heap { key: format!("step:{name}"), title: format!("Step {}", report::plain(name)), count }
    }));
    heaps.push(heap("doubt", "Steps in doubt or stuck", run.for_operator().count()));
    heaps.push(heap("quarantined", "Quarantined sites", ended_as(run, SiteEnd::Quarantined, 0).1));
    heaps.push(heap("degraded", "Degraded sites", ended_as(run, SiteEnd::Degraded, 0).1));
    heaps.retain(|heap| heap.count > 0);
    heaps
}

/// Some things of a heap.
pub(crate) fn of_heap(fold: &Fold, key: &str, from: usize, most: usize, now: Millis) -> Vec<Item> {
    let run = fold.run();
    let ended = |end, kind| -> Vec<Item> {
        let (sites, _) = ended_as(run, end, from + most);
        sites.into_iter().skip(from).map(|site| site_item(fold, site, kind)).collect()
    };
    let asked = |step: Option<&str>| -> Vec<Item> {
        let of = run
            .requests()
            .filter(|request| step_of(run, request.gate).map(|ix| run.plan().step(ix).name.as_str()) == step);
        of.skip(from).take(most).map(|request| approval(run, &request, now)).collect()
    };
    match key {
        "gates" => asked(None),
        "doubt" => fold.waiting_units().skip(from).take(most).map(|unit| unit_item(&unit)).collect(),
        "quarantined" => ended(SiteEnd::Quarantined, Kind::Quarantined),
        "degraded" => ended(SiteEnd::Degraded, Kind::Degraded),
        _ => key.strip_prefix("step:").map(|step| asked(Some(step))).unwrap_or_default(),
    }
}

fn step_of(run: &Run, gate: Gate) -> Option<StepIx> {
    match gate {
        Gate::Unit(unit) => run.unit_at(unit).map(|(node, _)| run.plan().node_at(node).0),
        Gate::Start | Gate::Batch(_) => None,
    }
}

fn approval(run: &Run, request: &Request<'_>, now: Millis) -> Item {
    let asked = request.approval;
    let groups = &run.plan().spec().extras.approvers;
    let of = groups.iter().filter(|group| asked.from.contains(&group.name));
    let mut people: Vec<&str> = of.flat_map(|group| group.members.iter().map(String::as_str)).collect();
    people.sort_unstable();
    people.dedup();
    let missing = usize::from(asked.min.max(1)).saturating_sub(request.approved_by.len());
    let may: Vec<&str> = people.iter().copied().filter(|name| !engine::reads_like(name, run.opened_by())).collect();
    let until =
        request.due.map_or("once the run is continued".to_owned(), |due| format!("until {}", report::clock(due)));
    let on_lapse = match asked.on_timeout {
        OnLapse::Reject => "then it is rejected",
        OnLapse::Pause => "then the run pauses",
    };
    let sites = match request.gate {
        Gate::Start => run.plan().site_count(),
        Gate::Batch(batch) => u32::try_from(run.plan().batch_sites(batch).len()).unwrap_or(u32::MAX),
        Gate::Unit(unit) => covered(run, unit),
    };
    let soon = request.due.map_or_else(|| "lapsed; continue asks again".to_owned(), |due| by_when(due, now));
    let fact = format!("{soon}: {missing} more of {} ({})", asked.from.join(", "), may.join(", "));
    let mut more = vec![
        ("who may", format!("{} of {}", may.join(", "), asked.from.join(", "))),
        ("missing", format!("{missing} of {}", asked.min.max(1))),
        ("time", format!("{until}, {on_lapse}")),
    ];
    if !request.checklist.is_empty() {
        more.push(("to confirm", request.checklist.join("; ")));
    }
    if !request.approved_by.is_empty() {
        more.push(("approved by", request.approved_by.join(", ")));
    }
    if people.iter().any(|name| engine::reads_like(name, run.opened_by())) {
        more.push(("not", format!("{}, who asked for the run", run.opened_by())));
    }
    let kind = if matches!(request.gate, Gate::Unit(_)) { Kind::Approval } else { Kind::Gate };
    item(kind, report::gate_word(run, request.gate), &fact, more, sites)
}

/// How many sites a unit covers.
pub(crate) fn covered(run: &Run, unit: UnitIx) -> u32 {
    let plan = run.plan();
    let Some((step, key)) = run.unit_at(unit).map(|(node, _)| plan.node_at(node)) else { return 0 };
    u32::try_from(plan.sites_of(plan.step(step).scope, key).count()).unwrap_or(u32::MAX)
}

/// `until 05:31 UTC`, with the day if that is not near.
fn by_when(due: Millis, now: Millis) -> String {
    const NEAR: Millis = 20 * 3_600_000;
    let clock = report::clock(due);
    let from = if due.saturating_sub(now) < NEAR { 11 } else { 5 };
    format!("until {} UTC", clock.get(from..16).unwrap_or_default())
}

fn unit_item(unit: &report::WaitingUnit) -> Item {
    let kind = if unit.state == "stuck" { Kind::Stuck } else { Kind::Parked };
    let undo = if unit.undo { "its undo: " } else { "" };
    let code = if unit.code.is_empty() { String::new() } else { format!("[{}] ", unit.code) };
    let fact = format!("{code}{undo}{}", unit.message);
    let more = vec![
        ("fact", fact.clone()),
        ("hint", unit.hint.clone()),
        ("step", format!("{} at {}", unit.step, unit.place)),
        ("attempts", unit.attempts.to_string()),
        ("sites", unit.sites.to_string()),
    ];
    item(kind, unit.unit.clone(), &fact, more, unit.sites)
}

fn site_item(fold: &Fold, site: SiteIx, kind: Kind) -> Item {
    let id = fold.plan().spec().sites.id(site).to_owned();
    let Some(why) = fold.exception(site) else { return item(kind, id, "", Vec::new(), 1) };
    let at = if why.unit.is_empty() { String::new() } else { format!("{}: ", why.step) };
    let fact = format!("{at}[{}] {}", why.code, why.message);
    let mut more = vec![
        ("fact", format!("[{}] {}", why.code, why.message)),
        ("hint", why.hint),
        ("unit", why.unit),
        ("step", why.place),
        ("batch", why.batch.to_string()),
        ("attempts", why.attempts.to_string()),
    ];
    if why.in_doubt {
        more.push(("in doubt", "whether its effect is there is not known".to_owned()));
    }
    if why.more > 0 {
        more.push(("further", format!("{} more failed units of this site", why.more)));
    }
    if more.iter().any(|(label, text)| *label == "hint" && text.is_empty()) {
        let hint = "repair the cause, then retry; `reinstate logs RUN --site` has all that happened to it";
        more.retain(|(label, _)| *label != "hint");
        more.insert(1, ("hint", hint.to_owned()));
    }
    more.retain(|(_, text)| !text.is_empty());
    item(kind, id, &fact, more, 1)
}

/// Names are kept as verbs need them; they are made harmless when they are drawn.
fn item(kind: Kind, subject: String, fact: &str, more: Vec<(&'static str, String)>, sites: u32) -> Item {
    let more = more.into_iter().map(|(label, text)| (label, report::plain(&text))).collect();
    Item { kind, subject, fact: report::plain(fact), more, sites }
}
