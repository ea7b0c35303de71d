//! The restore-point audit: per site and store the point asked, the point reached, and the evidence.

use engine::{KeyIx, Millis, NodeState, Scope, SiteEnd, SiteIx, StepIx, UnitIx, Work};
use serde::Serialize;

use crate::duration::stamp;
use crate::fold::{Asks, Fold, Known, Stands, asked};
use crate::report::exceptions::place;
use crate::report::rows_of::scope_name;
use crate::report::spread::narrow;

/// Sites told of in full; the rest is counted.
const SITES: usize = 10_000;

/// At which points the stores of the sites stand that are back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// Sites that are back.
    pub sites: u32,
    /// Of those, sites all of whose stores are proved to stand at the point asked.
    pub agreeing: u32,
    /// Sites whose stores disagree, or of which a store gave no evidence though it does so for others.
    pub differing: u32,
    /// Stores in the order of the steps.
    pub stores: Vec<StoreAudit>,
    /// Sites that differ, with all of their stores, in the plan's order.
    pub differences: Vec<SiteAudit>,
    /// Sites that differ beyond the number that is kept.
    pub differences_dropped: u32,
}

/// What is known of the points of a step's store over all sites that are back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreAudit {
    /// Name of the store: as it names itself, else the step.
    pub store: String,
    /// Step.
    pub step: String,
    /// Place of the step, `file:line:column`.
    pub place: String,
    /// Sites that have the store.
    pub sites: u32,
    /// Sites for which it stands at the point asked.
    pub agrees: u32,
    /// Sites for which it stands at another point.
    pub elsewhere: u32,
    /// Sites for which it was asked for another point than theirs.
    pub asked_otherwise: u32,
    /// Sites for which there is no evidence.
    pub unproven: u32,
    /// Whether it gave no evidence for any site: then it counts against none of them.
    pub silent: bool,
    /// Earliest point asked.
    pub earliest: Option<String>,
    /// Latest point asked.
    pub latest: Option<String>,
    /// Its first evidence, in its own words.
    pub evidence: String,
    /// Steps for which its evidence counts as well.
    pub proves: Vec<String>,
}

/// A site whose stores do not all stand where they should.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteAudit {
    /// Its ID.
    pub site: String,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its restore point, as the plan asks.
    pub asked: String,
    /// All of its stores.
    pub stores: Vec<StoreSaid>,
}

/// What one store said for one site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreSaid {
    /// Name of the store.
    pub store: String,
    /// Step.
    pub step: String,
    /// The point that the step was asked for.
    pub asked: String,
    /// The point that was reached; `null` if that is not proved.
    pub reached: Option<String>,
    /// Up to when, exclusive, the store holds the same; `null` if it did not say.
    pub until: Option<String>,
    /// The evidence in its own words; empty if it gave none beside the point.
    pub evidence: String,
    /// `agrees`, `elsewhere`, `asked_otherwise` or `unproven`.
    pub verdict: &'static str,
}

/// A store of a site, judged.
struct Judged {
    step: StepIx,
    stands: Stands,
    asked: Millis,
    unit: Option<(UnitIx, usize)>,
    /// Whether it counts: a store that is silent for all sites is told of once.
    silent: bool,
}

/// A step whose evidence counts for another.
fn prover(fold: &Fold, step: StepIx) -> Option<StepIx> {
    let name = fold.plan().step(step).name.as_str();
    let proves = |other: &StepIx| *other != step && fold.audit.steps[other.ix()].proves.contains(name);
    fold.plan().steps().find(proves)
}

/// The stores of a site that is back, in the order of the steps.
fn judged(fold: &Fold, site: SiteIx, provers: &[Option<StepIx>]) -> Vec<Judged> {
    let plan = fold.plan();
    let mut all = Vec::new();
    for step in plan.steps() {
        let of = &fold.audit.steps[step.ix()];
        if of.asks == Asks::Nothing && of.said == 0 {
            continue;
        }
        // A step that is proved by another counts only where that one says nothing of the site.
        let proved = provers[step.ix()]
            .is_some_and(|other| judge(fold, site, other).is_some_and(|found| found.stands != Stands::Unproven));
        if let Some(found) = judge(fold, site, step).filter(|_| !proved) {
            all.push(found);
        }
    }
    all
}

/// How the store of one step stands for a site; `None` if the site has no such store, or not yet.
fn judge(fold: &Fold, site: SiteIx, step: StepIx) -> Option<Judged> {
    let (run, plan) = (fold.run(), fold.plan());
    let of = &fold.audit.steps[step.ix()];
    let key = plan.covering_key(Scope::Site, KeyIx(site.0), plan.step(step).scope)?;
    let node = plan.node(step, key);
    let (asked, own) = asked(plan, of.asks, step, key, site)?;
    let silent = of.said == 0;
    let unproven = Judged { step, stands: Stands::Unproven, asked, unit: None, silent };
    match run.node_state(node) {
        NodeState::Succeeded => {}
        // It counts as done, and nothing shows what was done.
        NodeState::Degraded if of.asks != Asks::Nothing => return Some(unproven),
        _ => return None,
    }
    let mut found: Option<Judged> = None;
    for unit in run.units_of(node).map(UnitIx) {
        let one = match fold.audit.known(unit) {
            Known::Nothing => continue,
            Known::Silent => Judged { unit: None, ..unproven_of(&unproven) },
            Known::Stands => Judged { stands: Stands::Agrees, unit: Some((unit, 0)), ..unproven_of(&unproven) },
            Known::Told => match fold.audit.told(unit).zip(fold.audit.about(unit, site)) {
                None => Judged { stands: Stands::Elsewhere, unit: Some((unit, 0)), ..unproven_of(&unproven) },
                Some((sayings, about)) => {
                    let worst = about.map(|ix| {
                        let saying = &sayings[ix];
                        // A saying about one site is about that site's own point.
                        let point = if saying.site.is_some() { own } else { asked };
                        let stands = match saying.stands(point) {
                            Stands::Agrees if point != own => Stands::Otherwise,
                            stands => stands,
                        };
                        (stands, ix, point)
                    });
                    match worst.max() {
                        Some((stands, ix, point)) => {
                            Judged { stands, asked: point, unit: Some((unit, ix)), ..unproven_of(&unproven) }
                        }
                        None if of.asks == Asks::Nothing => continue,
                        None => unproven_of(&unproven),
                    }
                }
            },
        };
        if found.as_ref().is_none_or(|before| one.stands > before.stands) {
            found = Some(one);
        }
    }
    // A look at a system that holds nothing of the site is no store of it.
    found.filter(|found| of.asks != Asks::Nothing || found.stands != Stands::Unproven)
}

fn unproven_of(base: &Judged) -> Judged {
    Judged { unit: None, ..*base }
}

fn provers(fold: &Fold) -> Vec<Option<StepIx>> {
    fold.plan().steps().map(|step| prover(fold, step)).collect()
}

fn back(fold: &Fold, site: SiteIx) -> bool {
    matches!(fold.run().site_end(site), Some(SiteEnd::Returned | SiteEnd::Degraded)) && !fold.run().is_undoing(site)
}

fn differs(judged: &Judged) -> bool {
    judged.stands != Stands::Agrees && !judged.silent
}

/// The audit of a run; `None` if nothing was asked for a restore point and nothing gave one.
pub(crate) fn audit(fold: &Fold) -> Option<AuditReport> {
    let plan = fold.plan();
    if plan.spec().sites.restore_points.is_empty() || !fold.audit.is_anything() {
        return None;
    }
    let provers = provers(fold);
    let mut stores: Vec<Option<StoreAudit>> = vec![None; plan.spec().steps.len()];
    let mut report = AuditReport {
        sites: 0,
        agreeing: 0,
        differing: 0,
        stores: Vec::new(),
        differences: Vec::new(),
        differences_dropped: 0,
    };
    for site in (0..plan.site_count()).map(SiteIx).filter(|&site| back(fold, site)) {
        report.sites += 1;
        let all = judged(fold, site, &provers);
        for one in &all {
            let store = stores[one.step.ix()].get_or_insert_with(|| store_of(fold, one.step));
            count(store, one);
        }
        if all.iter().any(differs) {
            report.differing += 1;
            if report.differences.len() < SITES {
                report.differences.push(told(fold, site, &all));
            } else {
                report.differences_dropped += 1;
            }
        } else if !all.is_empty() && all.iter().all(|one| one.stands == Stands::Agrees) {
            report.agreeing += 1;
        }
    }
    report.stores = stores.into_iter().flatten().collect();
    Some(report)
}

/// What the stores of one site say; `None` unless it is back and some store was asked or gave evidence.
pub(crate) fn audit_of(fold: &Fold, site: SiteIx) -> Option<SiteAudit> {
    let asked = !fold.plan().spec().sites.restore_points.is_empty() && fold.audit.is_anything();
    let all = if asked && back(fold, site) { judged(fold, site, &provers(fold)) } else { Vec::new() };
    (!all.is_empty()).then(|| told(fold, site, &all))
}

fn store_of(fold: &Fold, step: StepIx) -> StoreAudit {
    let (plan, of) = (fold.plan(), &fold.audit.steps[step.ix()]);
    let name = &plan.step(step).name;
    let shared = !matches!(plan.step(step).scope, Scope::Site);
    let of_scope =
        if shared { format!("{name} per {}", scope_name(plan, plan.step(step).scope)) } else { name.clone() };
    StoreAudit {
        store: of.store.as_deref().filter(|_| !shared).map_or(of_scope, str::to_owned),
        step: name.clone(),
        place: place(plan, step),
        sites: 0,
        agrees: 0,
        elsewhere: 0,
        asked_otherwise: 0,
        unproven: 0,
        silent: of.said == 0,
        earliest: None,
        latest: None,
        evidence: match &plan.step(step).work {
            Work::Action(action) if of.said > 0 && of.evidence.is_empty() => format!("answered by {}", action.uses),
            _ => of.evidence.to_string(),
        },
        proves: plan
            .steps()
            .map(|other| &plan.step(other).name)
            .filter(|other| of.proves.contains(other.as_str()))
            .cloned()
            .collect(),
    }
}

fn count(store: &mut StoreAudit, one: &Judged) {
    store.sites += 1;
    *match one.stands {
        Stands::Agrees => &mut store.agrees,
        Stands::Elsewhere => &mut store.elsewhere,
        Stands::Otherwise => &mut store.asked_otherwise,
        Stands::Unproven => &mut store.unproven,
    } += 1;
    // RFC 3339 in UTC with milliseconds sorts as time does.
    let point = stamp(one.asked);
    if store.earliest.as_ref().is_none_or(|known| point < *known) {
        store.earliest = Some(point.clone());
    }
    if store.latest.as_ref().is_none_or(|known| point > *known) {
        store.latest = Some(point);
    }
}

fn told(fold: &Fold, site: SiteIx, all: &[Judged]) -> SiteAudit {
    let spec = fold.plan().spec();
    SiteAudit {
        site: spec.sites.id(site).to_owned(),
        row: spec.sites.source_rows.get(site.ix()).copied().unwrap_or(0),
        asked: spec.sites.restore_points.get(site.ix()).copied().map(stamp).unwrap_or_default(),
        stores: all.iter().filter(|one| !one.silent).map(|one| said(fold, one)).collect(),
    }
}

fn said(fold: &Fold, one: &Judged) -> StoreSaid {
    let of = &fold.audit.steps[one.step.ix()];
    let step = &fold.plan().step(one.step).name;
    let saying = one.unit.and_then(|(unit, ix)| fold.audit.told(unit)?.get(ix));
    let store = saying.map_or(of.store.as_deref(), |saying| saying.store.as_deref());
    let simply = one.stands == Stands::Agrees && saying.is_none();
    StoreSaid {
        store: store.unwrap_or(step).to_owned(),
        step: step.clone(),
        asked: stamp(one.asked),
        reached: saying.and_then(|saying| saying.reached).or(simply.then_some(one.asked)).map(stamp),
        until: saying.and_then(|saying| saying.until).map(stamp),
        evidence: saying.map(|saying| saying.evidence.to_string()).unwrap_or_default(),
        verdict: match one.stands {
            Stands::Agrees => "agrees",
            Stands::Elsewhere => "elsewhere",
            Stands::Otherwise => "asked_otherwise",
            Stands::Unproven => "unproven",
        },
    }
}

/// What is wrong with the restore points of one site that is back: its first store that is not where it should be.
pub(super) struct Discord {
    pub(super) step: StepIx,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: &'static str,
    /// Further stores of the site that differ.
    pub(super) more: u32,
}

/// Finds what is wrong with the restore points of a site; costs time in proportion to the steps.
pub(super) fn discord(fold: &Fold, site: SiteIx) -> Option<Discord> {
    if !fold.audit.is_anything() || !back(fold, site) {
        return None;
    }
    let all = judged(fold, site, &provers(fold));
    let first = all.iter().filter(|one| differs(one)).max_by_key(|one| {
        // What stands elsewhere is worse than what does not say where it stands.
        (one.stands == Stands::Elsewhere, one.stands == Stands::Otherwise, std::cmp::Reverse(one.step))
    })?;
    let own = fold.plan().restore_point(Scope::Site, KeyIx(site.0)).map(stamp).unwrap_or_default();
    let store = said(fold, first);
    let agree = all.iter().filter(|one| one.stands == Stands::Agrees).count();
    let others = match agree {
        0 => "no other store is proved to stand there".to_owned(),
        1 => "1 other store stands there".to_owned(),
        _ => format!("{agree} other stores stand there"),
    };
    let name = &store.store;
    let (code, message, hint) = match first.stands {
        Stands::Elsewhere => {
            let reached = store.reached.unwrap_or_else(|| "another point".to_owned());
            (
                "restore_point.elsewhere",
                format!("{name} stands at {reached}, asked was {own}; {others}"),
                "the site's stores hold different moments: bring this one to the point asked before anybody works with it",
            )
        }
        Stands::Otherwise => (
            "restore_point.asked",
            format!("{name} was asked for {}, the site's point is {own}; {others}", store.asked),
            "let the step read `restore_points`, or align the restore points of the sites that share it",
        ),
        Stands::Unproven | Stands::Agrees => (
            "restore_point.unproven",
            format!("{name} gave no evidence of its point, though it does for other sites; asked was {own}"),
            "look in the store itself at which point it stands",
        ),
    };
    Some(Discord {
        step: first.step,
        code,
        message,
        hint,
        more: narrow(all.iter().filter(|one| differs(one)).count() - 1),
    })
}
