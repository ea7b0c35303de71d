//! Sites with what they are at, for `sites`.

use engine::{KeyIx, NodeState, Run, Scope, SiteIx, StepIx, UnitIx};
use serde::Serialize;

use crate::report::site_state;

/// A site as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteView<'a> {
    /// Its ID.
    pub id: &'a str,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its batch, from 1.
    pub batch: u32,
    /// `returned`, `degraded`, `quarantined`, `undone`, `excluded`, `restoring`, `waiting`.
    pub state: &'static str,
    /// Steps of the site that are under way: active or to be decided.
    pub steps: Vec<&'a str>,
    /// Steps of the site that are settled.
    pub settled: u32,
    /// Steps of the site in all; those that sites share are not counted.
    pub of: u32,
    /// Attempts at units of the site, probes among them.
    pub attempts: u32,
    /// What put it out: step and key.
    pub out_by: Option<String>,
}

/// The sites of a run in the plan's order, worked out one by one as they are asked for.
pub fn sites(run: &Run) -> impl ExactSizeIterator<Item = SiteView<'_>> + '_ {
    let own: Vec<StepIx> = run.plan().steps().filter(|&step| run.plan().step(step).scope == Scope::Site).collect();
    (0..run.plan().site_count()).map(move |site| view(run, &own, SiteIx(site)))
}

fn view<'a>(run: &'a Run, own: &[StepIx], site: SiteIx) -> SiteView<'a> {
    let plan = run.plan();
    let mut view = SiteView {
        id: plan.spec().sites.id(site),
        row: plan.spec().sites.source_rows.get(site.ix()).copied().unwrap_or(0),
        batch: u32::from(plan.batch_of(site).0) + 1,
        state: site_state(run, site),
        steps: Vec::new(),
        settled: 0,
        of: u32::try_from(own.len()).unwrap_or(u32::MAX),
        attempts: 0,
        out_by: run.out_by(site).map(|node| {
            let (step, key) = plan.node_at(node);
            format!("{}/{}", plan.step(step).name, plan.key_name(plan.step(step).scope, key))
        }),
    };
    for &step in own {
        let node = plan.node(step, KeyIx(site.0));
        let state = run.node_state(node);
        view.settled += u32::from(state.is_settled());
        if matches!(state, NodeState::Active | NodeState::Undecided) {
            view.steps.push(plan.step(step).name.as_str());
        }
        let attempts: u32 = run.units_of(node).map(|unit| run.attempts(UnitIx(unit))).sum();
        view.attempts = view.attempts.saturating_add(attempts);
    }
    view
}
