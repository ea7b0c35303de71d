//! Whether a plan may take the place of a run's own: what has begun must stand as it was, what people have to decide
//! must still wait for them, and nothing may come to lie before what has already happened.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{Gate, SiteEnd};
use crate::ids::{KeyIx, NodeIx, SiteIx, StepIx, UnitIx};
use crate::input::Rejection;
use crate::plan::{ApprovalAt, Carry, Plan, Scope, Work, difference};
use crate::run::Run;
use crate::run::passed::Fate;
use crate::run::tables::{DECREED, NodeState, UnitState};

/// Reasons named in one refusal; more are counted.
const REASONS_MAX: usize = 5;

/// What an amendment comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Steps that are added, removed or changed, in the new plan's order, removed ones last.
    pub steps: Vec<StepAmendment>,
    /// What differs beside the steps, a sentence each.
    pub beside: Vec<String>,
}

/// What an amendment does to one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepAmendment {
    /// Name of the step.
    pub step: String,
    /// What is done to it.
    pub change: StepChange,
    /// Nodes that go by the new plan.
    pub applies: u32,
    /// Nodes that do not: they are done, have passed the step, or their site has ended.
    pub stays: u32,
}

/// How a step is amended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepChange {
    /// It is new.
    Added,
    /// It is gone; nothing of it had begun.
    Removed,
    /// These fields of it are new, as a runbook names them.
    Changed(Vec<&'static str>),
}

impl Run {
    /// What a plan would change of this run, if it may take the place of the run's own.
    ///
    /// # Errors
    /// If it may not; each reason names the step, or what differs.
    pub fn amendment(&self, plan: &Arc<Plan>) -> Result<Amendment, Rejection> {
        let carry = Carry::new(&self.plan, plan);
        let mut why = Vec::new();
        self.frame_is_kept(plan, &mut why);
        if why.is_empty() {
            self.begun_steps_are_kept(plan, &carry, &mut why);
            self.approvals_are_kept(plan, &carry, &mut why);
            self.order_is_kept(plan, &carry, &mut why);
        }
        if !why.is_empty() {
            let more = why.len().saturating_sub(REASONS_MAX);
            why.truncate(REASONS_MAX);
            let more = if more > 0 { format!("; and {more} more reasons") } else { String::new() };
            return Err(Rejection::NotAmendable(format!("{}{more}", why.join("; "))));
        }
        let fates = self.fates(plan, &carry).map_err(Rejection::NotAmendable)?;
        Ok(self.told(plan, &carry, &fates))
    }

    /// Whether an actor may replace the plan by these bytes now.
    pub(super) fn may_amend(&self, bytes: &[u8], actor: &str) -> Result<(), Rejection> {
        if self.end.is_some() || self.closing.is_some() || self.is_ending() {
            return Err(Rejection::NotNow("the run is ending or has ended; start a new one for what is left"));
        }
        let plan = Plan::decode(bytes).map_err(|error| Rejection::NotAmendable(error.to_string()))?;
        if plan.hash() == self.plan.hash() {
            return Err(Rejection::NotAmendable("the plan is the run's own, nothing differs".to_owned()));
        }
        self.may_amend_guarded(actor)?;
        self.amendment(&plan).map(drop)
    }

    /// A run that a second person had to approve is changed by one of those who could, and not by who asked for it.
    fn may_amend_guarded(&self, actor: &str) -> Result<(), Rejection> {
        let Some(approval) = self.approval(Gate::Start) else { return Ok(()) };
        if self.asks.contains_key(&Gate::Start) {
            return Ok(());
        }
        if approval.min > 1 {
            let why = "more than one person had to approve it, and one cannot change it; start a new run";
            return Err(Rejection::NotNow(why));
        }
        self.is_member(approval, actor)?;
        if crate::names::reads_like(actor, &self.opened_by) { Err(Rejection::OwnRun(actor.to_owned())) } else { Ok(()) }
    }

    /// Sites, groups, batches and the people who decide stay what they are.
    fn frame_is_kept(&self, plan: &Plan, why: &mut Vec<String>) {
        let (old, new) = (self.plan.spec(), plan.spec());
        let mut same = |same: bool, what: &str| {
            if !same {
                why.push(what.to_owned());
            }
        };
        same(old.origin.estate == new.origin.estate, "it is for another estate");
        same(old.sites.ids == new.sites.ids, "its sites, or their order, differ; a run keeps its own");
        same(old.sites.columns == new.sites.columns, "attributes of sites differ");
        let points = old.sites.restore_points == new.sites.restore_points;
        same(points, "restore points differ; a run keeps those it began with");
        same(old.groups == new.groups, "scopes of sites differ");
        same(old.batches.ends == new.batches.ends, "batches differ");
        same(old.batches.gate == new.batches.gate, "the gate of batches differs");
        same(old.extras.start == new.extras.start, "the approval of the whole run differs");
        let lists = [ApprovalAt::Start, ApprovalAt::Batches];
        let lists = lists.into_iter().all(|of| self.plan.checklist(of) == plan.checklist(of));
        same(lists, "the checklist of the start or of batches differs");
        same(old.extras.approvers == new.extras.approvers, "approvers differ");
        same(old.extras.excluded == new.extras.excluded, "excluded sites differ");
    }

    /// A step of which something has begun is still there, with the same scope and items, and what is not known of it
    /// yet can still be found out.
    fn begun_steps_are_kept(&self, plan: &Plan, carry: &Carry, why: &mut Vec<String>) {
        let caused: BTreeSet<StepIx> = self.causes().map(|node| self.plan.node_at(node).0).collect();
        for step in self.plan.steps() {
            let before = self.plan.step(step);
            let touched = caused.contains(&step) || self.nodes_of(step).any(|node| self.is_touched(node));
            if !touched {
                continue;
            }
            let name = &before.name;
            let Some(to) = carry.step(step) else {
                let gone = plan.spec().steps.iter().all(|other| other.name != *name);
                let how = if gone { "removed" } else { "given another scope or kind" };
                why.push(format!("step `{name}` has begun and cannot be {how}"));
                continue;
            };
            let after = plan.step(to);
            if !matches!(after.for_each, crate::plan::ForEach::Later(_))
                && !difference::same_items((&self.plan, step), (plan, to))
            {
                why.push(format!("step `{name}` has begun and keeps its items (`for_each`)"));
            }
            let units = || self.nodes_of(step).flat_map(|node| self.units_of(node)).map(UnitIx);
            let row = |unit: &UnitIx| self.units[unit.ix()];
            if after.keeps_outputs
                && !before.keeps_outputs
                && units().any(|unit| row(&unit).state == UnitState::Succeeded)
            {
                why.push(format!("outputs of step `{name}` were not kept, so no new step can read them"));
            }
            if self.plan.is_read_only(step) != plan.is_read_only(to) {
                why.push(format!(
                    "step `{name}` has begun, and one that only reads cannot become one that acts, or back"
                ));
            }
            let open = |unit: &UnitIx| row(unit).state == UnitState::Running || row(unit).in_doubt();
            if before.work != after.work
                && let Some(unit) = units().find(|unit| open(unit) && !row(unit).is_undoing())
            {
                let unit = self.unit_name(unit);
                why.push(format!(
                    "`{unit}` is in flight or in doubt under the present version of the step; settle it first"
                ));
            }
            if before.undo != after.undo
                && let Some(unit) = units().find(|unit| row(unit).is_undoing())
            {
                let unit = self.unit_name(unit);
                why.push(format!(
                    "`{unit}` is being taken back under the present version of its undo; settle it first"
                ));
            }
        }
    }

    /// What people were to decide is still theirs to decide, for everything that waited for it.
    fn approvals_are_kept(&self, plan: &Plan, carry: &Carry, why: &mut Vec<String>) {
        for step in self.plan.steps() {
            let before = self.plan.step(step);
            if !matches!(before.work, Work::Approval(_)) {
                continue;
            }
            let name = &before.name;
            let same = |&to: &StepIx| {
                let list = |plan: &Plan, step| plan.checklist(ApprovalAt::Step(step)).to_vec();
                plan.step(to).work == before.work && list(&self.plan, step) == list(plan, to)
            };
            let Some(to) = carry.step(step).filter(same) else {
                why.push(format!("approval `{name}` cannot be removed or changed"));
                continue;
            };
            if plan.step(to).when != before.when || plan.step(to).for_each != before.for_each {
                why.push(format!("approval `{name}` cannot be made conditional, or for other items"));
            }
            let freed = self
                .plan
                .undone_before(step)
                .iter()
                .filter_map(|&later| carry.step(later))
                .find(|&later| !plan.is_at_or_after(to, later));
            if let Some(later) = freed {
                why.push(format!("step `{}` must still come after approval `{name}`", plan.step(later).name));
            }
        }
    }

    /// What has run did not need what has not, and nothing is taken back in another order than it was begun in.
    fn order_is_kept(&self, plan: &Plan, carry: &Carry, why: &mut Vec<String>) {
        let undoing = !self.undos.is_empty() || !self.undo_wanted.is_empty();
        let steps = || plan.steps().filter(|&step| carry.step_before(step).is_some());
        let more = steps().find(|&step| difference::new_needs(carry, &self.plan, plan, step).next().is_some());
        if let (true, Some(step)) = (undoing, more) {
            why.push(format!(
                "sites are being taken back; step `{}` can need more when that is over",
                plan.step(step).name
            ));
        }
        for step in plan.steps() {
            let Some(before) = carry.step_before(step) else { continue };
            let spec = plan.step(step);
            for need in difference::new_needs(carry, &self.plan, plan, step) {
                let Some(was) = carry.step_before(need.step) else { continue };
                let late = self.nodes_of(before).find(|&node| {
                    let (_, key) = self.plan.node_at(node);
                    let keys = self.plan.keys.shared(spec.scope, key, plan.step(need.step).scope);
                    let decreed = self.nodes[node.ix()].marks & DECREED != 0;
                    let open = |ix| !self.nodes[self.plan.node(was, keys.get(ix)).ix()].state.is_settled();
                    !decreed && self.has_run(node) && (0..keys.len()).any(open)
                });
                if let Some(node) = late {
                    let key = self.plan.key_name(spec.scope, self.plan.node_at(node).1);
                    let needed = &plan.step(need.step).name;
                    why.push(format!(
                        "step `{}` has begun for {key} before `{needed}`, which it would need",
                        spec.name
                    ));
                }
            }
        }
    }

    fn told(&self, plan: &Plan, carry: &Carry, fates: &[Option<Vec<Fate>>]) -> Amendment {
        let mut steps = Vec::new();
        for step in plan.steps() {
            let name = plan.step(step).name.clone();
            let all = plan.key_count(plan.step(step).scope);
            let (change, applies) = match (carry.step_before(step), &fates[step.ix()]) {
                (Some(before), _) => {
                    let fields = difference::fields((&self.plan, before), (plan, step));
                    if fields.is_empty() {
                        continue;
                    }
                    let open = |node: &NodeIx| !self.nodes[node.ix()].state.is_settled();
                    (StepChange::Changed(fields), self.nodes_of(before).filter(open).count())
                }
                (None, Some(fates)) => (StepChange::Added, fates.iter().filter(|&&fate| fate == Fate::Waits).count()),
                (None, None) => (StepChange::Added, all as usize),
            };
            let applies = u32::try_from(applies).unwrap_or(all);
            steps.push(StepAmendment { step: name, change, applies, stays: all - applies });
        }
        for step in self.plan.steps().filter(|&step| carry.step(step).is_none()) {
            let spec = self.plan.step(step);
            let applies = self.plan.key_count(spec.scope);
            steps.push(StepAmendment { step: spec.name.clone(), change: StepChange::Removed, applies, stays: 0 });
        }
        Amendment { steps, beside: difference::beside(&self.plan, plan) }
    }

    pub(super) fn nodes_of(&self, step: StepIx) -> impl Iterator<Item = NodeIx> + '_ {
        let keys = self.plan.key_count(self.plan.step(step).scope);
        (0..keys).map(move |key| self.plan.node(step, KeyIx(key)))
    }

    /// Nodes that put sites out.
    fn causes(&self) -> impl Iterator<Item = NodeIx> + '_ {
        self.sites.iter().filter(|row| row.is_failure()).map(|row| NodeIx(row.out_by))
    }

    /// Whether something of a node has begun, or was settled otherwise than by never running.
    pub(super) fn is_touched(&self, node: NodeIx) -> bool {
        let row = self.nodes[node.ix()];
        let settled = row.state.is_settled() && !matches!(row.state, NodeState::Skipped | NodeState::Cancelled);
        settled
            || row.marks & DECREED != 0
            || self.units_of(node).any(|unit| {
                let unit = self.units[unit as usize];
                let fresh = matches!(unit.state, UnitState::Waiting | UnitState::Ready | UnitState::Cancelled);
                unit.attempts > 0 || unit.may_have_acted() || !fresh
            })
    }

    /// Whether a node is past the point where its needs count.
    pub(super) fn has_run(&self, node: NodeIx) -> bool {
        match self.nodes[node.ix()].state {
            NodeState::Waiting | NodeState::Undecided | NodeState::Skipped | NodeState::Cancelled => false,
            NodeState::Active => self.is_touched(node),
            NodeState::Succeeded | NodeState::Degraded | NodeState::Failed | NodeState::Undoing | NodeState::Undone => {
                true
            }
        }
    }

    /// Whether a site takes part no more: it is out or has ended.
    pub(super) fn is_over(&self, site: SiteIx) -> bool {
        let row = self.sites[site.ix()];
        row.is_out() || row.end.is_some()
    }

    /// Whether every site that a key covers is back.
    pub(super) fn are_back(&self, scope: Scope, key: KeyIx) -> bool {
        let back = |site: SiteIx| matches!(self.sites[site.ix()].end, Some(SiteEnd::Returned | SiteEnd::Degraded));
        self.plan.sites_of(scope, key).all(back)
    }
}
