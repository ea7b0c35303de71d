//! From a plan to a project and back: every unit an activity, every wait an edge, every pool instance a resource.

use engine::{ForEach, KeyIx, NodeIx, Plan, PoolIx, Scope, SiteIx, StepIx};

use crate::schedule::project::{NO_LOT, Project, ProjectError, ProjectSpec};
use crate::schedule::rates::Rates;
use crate::schedule::search::Order;

/// What stands in a place of the tables that no activity fills.
const NONE: u32 = u32::MAX;

/// A plan as a project, in milliseconds.
///
/// What is approximated: an `if` or `for_each` that is decided during the run counts as one unit that runs; nothing
/// fails; a rate lets starts through at its even pace without burst, each later by one interval; an approval takes the
/// time given for it. Waits of all for all go through activities that take no time, one for each batch and node.
#[derive(Debug)]
pub struct PlannedProject {
    project: Project,
    /// First and last activity of each node: what its needs come before, and what its end is.
    nodes: Vec<(u32, u32)>,
    /// Activities in the order in which the engine takes them by itself.
    own: Vec<u32>,
}

impl PlannedProject {
    /// Builds the project of a plan; `duration` says how long a unit of a node takes, in milliseconds (see
    /// [`Plan::expected_ms`]).
    ///
    /// # Errors
    /// [`ProjectError::TooLarge`] if there are more waits than numbers; no other for an admitted plan.
    pub fn new(plan: &Plan, duration: &dyn Fn(NodeIx) -> u64) -> Result<Self, ProjectError> {
        let mut build = Build::new(plan);
        build.nodes(duration);
        build.needs();
        build.batches();
        build.finally();
        let own = build.own_order();
        let nodes = build.ends;
        Ok(Self { project: Project::new(build.spec)?, nodes, own })
    }

    /// Returns the project.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Returns the activities in the order in which the engine starts ready work by itself ([`Plan::turn`]).
    #[must_use]
    pub fn own_order(&self) -> &[u32] {
        &self.own
    }

    /// Returns the end of a node in a schedule, in milliseconds; 0 for starts of another project.
    #[must_use]
    pub fn end(&self, node: NodeIx, starts: &[u64]) -> u64 {
        let last = self.nodes[node.ix()].1 as usize;
        starts.get(last).map_or(0, |start| start.saturating_add(self.project.durations[last]))
    }

    /// Returns a rank for each node, in the order of node numbers, lower first, each number once.
    #[must_use]
    pub fn node_ranks(&self, order: &Order) -> Vec<u32> {
        let mut by_rank: Vec<usize> = (0..self.nodes.len()).collect();
        // The first unit of a node stands for it.
        by_rank.sort_by_key(|&node| order.rank.get(self.nodes[node].0 as usize).copied().unwrap_or(NONE));
        let mut ranks = vec![0; self.nodes.len()];
        for (rank, node) in (0..).zip(by_rank) {
            ranks[node] = rank;
        }
        ranks
    }
}

/// A project under construction.
struct Build<'a> {
    plan: &'a Plan,
    spec: ProjectSpec,
    /// For each node what starts it and what ends it.
    ends: Vec<(u32, u32)>,
    /// Node of each activity; `NONE` for a batch's.
    node_of: Vec<u32>,
    /// First resource of each pool with slots.
    slots: Vec<Option<u32>>,
    rates: Rates,
}

impl<'a> Build<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut spec = ProjectSpec::default();
        let slots = plan.spec().pools.iter().map(|pool| {
            let base = length(&spec.capacities);
            let instances = pool.per.map_or(1, |per| plan.key_count(per));
            pool.slots.map(|slots| {
                spec.capacities.extend((0..instances).map(|_| slots));
                base
            })
        });
        let slots = slots.collect();
        let rates = Rates::new(plan, &mut spec);
        Self { plan, spec, ends: Vec::new(), node_of: Vec::new(), slots, rates }
    }

    fn activity(&mut self, duration: u64, node: u32, kind: u32, lot: u32) -> u32 {
        let activity = length(&self.spec.durations);
        self.spec.durations.push(duration);
        self.spec.kinds.push(kind);
        self.spec.lots.push(lot);
        self.node_of.push(node);
        activity
    }

    fn edge(&mut self, before: u32, after: u32) {
        self.spec.edges.push((before, after));
    }

    fn nodes(&mut self, duration: &dyn Fn(NodeIx) -> u64) {
        let plan = self.plan;
        for step in plan.steps() {
            let scope = plan.step(step).scope;
            for key in (0..plan.key_count(scope)).map(KeyIx) {
                let node = plan.node(step, key);
                let units = if !plan.planned_to_run(step, key) {
                    0
                } else if matches!(plan.step(step).for_each, ForEach::Later(_)) {
                    1
                } else {
                    length_of(&plan.planned_units(node))
                };
                let ends = self.node(step, key, units, duration(node));
                self.ends.push(ends);
            }
        }
    }

    /// Adds the activities of a node: one a unit, and where there are several or none, what gathers them.
    fn node(&mut self, step: StepIx, key: KeyIx, units: u32, duration: u64) -> (u32, u32) {
        let plan = self.plan;
        let node = plan.node(step, key).0;
        let lot = if plan.step(step).scope == Scope::Site { key.0 } else { NO_LOT };
        let kind = u32::from(step.0);
        if units == 1 {
            return self.unit(step, key, duration, node, kind, lot);
        }
        let first = self.activity(0, node, kind, lot);
        if units == 0 {
            return (first, first);
        }
        let last = self.activity(0, node, kind, lot);
        for _ in 0..units {
            let (begin, end) = self.unit(step, key, duration, node, kind, lot);
            self.edge(first, begin);
            self.edge(end, last);
        }
        (first, last)
    }

    /// Adds one unit, with a ticket before it for each rate that may hold it back.
    fn unit(&mut self, step: StepIx, key: KeyIx, duration: u64, node: u32, kind: u32, lot: u32) -> (u32, u32) {
        let plan = self.plan;
        let activity = self.activity(duration, node, kind, lot);
        let mut first = activity;
        for held in &plan.step(step).pools {
            let Some(instance) = self.instance(step, key, held.pool) else { continue };
            if let Some(base) = self.slots[held.pool.ix()] {
                self.spec.uses.push((activity, base + instance, held.slots));
            }
            if let Some((base, ticket_ms)) = self.rates.of(held.pool) {
                let ticket = self.activity(ticket_ms, node, kind, lot);
                self.spec.uses.push((ticket, base + instance, 1));
                self.edge(ticket, first);
                first = ticket;
            }
        }
        (first, activity)
    }

    fn instance(&self, step: StepIx, key: KeyIx, pool: PoolIx) -> Option<u32> {
        let per = self.plan.spec().pools[pool.ix()].per.unwrap_or(Scope::Run);
        self.plan.covering_key(self.plan.step(step).scope, key, per).map(|key| key.0)
    }

    /// Who waits for whom: nodes of needed steps that share a site. Sites bound the number of pairs.
    fn needs(&mut self) {
        let plan = self.plan;
        for step in plan.steps() {
            for need in &plan.step(step).needs {
                for (from, to) in self.shared(plan.step(need.step).scope, plan.step(step).scope) {
                    let (before, after) = (plan.node(need.step, KeyIx(from)), plan.node(step, KeyIx(to)));
                    self.edge(self.ends[before.ix()].1, self.ends[after.ix()].0);
                }
            }
        }
    }

    /// Keys of two scopes that share a site.
    fn shared(&self, from: Scope, to: Scope) -> Vec<(u32, u32)> {
        let plan = self.plan;
        if from == to {
            return (0..plan.key_count(to)).map(|key| (key, key)).collect();
        }
        if from == Scope::Run {
            return (0..plan.key_count(to)).map(|key| (0, key)).collect();
        }
        if to == Scope::Run {
            return (0..plan.key_count(from)).map(|key| (key, 0)).collect();
        }
        let of = |scope, site| plan.covering_key(Scope::Site, KeyIx(site), scope).map(|key| key.0);
        let sites = 0..plan.site_count();
        let mut pairs: Vec<(u32, u32)> = sites.filter_map(|site| Some((of(from, site)?, of(to, site)?))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Whether a step's nodes wait for their batch to open: not if they may run ahead, or wait for one that does not.
    fn gated(&self, step: StepIx) -> bool {
        let spec = self.plan.step(step);
        let held = spec.needs.iter().any(|need| {
            let needed = self.plan.step(need.step);
            needed.scope == spec.scope && !needed.front_load
        });
        !spec.front_load && !spec.finally && !held
    }

    /// Batch that a node waits for: that of its first site.
    fn batch_of(&self, scope: Scope, key: KeyIx) -> usize {
        let first = match scope {
            Scope::Batch => return key.ix(),
            Scope::Run => None,
            Scope::Site => Some(SiteIx(key.0)),
            Scope::Group(_) => self.plan.sites_of(scope, key).next(),
        };
        first.map_or(0, |site| self.plan.batch_of(site).ix())
    }

    /// Batches open one after another: all sites of one are done, it soaks, the next opens.
    fn batches(&mut self) {
        let plan = self.plan;
        if plan.batch_count() < 2 {
            return;
        }
        let soak = plan.spec().batches.soak_ms;
        let batches = plan.batch_count() as usize;
        let kind = length(&plan.spec().steps);
        let settled: Vec<u32> = (1..batches).map(|_| self.activity(0, NONE, kind, NO_LOT)).collect();
        let opened: Vec<u32> = (1..batches).map(|_| self.activity(soak, NONE, kind, NO_LOT)).collect();
        for (&settled, &opened) in settled.iter().zip(&opened) {
            self.edge(settled, opened);
            self.spec.barriers.push(opened);
        }
        let mut needed = vec![false; plan.spec().steps.len()];
        for step in plan.steps() {
            for need in &plan.step(step).needs {
                needed[need.step.ix()] |= plan.step(need.step).scope == plan.step(step).scope;
            }
        }
        for step in plan.steps().filter(|&step| !plan.step(step).finally) {
            let scope = plan.step(step).scope;
            let gated = self.gated(step);
            // A batch is settled when its sites are; the last of a site's own steps stand for all of them.
            let last = matches!(scope, Scope::Site | Scope::Batch) && !needed[step.ix()];
            for key in (0..plan.key_count(scope)).map(KeyIx) {
                let batch = self.batch_of(scope, key);
                let (begin, end) = self.ends[plan.node(step, key).ix()];
                if gated && batch > 0 {
                    self.edge(opened[batch - 1], begin);
                }
                if last && batch + 1 < batches {
                    self.edge(end, settled[batch]);
                }
            }
        }
    }

    /// What belongs to `finally` comes after everything else.
    fn finally(&mut self) {
        let plan = self.plan;
        if !plan.has_finally() {
            return;
        }
        let mut followed = vec![false; self.spec.durations.len()];
        for &(before, _) in &self.spec.edges {
            followed[before as usize] = true;
        }
        let finally = |node: u32| node != NONE && plan.step(plan.node_at(NodeIx(node)).0).finally;
        let end = self.activity(0, NONE, length(&plan.spec().steps), NO_LOT);
        for activity in 0..end {
            if !followed[activity as usize] && !finally(self.node_of[activity as usize]) {
                self.edge(activity, end);
            }
        }
        for node in (0..plan.node_count()).filter(|&node| finally(node)) {
            let begin = self.ends[node as usize].0;
            self.edge(end, begin);
        }
        self.spec.barriers.push(end);
    }

    /// What belongs to no node first, then in the engine's order.
    fn own_order(&self) -> Vec<u32> {
        let turn = |activity: &u32| {
            let node = self.node_of[*activity as usize];
            let turn = (node != NONE).then(|| {
                let (step, key) = self.plan.node_at(NodeIx(node));
                self.plan.turn(step, key)
            });
            (turn, *activity)
        };
        let mut order: Vec<u32> = (0..length(&self.spec.durations)).collect();
        order.sort_by_cached_key(turn);
        order
    }
}

/// Length of a table as a number; a longer one is refused when the project is admitted.
fn length<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

fn length_of(range: &std::ops::Range<u32>) -> u32 {
    range.end - range.start
}
