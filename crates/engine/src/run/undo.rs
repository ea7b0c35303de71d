//! Taking back: the steps of a site, or of the whole run, the last first, for exactly what may have acted.
//!
//! A step waits until nothing of the steps that come after it, directly or through others, is left to take back. For a
//! site that is asked of the site's own steps; for the run of all, which keeps the waiting a count per step instead of an
//! edge per pair of nodes.

use crate::ids::{KeyIx, NodeIx, SiteIx, StepIx, UnitIx};
use crate::plan::Scope;
use crate::run::tables::{BLOCKED, BY_OPERATOR, FAILED, NodeState, SiteUndo, UnitState, Unwind};
use crate::run::{Halt, Run};

impl Run {
    /// Wants every site of a node taken back.
    pub(super) fn want_undo_of(&mut self, step: StepIx, key: KeyIx) {
        let plan = self.plan.clone();
        for site in plan.sites_of(plan.step(step).scope, key) {
            self.want_undo(site);
        }
    }

    /// Wants a site that is out taken back, as soon as nothing of it is in flight.
    pub(super) fn want_undo(&mut self, site: SiteIx) {
        let row = &mut self.sites[site.ix()];
        if matches!(row.undo, SiteUndo::Wanted | SiteUndo::Running) || self.halt == Some(Halt::Unwinding) {
            return;
        }
        row.undo = SiteUndo::Wanted;
        self.to_close.remove(&site);
        self.undo_wanted.insert(site);
        self.begin_undo_if_quiet(site);
    }

    /// Begins what is wanted once the last attempt of the site has landed.
    pub(super) fn begin_undo_if_quiet(&mut self, site: SiteIx) {
        let nodes = self.nodes_of_site(site);
        let busy =
            |node: &NodeIx| self.units_of(*node).any(|unit| self.units[unit as usize].state == UnitState::Running);
        if !self.undo_wanted.contains(&site) || nodes.iter().any(busy) {
            return;
        }
        self.undo_wanted.remove(&site);
        let mut unwind = self.new_unwind();
        for node in nodes {
            self.drop_rest(node);
            self.begin_undo_of(node, &mut unwind);
        }
        self.sites[site.ix()].undo = SiteUndo::Running;
        self.undos.insert(site, unwind);
        self.go_on_undoing(Some(site));
    }

    /// Begins to take the whole run back once nothing is in flight.
    pub(super) fn unwind_if_quiet(&mut self) {
        if self.halt != Some(Halt::Unwinding) || self.unwind.is_some() || !self.flights.is_empty() {
            return;
        }
        self.sweep();
        self.undos.clear();
        self.undo_wanted.clear();
        let mut unwind = self.new_unwind();
        let plan = self.plan.clone();
        let acted: Vec<bool> = (0..plan.site_count()).map(|site| self.has_acted(SiteIx(site))).collect();
        for node in (0..plan.node_count()).map(NodeIx) {
            if !plan.step(plan.node_at(node).0).finally {
                self.begin_undo_of(node, &mut unwind);
            }
        }
        for site in acted.iter().enumerate().filter(|&(_, &acted)| acted).map(|(ix, _)| SiteIx::from(ix)) {
            self.reopen_site(site);
            if !self.sites[site.ix()].is_out() {
                self.sites[site.ix()].out_by = BY_OPERATOR;
            }
            self.sites[site.ix()].undo = SiteUndo::Running;
        }
        self.unwind = Some(unwind);
        self.go_on_undoing(None);
    }

    fn new_unwind(&self) -> Unwind {
        let steps = self.plan.spec().steps.len();
        Unwind { pending: vec![0; steps], released: vec![false; steps] }
    }

    /// Whether something of a site's own steps may have changed the estate.
    fn has_acted(&self, site: SiteIx) -> bool {
        self.nodes_of_site(site).into_iter().any(|node| self.may_have_changed(node))
    }

    /// Whether some unit of a node may have changed the estate and was not taken back.
    fn may_have_changed(&self, node: NodeIx) -> bool {
        let (step, _) = self.plan.node_at(node);
        let acts = self.plan.action(step).is_some() && !self.plan.is_read_only(step);
        acts && self.units_of(node).any(|unit| self.units[unit as usize].may_have_acted())
    }

    /// Marks the units of a node that are to be taken back.
    fn begin_undo_of(&mut self, node: NodeIx, unwind: &mut Unwind) {
        let (step, _) = self.plan.node_at(node);
        if self.plan.step(step).undo.is_none() {
            return;
        }
        let mut count = 0;
        for unit in self.units_of(node).map(UnitIx) {
            if self.units[unit.ix()].may_have_acted() {
                self.unlist(unit);
                self.units[unit.ix()].begin_undo();
                count += 1;
            }
        }
        if count == 0 {
            return;
        }
        unwind.pending[step.ix()] += count;
        self.block_dependents(node);
        self.set_node(node, NodeState::Undoing);
        self.nodes[node.ix()].count = count;
        self.nodes[node.ix()].marks &= !FAILED;
    }

    /// Who waits for a node that is taken back and needs it will not run.
    fn block_dependents(&mut self, node: NodeIx) {
        let plan = self.plan.clone();
        let (step, key) = plan.node_at(node);
        for dependent in plan.dependents[step.ix()].iter().filter(|to| to.covers || to.require_all) {
            let keys = plan.keys.shared(plan.step(step).scope, key, plan.step(dependent.step).scope);
            for ix in 0..keys.len() {
                let waiting = plan.node(dependent.step, keys.get(ix));
                let state = self.nodes[waiting.ix()].state;
                let about_to = matches!(state, NodeState::Undecided | NodeState::Active) && !self.has_begun(waiting);
                if about_to {
                    self.reset_node(waiting, false);
                    self.nodes[waiting.ix()].count = 0;
                }
                self.nodes[waiting.ix()].marks |= BLOCKED;
                if about_to {
                    self.admit(waiting);
                }
            }
        }
    }

    /// Lets the steps go after which nothing is left; ends the taking back when nothing is left at all.
    fn go_on_undoing(&mut self, site: Option<SiteIx>) {
        let plan = self.plan.clone();
        let taken = match site {
            Some(site) => self.undos.remove(&site),
            None => self.unwind.take(),
        };
        let Some(mut unwind) = taken else { return };
        for step in plan.steps() {
            let open = unwind.pending[step.ix()] > 0 && !unwind.released[step.ix()];
            if !open || plan.undone_before(step).iter().any(|later| unwind.pending[later.ix()] > 0) {
                continue;
            }
            unwind.released[step.ix()] = true;
            match site {
                Some(site) => self.release_undo(plan.node(step, KeyIx(site.0))),
                None => {
                    let keys = plan.key_count(plan.step(step).scope);
                    (0..keys).for_each(|key| self.release_undo(plan.node(step, KeyIx(key))));
                }
            }
        }
        let over = unwind.pending.iter().all(|&pending| pending == 0);
        match site {
            Some(site) if over => self.end_undo(site),
            Some(site) => drop(self.undos.insert(site, unwind)),
            None => {
                self.unwind = Some(unwind);
                if over {
                    let undone = |site: &SiteIx| self.sites[site.ix()].undo == SiteUndo::Running;
                    let sites: Vec<SiteIx> = (0..plan.site_count()).map(SiteIx).filter(undone).collect();
                    sites.into_iter().for_each(|site| self.end_undo(site));
                }
            }
        }
    }

    fn release_undo(&mut self, node: NodeIx) {
        for unit in self.units_of(node).map(UnitIx) {
            let row = self.units[unit.ix()];
            if row.is_undoing() && row.state == UnitState::Waiting {
                self.go_undo(unit);
            }
        }
    }

    /// Lets an undo go; one that may have acted already with the care that its action needs.
    fn go_undo(&mut self, unit: UnitIx) {
        let (has_probe, idempotent) =
            self.action_of(unit).map_or((false, false), |action| (action.has_probe, action.idempotent));
        let in_doubt = self.units[unit.ix()].in_doubt();
        self.units[unit.ix()].set_probe_next(in_doubt && has_probe);
        if in_doubt && !has_probe && !idempotent {
            self.park(unit);
        } else {
            self.make_ready(unit);
        }
    }

    fn end_undo(&mut self, site: SiteIx) {
        let left = self.has_acted(site);
        self.sites[site.ix()].undo = if left { SiteUndo::Left } else { SiteUndo::Clean };
        self.close_if_done(site);
    }

    /// The effect of a unit was taken back; whatever applies it again does so under a new key.
    pub(super) fn undone(&mut self, unit: UnitIx) {
        self.units[unit.ix()].undone();
        self.failures.remove(&unit);
        self.outputs.remove(&unit);
        *self.lives.entry(unit).or_default() += 1;
        self.count_undo(unit);
    }

    /// The effect of a unit stays although it was to be taken back.
    pub(super) fn leave(&mut self, unit: UnitIx) {
        self.units[unit.ix()].leave();
        if let Some((node, _)) = self.unit_at(unit) {
            self.nodes[node.ix()].marks |= FAILED;
        }
        self.count_undo(unit);
    }

    fn count_undo(&mut self, unit: UnitIx) {
        let Some((node, _)) = self.unit_at(unit) else { return };
        let row = &mut self.nodes[node.ix()];
        row.count = row.count.saturating_sub(1);
        if row.count == 0 {
            let left = row.marks & FAILED != 0;
            self.set_node(node, if left { NodeState::Failed } else { NodeState::Undone });
        }
        let (step, key) = self.plan.node_at(node);
        let of_site = self.plan.step(step).scope == Scope::Site;
        let site = (self.unwind.is_none() && of_site).then_some(SiteIx(key.0));
        let unwind = match site {
            Some(site) => self.undos.get_mut(&site),
            None => self.unwind.as_mut(),
        };
        let Some(unwind) = unwind else { return };
        let pending = &mut unwind.pending[step.ix()];
        *pending = pending.saturating_sub(1);
        if *pending == 0 {
            self.go_on_undoing(site);
        }
    }

    /// A site that had ended has not, for now.
    pub(super) fn reopen_site(&mut self, site: SiteIx) {
        self.to_close.remove(&site);
        if let Some(end) = self.sites[site.ix()].end.take() {
            *self.ended_sites.of(end) -= 1;
            self.batches[self.plan.batch_of(site).ix()].open_sites += 1;
        }
    }

    /// Ends every unit of a node that is not settled; what may have acted is told by its flags.
    pub(super) fn drop_rest(&mut self, node: NodeIx) {
        for unit in self.units_of(node).map(UnitIx) {
            let row = self.units[unit.ix()];
            if !row.state.is_settled() && !row.is_undoing() && self.nodes[node.ix()].state == NodeState::Active {
                self.unlist(unit);
                self.settle_unit(unit, UnitState::Cancelled);
            }
        }
    }
}
