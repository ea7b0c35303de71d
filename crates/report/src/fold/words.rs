//! Events in words, for the timeline and for the record of what people did.

use engine::{Again, Decree, Event, KeyIx, NodeIx, Ruling, Run, RunEnd, SiteEnd, SiteIx, TakeOut};

use crate::report::MomentKind;

/// What an event was, in a sentence, and who is behind it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: MomentKind,
    /// What it is about: a gate, a unit, a site, a pool; empty for the run as a whole.
    pub(super) subject: String,
    pub(super) actor: String,
    pub(super) reason: String,
    pub(super) text: String,
}

/// An event of note, just applied, in a sentence, with who is behind it and why; `None` for what only moves a unit or a
/// site. Control characters of names are not written out here.
#[must_use]
pub fn told(run: &Run, event: &Event) -> Option<String> {
    let node = match event {
        Event::Overruled { node, .. } => Some(*node),
        Event::Ruled { unit, .. } => run.unit_at(*unit).map(|(node, _)| node),
        _ => None,
    };
    let taken_back = |site| run.is_undoing(site) || run.is_left(site) || run.site_end(site) == Some(SiteEnd::Undone);
    let undo = crate::fold::site_of(run, node).is_some_and(taken_back);
    tell(run, event, undo).map(|told| told.text)
}

/// Tells an event of note that was just applied; `undo` says whether it settles something that is being taken back.
pub(super) fn tell(run: &Run, event: &Event, undo: bool) -> Option<Told> {
    let site = |site: &SiteIx| run.plan().spec().sites.id(*site).to_owned();
    let told = |kind, subject: String, actor: &str, reason: &str, what: String| {
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let text = format!("{what}{why}");
        Some(Told { kind, subject, actor: actor.to_owned(), reason: reason.to_owned(), text })
    };
    match event {
        Event::Paused { actor, reason } => {
            told(MomentKind::Paused, String::new(), actor, reason, format!("paused by {actor}"))
        }
        Event::Continued { actor, reason } => {
            told(MomentKind::Continued, String::new(), actor, reason, format!("continued by {actor}"))
        }
        Event::Cancelled { actor, reason } => {
            told(MomentKind::Cancelled, String::new(), actor, reason, format!("cancelled by {actor}"))
        }
        Event::Unwinding { actor, reason } => {
            let what = format!("cancelled by {actor}, and what was done is taken back");
            told(MomentKind::Unwinding, String::new(), actor, reason, what)
        }
        Event::Ruled { unit, ruling, actor, reason } => {
            let what = match (ruling, undo) {
                (Ruling::Done, false) => "done",
                (Ruling::Done, true) => "taken back",
                (Ruling::Again, false) => "to be applied again",
                (Ruling::Again, true) => "to be taken back again",
                (Ruling::GiveUp, false) => "given up",
                (Ruling::GiveUp, true) => "left as it is, not taken back",
            };
            let name = run.unit_name(*unit);
            let text = format!("{actor} ruled {name} {what}");
            told(MomentKind::Ruled, name, actor, reason, text)
        }
        Event::Approved { gate, actor, reason } => {
            let name = run.gate_name(*gate);
            let more = run.request(*gate).map_or(0, |request| missing(&request));
            let open = if more > 0 { format!(" ({more} more needed)") } else { String::new() };
            let text = format!("{actor} approved {name}{open}");
            told(MomentKind::Approved, name, actor, reason, text)
        }
        Event::Rejected { gate, actor, reason } => {
            let name = run.gate_name(*gate);
            let text = format!("{actor} rejected {name}");
            told(MomentKind::Rejected, name, actor, reason, text)
        }
        Event::Lapsed { gate } => {
            let name = run.gate_name(*gate);
            let text = format!("nobody decided on {name} in time");
            told(MomentKind::Lapsed, name, "", "", text)
        }
        Event::Retried { what, actor, reason } => {
            let name = again_name(run, *what);
            let text = format!("{actor} had {name} tried again");
            told(MomentKind::Retried, name, actor, reason, text)
        }
        Event::Overruled { node, item, how, actor, reason } => {
            let name = decreed_name(run, *node, *item);
            let text = match (how, undo) {
                (Decree::Skip, false) => format!("{actor} skipped {name}"),
                (Decree::Skip, true) => format!("{actor} left {name} as it is, not taken back"),
                (Decree::Done { .. }, false) => format!("{actor} marked {name} done"),
                (Decree::Done { .. }, true) => format!("{actor} marked {name} as taken back"),
            };
            told(MomentKind::Overruled, name, actor, reason, text)
        }
        Event::TakenOut { site: out, how, actor, reason } => {
            let name = site(out);
            let text = match how {
                TakeOut::Quarantine => format!("{actor} quarantined site {name}"),
                TakeOut::Exclude => format!("{actor} excluded site {name}"),
                TakeOut::Release => format!("{actor} released site {name} for another run"),
                TakeOut::Undo => format!("{actor} had site {name} taken back"),
            };
            told(MomentKind::TakenOut, name, actor, reason, text)
        }
        Event::SiteAdopted { site: from_there, from, units, actor, reason } => {
            let name = site(from_there);
            let asked = crate::duration::count(units.len() as u64, "unit is", "units are");
            let text = format!("{actor} adopted site {name} from run {from}; {asked} re-checked");
            told(MomentKind::SiteAdopted, name, actor, reason, text)
        }
        Event::PoolSet { pool, slots, actor, reason } => {
            let name = run.plan().spec().pools.get(pool.ix()).map(|pool| pool.name.clone()).unwrap_or_default();
            let slots = crate::duration::count(u64::from(*slots), "slot", "slots");
            let text = format!("{actor} set pool {name} to {slots}");
            told(MomentKind::PoolSet, name, actor, reason, text)
        }
        Event::Amended { actor, reason, .. } => {
            let hash = run.plan().hash();
            let text = format!("{actor} amended the plan, which is now {hash}");
            told(MomentKind::Amended, hash.to_owned(), actor, reason, text)
        }
        Event::Closing { .. } => {
            let text = "everything else is over; `finally` runs".to_owned();
            told(MomentKind::Closing, String::new(), "", "", text)
        }
        Event::Ended { end } => {
            told(MomentKind::Ended, String::new(), "", "", format!("the run ended: {}", end_words(*end)))
        }
        _ => None,
    }
}

/// Approvals that a gate still needs.
pub(crate) fn missing(request: &engine::Request<'_>) -> usize {
    usize::from(request.approval.min.max(1)).saturating_sub(request.approved_by.len())
}

fn again_name(run: &Run, what: Again) -> String {
    let site = |site: SiteIx| run.plan().spec().sites.id(site);
    match what {
        Again::Unit(unit) => run.unit_name(unit),
        Again::Site(ix) => format!("site {}", site(ix)),
        Again::From(ix, step) => format!("site {} from step {} on", site(ix), run.plan().step(step).name),
        Again::Quarantined => "every quarantined site".to_owned(),
    }
}

/// Name of a node, or of one item of it.
fn decreed_name(run: &Run, node: NodeIx, item: Option<u32>) -> String {
    let units = run.units_of(node);
    let unit = item.and_then(|item| units.start.checked_add(item)).filter(|unit| units.contains(unit));
    match unit {
        Some(unit) => run.unit_name(engine::UnitIx(unit)),
        None => node_key(run, node),
    }
}

/// `step/key` of a node.
pub(crate) fn node_key(run: &Run, node: NodeIx) -> String {
    let plan = run.plan();
    let (step, key): (_, KeyIx) = plan.node_at(node);
    format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key))
}

/// How a run ended, in words.
pub(crate) fn end_words(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Succeeded => "succeeded",
        RunEnd::SucceededWithExceptions => "succeeded with exceptions",
        RunEnd::Failed => "failed",
        RunEnd::Cancelled => "cancelled",
    }
}
