//! Where units stand and what a run comes to, by the plainest rules over its public views: the fate of sites, batches
//! and nodes.

use engine::{
    ActionUse, BatchIx, Evaluator, KeyIx, NodeIx, NodeState, Run, RunEnd, Scope, SiteEnd, SiteIx, Status, StepIx,
    StepSpec, TakeOut, UnitIx, UnitState, When,
};

use crate::oracle::Oracle;

/// Says which rule is broken unless it holds.
pub(crate) fn need(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.to_owned()) }
}

/// States of a node's units.
pub(crate) fn units(run: &Run, node: NodeIx) -> Vec<UnitState> {
    run.units_of(node).filter_map(|unit| run.unit_state(UnitIx(unit))).collect()
}

/// Whether the run is being aborted or cancelled.
pub(crate) fn is_ending(run: &Run) -> bool {
    matches!(run.status(), Status::Aborting | Status::Cancelling | Status::Unwinding)
}

/// A unit with its place in the plan.
pub(crate) struct Spot<'a> {
    pub unit: UnitIx,
    pub node: NodeIx,
    pub step: StepIx,
    pub key: KeyIx,
    pub spec: &'a StepSpec,
    /// What its next attempt calls, or the one in flight; `None` for an approval.
    pub action: Option<&'a ActionUse>,
    /// Whether it is being taken back.
    pub undo: bool,
}

impl<'a> Spot<'a> {
    pub(crate) fn of(run: &'a Run, unit: UnitIx) -> Result<Self, String> {
        let (node, _) = run.unit_at(unit).ok_or("unknown unit")?;
        let (step, key) = run.plan().node_at(node);
        let spec = run.plan().step(step);
        let undo = run.next_mode(unit).is_undo();
        let action = if undo { spec.undo.as_ref() } else { run.plan().action(step) };
        Ok(Self { unit, node, step, key, spec, action, undo })
    }

    pub(crate) fn site(&self) -> Option<SiteIx> {
        (self.spec.scope == Scope::Site && !self.spec.finally).then_some(SiteIx(self.key.0))
    }

    /// Nothing more is applied: the site is out, the node failed or the run is ending.
    pub(crate) fn is_over(&self, run: &Run) -> bool {
        let out = self.site().is_some_and(|site| Fate::of(run, site).is_out());
        let over = out || (is_ending(run) && !self.spec.finally);
        !self.undo && (over || units(run, self.node).contains(&UnitState::Failed))
    }
}

/// What befell a site in any node that covers it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// Something failed.
    pub failed: bool,
    /// Something was degraded.
    pub degraded: bool,
    /// A step of its own will not run.
    pub cancelled: bool,
    /// A step of its own was taken back, or is to be.
    pub undone: bool,
    /// Something that changes the estate may be there.
    pub acted: bool,
    /// How a person took it out.
    pub taken: Option<TakeOut>,
}

impl Fate {
    pub(crate) fn of(run: &Run, site: SiteIx) -> Self {
        let plan = run.plan();
        let mut fate = Self {
            taken: run.taken_out(site),
            undone: run.was_undone(site) || run.is_undoing(site),
            ..Self::default()
        };
        for step in plan.steps().filter(|&step| !plan.step(step).finally) {
            let scope = plan.step(step).scope;
            let Some(key) = plan.covering_key(Scope::Site, KeyIx(site.0), scope) else { continue };
            let node = plan.node(step, key);
            let (state, units) = (run.node_state(node), units(run, node));
            fate.failed |= state == NodeState::Failed || units.contains(&UnitState::Failed);
            fate.degraded |= state == NodeState::Degraded || units.contains(&UnitState::Degraded);
            let own = scope == Scope::Site;
            fate.cancelled |= own && state == NodeState::Cancelled;
            fate.undone |= own && matches!(state, NodeState::Undoing | NodeState::Undone);
            let acts = own && plan.action(step).is_some() && !plan.is_read_only(step);
            fate.acted |= acts && run.units_of(node).any(|unit| run.may_have_acted(UnitIx(unit)));
        }
        fate
    }

    pub(crate) fn is_out(self) -> bool {
        self.failed || self.cancelled || self.undone || self.taken.is_some()
    }

    /// The end that follows from it.
    pub(crate) fn end(self, run: &Run, site: SiteIx) -> SiteEnd {
        match self {
            Self { taken: Some(TakeOut::Exclude), .. } => SiteEnd::Excluded,
            Self { taken: Some(TakeOut::Release), .. } => SiteEnd::Released,
            Self { acted: false, .. } if run.was_undone(site) => SiteEnd::Undone,
            _ if self.is_out() => SiteEnd::Quarantined,
            Self { degraded: true, .. } => SiteEnd::Degraded,
            _ => SiteEnd::Returned,
        }
    }
}

/// Number of a batch's sites that are out.
pub(crate) fn out_of(run: &Run, batch: BatchIx) -> usize {
    let failed = |&site: &u32| Fate::of(run, SiteIx(site)).is_out() && run.out_by(SiteIx(site)).is_some();
    run.plan().batch_sites(batch).filter(failed).count()
}

/// Every site of the batch has its end and every step of the batch itself is settled.
pub(crate) fn batch_is_over(run: &Run, batch: BatchIx) -> bool {
    let plan = run.plan();
    let node = |step| plan.node(step, KeyIx(batch.0.into()));
    plan.batch_sites(batch).all(|site| run.site_end(SiteIx(site)).is_some())
        && plan
            .steps()
            .filter(|&step| plan.step(step).scope == Scope::Batch && !plan.step(step).finally)
            .all(|step| run.node_state(node(step)).is_settled())
}

/// Checks the end of a run against what its sites, nodes and units came to. `ending` is how the run was told to end.
pub(crate) fn check_end(run: &Run, end: RunEnd, ending: Option<RunEnd>) -> Result<(), String> {
    let plan = run.plan();
    let sites = || (0..plan.site_count()).map(SiteIx);
    let back = sites().any(|site| matches!(run.site_end(site), Some(SiteEnd::Returned | SiteEnd::Degraded)));
    match ending {
        Some(told) => need(end == told, "the run does not end as it was told to")?,
        None => {
            let failed = !back && plan.site_count() > 0;
            need(end != RunEnd::Cancelled, "the run is cancelled by nobody")?;
            need((end == RunEnd::Failed) == failed, "the run fails though a site is back, or succeeds without one")?;
            for site in sites() {
                let (end, fate) = (run.site_end(site), Fate::of(run, site));
                if end != Some(fate.end(run, site)) {
                    return Err(format!("a site's last end is not its fate: site {} ended {end:?}: {fate:?}", site.0));
                }
            }
        }
    }
    for node in (0..plan.node_count()).map(NodeIx) {
        node_is_true(run, node, ending.is_some()).map_err(|broken| format!("{broken}: node {}", node.0))?;
        doubts_are_told(run, node, ending.is_some()).map_err(|broken| format!("{broken}: node {}", node.0))?;
    }
    Ok(())
}

/// A node is what its units are, and what did not run has a cause.
fn node_is_true(run: &Run, node: NodeIx, ending: bool) -> Result<(), String> {
    let units = units(run, node);
    let flaw = |state| units.contains(&state);
    match run.node_state(node) {
        NodeState::Succeeded => {
            let whole = units.iter().all(|&unit| unit == UnitState::Succeeded);
            let shown = whole && !units.is_empty();
            need(shown || run.is_decreed(node), "a node is shown as done, its units are not")
        }
        NodeState::Degraded => {
            let better = flaw(UnitState::Failed) || flaw(UnitState::Cancelled);
            need(!better, "a node is shown as degraded over worse")
        }
        NodeState::Failed => {
            let caused = flaw(UnitState::Failed) || run.unevaluable(node).is_some() || flaw(UnitState::Undone);
            need(caused, "a node failed without a failure")
        }
        NodeState::Skipped => need(is_skipped(run, node), "a node is skipped that was to run"),
        NodeState::Cancelled => {
            let caused = site_is_out(run, node) || is_blocked(run, node) || run.came_too_late(node);
            need(ending || caused, "a node is cancelled without a cause")
        }
        NodeState::Undone => need(units.contains(&UnitState::Undone), "a node is undone without an undone unit"),
        NodeState::Undoing => need(ending, "the run ends before an undo"),
        NodeState::Waiting | NodeState::Undecided | NodeState::Active => need(ending, "the run ends before a node"),
    }
}

fn is_skipped(run: &Run, node: NodeIx) -> bool {
    let (step, key) = run.plan().node_at(node);
    let later = matches!(run.plan().step(step).when, When::Later(_));
    let refused = later && Oracle { fails: true }.condition(run.plan(), step, key, run) == Ok(false);
    refused || run.came_too_late(node) || !run.plan().planned_to_run(step, key) || run.units_of(node).is_empty()
}

/// The node is of a site that another node put out.
fn site_is_out(run: &Run, node: NodeIx) -> bool {
    let (step, key) = run.plan().node_at(node);
    let of_site = run.plan().step(step).scope == Scope::Site;
    let site = SiteIx(key.0);
    let by_another = || run.out_by(site).is_some_and(|other| other != node);
    of_site && (by_another() || run.taken_out(site).is_some() || Fate::of(run, site).is_out())
}

/// Some needed node that shares a site with this one was not satisfied.
fn is_blocked(run: &Run, node: NodeIx) -> bool {
    let plan = run.plan();
    let (step, key) = plan.node_at(node);
    let mine: Vec<SiteIx> = plan.sites_of(plan.step(step).scope, key).collect();
    plan.step(step).needs.iter().any(|needed| {
        let scope = plan.step(needed.step).scope;
        (0..plan.key_count(scope)).map(KeyIx).any(|other| {
            let state = run.node_state(plan.node(needed.step, other));
            let flawed = state.is_settled() && !state.is_satisfied();
            flawed && (scope == Scope::Run || plan.sites_of(scope, other).any(|site| mine.contains(&site)))
        })
    })
}

/// A unit is left in doubt only where the operator was asked, nothing more is tried, or, in a run that was told to
/// end, where only applying it again could tell.
fn doubts_are_told(run: &Run, node: NodeIx, ending: bool) -> Result<(), String> {
    let (step, _) = run.plan().node_at(node);
    let has_probe = run.plan().action(step).is_some_and(|action| action.has_probe);
    for unit in run.units_of(node).map(UnitIx).filter(|&unit| run.in_doubt(unit)) {
        let told = match run.unit_state(unit) {
            Some(UnitState::Parked | UnitState::Stuck) => ending || run.next_mode(unit).is_undo(),
            Some(UnitState::Failed | UnitState::Degraded | UnitState::Cancelled) => true,
            Some(UnitState::Waiting) => run.node_state(node).is_settled(),
            Some(UnitState::Ready | UnitState::Backoff) => {
                ending && (!has_probe || run.next_mode(unit) == engine::Mode::Apply)
            }
            _ => false,
        };
        need(told, "a unit is left in doubt")?;
    }
    Ok(())
}
