//! Sites with what they are at, for `sites`.

use engine::{ExcludedSite, KeyIx, NodeState, Run, Scope, SiteIx, StepIx, UnitIx};
use serde::Serialize;

use crate::fold::{node_key, taken_words};
use crate::report::site_state;

/// A site as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteView<'a> {
    /// Its ID.
    pub id: &'a str,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its batch, from 1; `null` for one that the plan leaves out.
    pub batch: Option<u32>,
    /// `returned`, `degraded`, `quarantined`, `undone`, `excluded`, `released`, `undoing`, `restoring`, `waiting`.
    pub state: &'static str,
    /// Steps of the site that are under way: active, to be decided, or being taken back.
    pub steps: Vec<&'a str>,
    /// Steps of the site that are settled.
    pub settled: u32,
    /// Steps of the site in all; those that sites share and those of `finally` are not counted.
    pub of: u32,
    /// Attempts at units of the site, probes among them.
    pub attempts: u32,
    /// What put it out: step and key, `plan`, or how a person did.
    pub out_by: Option<String>,
    /// Why the plan leaves it out.
    pub reason: Option<&'a str>,
    /// Run that had begun it.
    pub adopted_from: Option<&'a str>,
    /// Steps of it that a person settled.
    pub overruled: Vec<&'a str>,
}

/// The sites of a run in the plan's order, then those that the plan leaves out, worked out one by one as they are asked
/// for.
pub fn sites(run: &Run) -> impl ExactSizeIterator<Item = SiteView<'_>> + '_ {
    let plan = run.plan();
    let own = own_steps(run);
    let given = plan.site_count() as usize;
    let all = given + plan.spec().extras.excluded.len();
    (0..all).map(move |site| match plan.spec().extras.excluded.get(site.wrapping_sub(given)) {
        Some(left_out) => excluded(left_out),
        None => view(run, &own, SiteIx::from(site)),
    })
}

/// One site that the plan restores, as it stands. Costs time in proportion to the steps.
#[must_use]
pub fn site_view(run: &Run, site: SiteIx) -> SiteView<'_> {
    view(run, &own_steps(run), site)
}

fn own_steps(run: &Run) -> Vec<StepIx> {
    let plan = run.plan();
    let own = |&step: &StepIx| plan.step(step).scope == Scope::Site && !plan.step(step).finally;
    plan.steps().filter(own).collect()
}

fn excluded(site: &ExcludedSite) -> SiteView<'_> {
    SiteView {
        id: &site.id,
        row: site.row,
        batch: None,
        state: "excluded",
        steps: Vec::new(),
        settled: 0,
        of: 0,
        attempts: 0,
        out_by: Some("plan".to_owned()),
        reason: Some(&site.reason),
        adopted_from: None,
        overruled: Vec::new(),
    }
}

fn view<'a>(run: &'a Run, own: &[StepIx], site: SiteIx) -> SiteView<'a> {
    let plan = run.plan();
    let mut view = SiteView {
        id: plan.spec().sites.id(site),
        row: plan.spec().sites.source_rows.get(site.ix()).copied().unwrap_or(0),
        batch: Some(u32::from(plan.batch_of(site).0) + 1),
        state: site_state(run, site),
        steps: Vec::new(),
        settled: 0,
        of: u32::try_from(own.len()).unwrap_or(u32::MAX),
        attempts: 0,
        out_by: match (run.taken_out(site), run.out_by(site)) {
            (Some(how), _) => Some(format!("{} by a person", taken_words(how))),
            (None, node) => node.map(|node| node_key(run, node)),
        },
        reason: None,
        adopted_from: run.adopted_from(site),
        overruled: Vec::new(),
    };
    for &step in own {
        let node = plan.node(step, KeyIx(site.0));
        let state = run.node_state(node);
        view.settled += u32::from(state.is_settled() && state != NodeState::Undoing);
        if matches!(state, NodeState::Active | NodeState::Undecided | NodeState::Undoing) {
            view.steps.push(plan.step(step).name.as_str());
        }
        if run.is_decreed(node) {
            view.overruled.push(plan.step(step).name.as_str());
        }
        let attempts: u32 = run.units_of(node).map(|unit| run.attempts(UnitIx(unit))).sum();
        view.attempts = view.attempts.saturating_add(attempts);
    }
    view
}
