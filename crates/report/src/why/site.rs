//! What a site waits for.

use engine::{KeyIx, NodeIx, NodeState, Scope, SiteEnd, SiteIx, TakeOut, Wait};

use crate::duration::count;
use crate::why::Asked;
use crate::why::node::{node_name, of_node};
use crate::why::reason::batch_sentence;

pub(super) fn of_site(asked: &Asked<'_>, site: SiteIx) -> Vec<String> {
    let run = asked.run;
    let plan = run.plan();
    let id = plan.spec().sites.id(site);
    let mut lines = Vec::new();
    match run.site_end(site) {
        Some(SiteEnd::Returned) => lines.push(format!("site {id} has returned; it waits for nothing")),
        Some(SiteEnd::Degraded) => lines.push(format!("site {id} is back, degraded; it waits for nothing")),
        Some(SiteEnd::Undone) => lines.push(format!("site {id} is out: what was done was taken back")),
        Some(SiteEnd::Excluded) => lines.push(format!("site {id} was taken out by an operator before it started")),
        Some(SiteEnd::Released) => lines.push(format!("site {id} was released, for another run to adopt")),
        Some(SiteEnd::Quarantined) | None => {}
    }
    match run.taken_out(site) {
        Some(TakeOut::Quarantine) => lines.push(format!("site {id} is out, quarantined by a person")),
        Some(TakeOut::Undo) => lines.push(format!("site {id} is out: a person had it taken back")),
        Some(TakeOut::Exclude | TakeOut::Release) | None => {}
    }
    if let Some(from) = run.adopted_from(site) {
        lines.push(format!("site {id} was adopted from run {from}; what may have acted there is asked for first"));
    }
    if run.is_left(site) {
        lines.push(format!("site {id} was to be taken back, and something of it stays; `report` names it"));
    }
    if run.is_undoing(site) {
        lines.push(format!("site {id} is being taken back, the last step first"));
    }
    if let Some(node) = run.out_by(site) {
        lines.push(format!("site {id} is out, put there by {}", node_name(plan, node)));
        lines.extend(of_node(asked, node));
    }
    if run.site_end(site).is_some() {
        return lines;
    }
    let batch = plan.batch_of(site);
    let mut shared: Vec<NodeIx> = Vec::new();
    let mut behind = 0;
    for step in plan.steps().filter(|&step| plan.step(step).scope == Scope::Site && !plan.step(step).finally) {
        let node = plan.node(step, KeyIx(site.0));
        let state = run.node_state(node);
        if state.is_settled() && state != NodeState::Undoing {
            continue;
        }
        let Some(Wait::Needs(needs)) = run.why(node) else {
            if !matches!(run.why(node), Some(Wait::Batch(_))) {
                lines.extend(of_node(asked, node));
            }
            continue;
        };
        let outside: Vec<_> = needs.iter().filter(|(step, _)| plan.step(*step).scope != Scope::Site).collect();
        if outside.len() < needs.len() {
            // It waits for another step of this site, which is told by itself.
            behind += 1;
            continue;
        }
        for (need, _) in outside {
            if let Some(key) = plan.covering_key(Scope::Site, KeyIx(site.0), plan.step(*need).scope) {
                let needed = plan.node(*need, key);
                lines.push(format!("{} waits for {}", node_name(plan, node), node_name(plan, needed)));
                if !shared.contains(&needed) {
                    shared.push(needed);
                }
            }
        }
    }
    for node in shared {
        lines.extend(of_node(asked, node));
    }
    if behind > 0 {
        lines.push(format!("{} of this site come after these", count(behind, "more step", "more steps")));
    }
    if run.batch_times(batch).0.is_none() {
        lines.push(batch_sentence(run, &format!("site {id}"), batch));
    } else if lines.is_empty() {
        lines.push(format!("all steps of site {id} are settled; its end is about to be recorded"));
    }
    lines
}
