//! Trying again: what did not succeed goes back to the start, what had succeeded stays, and whoever waits for it waits
//! again. The cost is that of what goes back, and of recounting who waits for it.

use std::collections::BTreeSet;

use crate::event::{Again, TakeOut};
use crate::ids::{KeyIx, NodeIx, SiteIx, UnitIx};
use crate::plan::Scope;
use crate::run::Run;
use crate::run::tables::{BLOCKED, DECIDED, DEGRADED, FAILED, IN, NodeState, SiteUndo, UnitState};

/// What goes back to the start.
#[derive(Debug, Default)]
struct Reset {
    sites: BTreeSet<SiteIx>,
    /// Nodes, and whether even what succeeded of them goes back.
    nodes: std::collections::BTreeMap<NodeIx, bool>,
}

impl Run {
    /// Tries again. Units that wait for an operator go on at once, the rest by way of their nodes.
    pub(super) fn again(&mut self, what: Again) {
        self.reopen();
        if let Again::Unit(unit) = what
            && self.goes_on(unit)
        {
            self.go_on(unit);
            return;
        }
        let reset = self.reset_of(what);
        for &site in &reset.sites {
            self.bring_in(site);
            for node in self.nodes_of_site(site) {
                if self.nodes[node.ix()].state == NodeState::Active && !reset.nodes.contains_key(&node) {
                    for unit in self.units_of(node).map(UnitIx) {
                        if self.units[unit.ix()].state == UnitState::Stuck {
                            self.go_on(unit);
                        }
                    }
                }
            }
        }
        self.go_back(&reset);
    }

    /// Whether a unit that is stuck can go on as it is; one whose site is out comes back with the site.
    pub(super) fn goes_on(&self, unit: UnitIx) -> bool {
        let row = self.units[unit.ix()];
        let site = self.unit_at(unit).and_then(|(node, _)| self.site_of(node));
        let out = site.is_some_and(|site| self.sites[site.ix()].is_out());
        row.state == UnitState::Stuck && (row.is_undoing() || !out)
    }

    /// A unit that failed for good and waits is tried again with all its attempts.
    pub(super) fn go_on(&mut self, unit: UnitIx) {
        self.unlist(unit);
        self.units[unit.ix()].failures = 0;
        self.units[unit.ix()].set_probe_next(false);
        if self.units[unit.ix()].is_undoing() { self.make_ready(unit) } else { self.go(unit) }
    }

    /// Sets nodes back, recounts who waits for them and lets go what waits for nothing.
    fn go_back(&mut self, reset: &Reset) {
        let mut recount: BTreeSet<NodeIx> = BTreeSet::new();
        let mut sites = reset.sites.clone();
        for (&node, &whole) in &reset.nodes {
            if self.nodes[node.ix()].marks & DEGRADED != 0 {
                let (step, key) = self.plan.node_at(node);
                sites.extend(self.plan.sites_of(self.plan.step(step).scope, key));
            }
            self.reset_node(node, whole);
            recount.insert(node);
            recount.extend(
                self.dependents_of(node).into_iter().filter(|d| self.nodes[d.ix()].state == NodeState::Waiting),
            );
        }
        for &node in &recount {
            self.nodes[node.ix()].count = self.waits_now(node);
            if self.is_blocked(node) {
                self.nodes[node.ix()].marks |= BLOCKED;
            } else {
                self.nodes[node.ix()].marks &= !BLOCKED;
            }
        }
        for &site in &sites {
            self.sites[site.ix()].degraded = self.is_degraded(site);
        }
        for node in recount {
            let row = self.nodes[node.ix()];
            if row.count == 0 && row.state == NodeState::Waiting {
                self.admit(node);
            }
        }
        for site in sites {
            self.close_if_done(site);
        }
    }

    fn reset_of(&self, what: Again) -> Reset {
        let mut reset = Reset::default();
        match what {
            Again::Site(site) => drop(self.reset_site(&mut reset, site)),
            Again::From(site, step) => {
                self.reset_site(&mut reset, site);
                for node in self.nodes_of_site(site) {
                    let (other, _) = self.plan.node_at(node);
                    if self.plan.is_at_or_after(step, other) && self.nodes[node.ix()].state != NodeState::Waiting {
                        reset.nodes.insert(node, true);
                    }
                }
            }
            Again::Unit(unit) => {
                return self.unit_at(unit).map(|(node, _)| self.reset_of_node(node)).unwrap_or_default();
            }
            Again::Quarantined => {
                for site in (0..self.plan.site_count()).map(SiteIx) {
                    let row = self.sites[site.ix()];
                    if row.is_out() && row.taken.is_none() && row.undo == SiteUndo::No {
                        self.reset_site(&mut reset, site);
                    }
                }
            }
        }
        self.spread(&mut reset);
        reset
    }

    /// Everything of a site that did not succeed, and the shared steps that failed for it; answers what is new in it.
    fn reset_site(&self, reset: &mut Reset, site: SiteIx) -> Vec<NodeIx> {
        if !reset.sites.insert(site) {
            return Vec::new();
        }
        let shared = self.plan.steps().filter(|&step| !self.plan.step(step).finally).filter_map(|step| {
            let scope = self.plan.step(step).scope;
            let key = self.plan.covering_key(Scope::Site, KeyIx(site.0), scope)?;
            let node = self.plan.node(step, key);
            (self.nodes[node.ix()].state == NodeState::Failed).then_some(node)
        });
        let own = self.nodes_of_site(site).into_iter().filter(|node| {
            let state = self.nodes[node.ix()].state;
            let open = state == NodeState::Active && self.sites[site.ix()].is_out();
            open || (state.is_settled() && !matches!(state, NodeState::Succeeded | NodeState::Skipped))
        });
        let found: Vec<NodeIx> = shared.chain(own).filter(|node| !reset.nodes.contains_key(node)).collect();
        reset.nodes.extend(found.iter().map(|&node| (node, false)));
        found
    }

    /// Takes along what goes back with it: a shared step that runs once more brings back whom it had put out, and so on.
    fn spread(&self, reset: &mut Reset) {
        loop {
            let before = (reset.nodes.len(), reset.sites.len());
            self.reset_upwards(reset);
            self.reset_downwards(reset);
            if before == (reset.nodes.len(), reset.sites.len()) {
                return;
            }
        }
    }

    /// What these nodes need and what did not succeed either, at wider scopes; with a shared step that failed, every
    /// site that it put out.
    fn reset_upwards(&self, reset: &mut Reset) {
        let mut todo: Vec<NodeIx> = reset.nodes.keys().copied().collect();
        while let Some(node) = todo.pop() {
            let (step, key) = self.plan.node_at(node);
            let spec = self.plan.step(step);
            for site in self.put_out_by(node) {
                todo.extend(self.reset_site(reset, site));
            }
            for need in &spec.needs {
                let scope = self.plan.step(need.step).scope;
                if scope == Scope::Site {
                    continue;
                }
                let keys = self.plan.keys.shared(spec.scope, key, scope);
                for ix in 0..keys.len() {
                    let needed = self.plan.node(need.step, keys.get(ix));
                    let state = self.nodes[needed.ix()].state;
                    if state.is_settled() && !state.is_satisfied() && reset.nodes.insert(needed, false).is_none() {
                        todo.push(needed);
                    }
                }
            }
        }
    }

    /// Sites that a shared step put out and nobody has dealt with since.
    fn put_out_by(&self, node: NodeIx) -> Vec<SiteIx> {
        self.out_by_it(node).filter(|site| self.why_not_again(*site).is_none()).collect()
    }

    fn out_by_it(&self, node: NodeIx) -> impl Iterator<Item = SiteIx> + '_ {
        let (step, key) = self.plan.node_at(node);
        let failed = self.site_of(node).is_none() && self.nodes[node.ix()].state == NodeState::Failed;
        let by_it = move |site: &SiteIx| {
            let row = self.sites[site.ix()];
            failed && row.out_by == node.0 && row.taken.is_none() && row.undo == SiteUndo::No
        };
        self.plan.sites_of(self.plan.step(step).scope, key).filter(by_it)
    }

    /// Whether an attempt of a site's own steps is in flight.
    fn is_busy(&self, site: SiteIx) -> bool {
        self.nodes_of_site(site).into_iter().any(|node| self.is_at_work(node))
    }

    /// What has come after these nodes without them: wider steps run once more, since what they said did not cover what
    /// comes now; nodes that were about to start wait again.
    fn reset_downwards(&self, reset: &mut Reset) {
        let mut todo: Vec<NodeIx> = reset.nodes.keys().copied().collect();
        while let Some(node) = todo.pop() {
            for dependent in self.dependents_of(node) {
                let state = self.nodes[dependent.ix()].state;
                let wide = self.site_of(dependent).is_none();
                let back = match state {
                    NodeState::Undecided | NodeState::Active => !self.is_at_work(dependent),
                    state => wide && state.is_settled(),
                };
                if back && !reset.nodes.contains_key(&dependent) {
                    // What a wider step did without them does not count for them.
                    reset.nodes.insert(dependent, wide);
                    todo.push(dependent);
                }
            }
        }
    }

    /// Whether an attempt is in flight that comes after something that is to be tried again, belongs to it, or is of a site
    /// that it put out: that site could not come back with it.
    pub(super) fn is_at_work_after(&self, what: Again) -> bool {
        self.is_at_work_for(&self.reset_of(what))
    }

    /// The same for what is settled by decree after all.
    pub(super) fn is_at_work_after_node(&self, node: NodeIx) -> bool {
        self.is_at_work_for(&self.reset_of_node(node))
    }

    fn is_at_work_for(&self, reset: &Reset) -> bool {
        let left_out =
            |node: &NodeIx| self.out_by_it(*node).any(|site| !reset.sites.contains(&site) && self.is_busy(site));
        let after = reset.nodes.keys().flat_map(|&node| self.dependents_of(node));
        reset.nodes.keys().any(left_out) || reset.nodes.keys().copied().chain(after).any(|node| self.is_at_work(node))
    }

    /// Tries a settled node again, with what it takes along.
    pub(super) fn again_node(&mut self, node: NodeIx) {
        let reset = self.reset_of_node(node);
        reset.sites.iter().for_each(|&site| self.bring_in(site));
        self.go_back(&reset);
    }

    fn reset_of_node(&self, node: NodeIx) -> Reset {
        let mut reset = Reset::default();
        // What runs at the end brings no site back.
        let finally = self.plan.step(self.plan.node_at(node).0).finally;
        match self.site_of(node).filter(|_| !finally) {
            Some(site) => drop(self.reset_site(&mut reset, site)),
            None => drop(reset.nodes.insert(node, false)),
        }
        self.spread(&mut reset);
        reset
    }

    fn is_at_work(&self, node: NodeIx) -> bool {
        self.units_of(node).any(|unit| self.units[unit as usize].state == UnitState::Running)
    }

    /// Nodes that need a node, `finally` aside.
    fn dependents_of(&self, node: NodeIx) -> Vec<NodeIx> {
        let (step, key) = self.plan.node_at(node);
        let scope = self.plan.step(step).scope;
        let mut nodes = Vec::new();
        for dependent in &self.plan.dependents[step.ix()] {
            let keys = self.plan.keys.shared(scope, key, self.plan.step(dependent.step).scope);
            nodes.extend((0..keys.len()).map(|ix| self.plan.node(dependent.step, keys.get(ix))));
        }
        nodes
    }

    /// Whether some unit of a node was tried in its present life.
    pub(super) fn has_begun(&self, node: NodeIx) -> bool {
        self.units_of(node).any(|unit| {
            let row = self.units[unit as usize];
            row.state == UnitState::Running || row.state.is_settled() || row.may_have_acted() || row.failures > 0
        })
    }

    /// Sets a node back to waiting; `whole`: with what had succeeded, under new keys. Its count is for the caller.
    pub(super) fn reset_node(&mut self, node: NodeIx, whole: bool) {
        self.undecided.remove(&node);
        self.unevaluable.remove(&node);
        for unit in self.units_of(node).map(UnitIx) {
            let row = self.units[unit.ix()];
            if row.state == UnitState::Succeeded && !whole {
                continue;
            }
            self.unlist(unit);
            if row.state == UnitState::Succeeded {
                *self.lives.entry(unit).or_default() += 1;
                self.outputs.remove(&unit);
            }
            self.units[unit.ix()].again();
        }
        self.nodes[node.ix()].marks &= DECIDED;
        self.set_node(node, NodeState::Waiting);
    }

    /// Takes a site in again.
    pub(super) fn bring_in(&mut self, site: SiteIx) {
        self.reopen_site(site);
        let batch = self.plan.batch_of(site);
        if self.sites[site.ix()].is_failure() {
            let row = &mut self.batches[batch.ix()];
            row.failures -= 1;
            if row.failures <= self.plan.spec().batches.max_failures[batch.ix()] {
                self.over_budget.remove(&batch);
            }
        }
        self.undo_wanted.remove(&site);
        let row = &mut self.sites[site.ix()];
        row.out_by = IN;
        row.cut_off = false;
        row.taken = None;
        row.undo = SiteUndo::No;
    }

    /// Whether a need of a node is settled in a way that keeps the node from running.
    pub(super) fn is_blocked(&self, node: NodeIx) -> bool {
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        spec.needs.iter().any(|need| {
            let scope = self.plan.step(need.step).scope;
            let blocks = need.require_all || crate::plan::covers(scope, spec.scope);
            let keys = self.plan.keys.shared(spec.scope, key, scope);
            blocks
                && (0..keys.len()).any(|ix| {
                    let state = self.nodes[self.plan.node(need.step, keys.get(ix)).ix()].state;
                    state.is_settled() && !state.is_satisfied()
                })
        })
    }

    fn is_degraded(&self, site: SiteIx) -> bool {
        self.plan.steps().filter(|&step| !self.plan.step(step).finally).any(|step| {
            let scope = self.plan.step(step).scope;
            self.plan.covering_key(Scope::Site, KeyIx(site.0), scope).is_some_and(|key| {
                let node = self.plan.node(step, key);
                self.nodes[node.ix()].state == NodeState::Degraded
                    || self.units_of(node).any(|unit| self.units[unit as usize].state == UnitState::Degraded)
            })
        })
    }

    /// A site that another run had begun comes in: what may have acted there is asked for before it is applied.
    pub(super) fn adopt_site(&mut self, site: SiteIx, from: &str, units: &[(UnitIx, u32)]) {
        let reset = self.reset_for_adoption(site);
        // A shared step that failed runs again for it, and with it whoever it had put out.
        reset.sites.iter().for_each(|&site| self.bring_in(site));
        self.adopted.insert(site, from.into());
        for node in self.nodes_of_site(site) {
            for unit in self.units_of(node).map(UnitIx) {
                let row = &mut self.units[unit.ix()];
                if row.state == UnitState::Succeeded {
                    row.state = UnitState::Waiting;
                }
                row.set_in_doubt(row.may_have_acted());
            }
        }
        for &(unit, attempts) in units {
            let row = &mut self.units[unit.ix()];
            row.attempts = row.attempts.max(attempts);
            row.set_may_have_acted();
            row.set_in_doubt(true);
        }
        self.go_back(&reset);
    }

    /// Everything of a site, even what succeeded here: another run may have taken it back.
    fn reset_for_adoption(&self, site: SiteIx) -> Reset {
        let mut reset = Reset::default();
        self.reset_site(&mut reset, site);
        for node in self.nodes_of_site(site) {
            if self.nodes[node.ix()].state == NodeState::Succeeded
                && self.plan.action(self.plan.node_at(node).0).is_some()
            {
                reset.nodes.insert(node, false);
            }
        }
        self.spread(&mut reset);
        reset
    }

    /// Whether a step that covers the site has failed in part and is not settled: it will fail as a whole.
    fn is_failing_for(&self, site: SiteIx) -> bool {
        self.plan.steps().filter(|&step| self.plan.step(step).scope != Scope::Site).any(|step| {
            let key = self.plan.covering_key(Scope::Site, KeyIx(site.0), self.plan.step(step).scope);
            key.is_some_and(|key| {
                let row = self.nodes[self.plan.node(step, key).ix()];
                row.state == NodeState::Active && row.marks & FAILED != 0 && !self.plan.step(step).finally
            })
        })
    }

    /// Whether a site can be tried again, and if not, why.
    pub(super) fn why_not_again(&self, site: SiteIx) -> Option<&'static str> {
        let row = self.sites[site.ix()];
        if matches!(row.undo, SiteUndo::Wanted | SiteUndo::Running) {
            return Some("the site is being taken back; retry when that has ended");
        }
        if row.taken == Some(TakeOut::Release) {
            return Some("the site was released; `adopt` brings it back");
        }
        if row.is_out() && self.is_busy(site) {
            return Some("an attempt of the site is still in flight; retry when it has landed");
        }
        if self.is_failing_for(site) {
            return Some("a shared step that failed for the site is still at work; retry when it has settled");
        }
        let open = |node: &NodeIx| {
            let state = self.nodes[node.ix()].state;
            let flawed = state.is_settled() && !matches!(state, NodeState::Succeeded | NodeState::Skipped);
            flawed || self.units_of(*node).any(|unit| self.units[unit as usize].state == UnitState::Stuck)
        };
        if !row.is_out() && !self.nodes_of_site(site).iter().any(open) {
            return Some("nothing of the site has failed");
        }
        None
    }
}
