//! The run: the fold of a journal's events over a plan.

mod again;
mod amend;
mod apply;
mod approve;
mod audit;
mod close;
mod command;
mod decide;
mod decree;
mod fits;
mod flights;
mod holders;
mod members;
mod passed;
mod ready;
mod settle;
mod tables;
mod take_out;
mod transplant;
mod undo;
mod view;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{Failure, Gate, RunEnd};
use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, SiteIx, StepIx, UnitIx};
use crate::plan::{ForEach, Plan, Scope};
use flights::Flights;
use ready::Ready;
use tables::{Ask, BatchRow, IN, NodeRow, SiteRow, SiteUndo, UnitRow, Unwind};

pub use amend::{Amendment, StepAmendment, StepChange};
pub use approve::Request;
pub use holders::{PoolShare, PoolState};
pub use ready::SharedPool;
pub use tables::{Flight, NodeState, UnitState};
pub use view::{Pending, PoolUsage, Status, Tally};
pub use waits::Wait;

/// One execution of a plan, in memory: nothing but the fold of its events.
///
/// `decide` is pure and may refuse; `apply` is the only mutation; live and recovered runs share every line. Fields
/// under "derived" are indexes kept by the same `apply`; [`Run::audit`] recomputes them.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
    opened_at: Option<Millis>,
    opened_by: Box<str>,
    /// Whether units may start: at once, or once the whole run is approved.
    begun: bool,
    now: Millis,
    epoch: u64,
    halt: Option<Halt>,
    /// How the run will end, once only `finally` is left.
    closing: Option<RunEnd>,
    end: Option<RunEnd>,

    nodes: Vec<NodeRow>,
    units: Vec<UnitRow>,
    sites: Vec<SiteRow>,
    batches: Vec<BatchRow>,
    flights: Flights,
    outputs: BTreeMap<UnitIx, Box<str>>,
    failures: BTreeMap<UnitIx, Box<Failure>>,
    unevaluable: BTreeMap<NodeIx, Box<Failure>>,
    /// Units of later `for_each`, numbered from the plan's unit count on.
    grown: Vec<(NodeIx, Box<str>)>,
    grown_of: BTreeMap<NodeIx, (u32, u32)>,
    asks: BTreeMap<Gate, Ask>,
    /// How often a unit whose effect was there was begun anew: each time has a key of its own.
    lives: BTreeMap<UnitIx, u16>,
    /// Runs from which sites were adopted: what they began keeps its keys.
    adopted: BTreeMap<SiteIx, Box<str>>,
    /// Sizes of pools that an operator set.
    pool_sizes: BTreeMap<crate::ids::PoolIx, u32>,

    // Derived.
    ready: Ready,
    backoff: BTreeSet<(Millis, UnitIx)>,
    due: BTreeMap<UnitIx, Millis>,
    undecided: BTreeSet<NodeIx>,
    to_close: BTreeSet<SiteIx>,
    over_budget: BTreeSet<BatchIx>,
    waiting_for_operator: BTreeSet<UnitIx>,
    /// Units whose next call is a probe, ready or backing off: asked even while the run is ending.
    to_probe: BTreeSet<UnitIx>,
    settled_nodes: u32,
    /// Of those, the ones that do not belong to `finally`.
    settled_work: u32,
    /// Nodes that do not belong to `finally`.
    work_nodes: u32,
    /// Batches settle in order, so this is also the batch that is open or opens next.
    settled_batches: usize,
    flawed_nodes: u32,
    ended_sites: Ended,
    asks_due: BTreeSet<(Millis, Gate)>,
    /// Sites that are to be taken back once nothing of them is in flight.
    undo_wanted: BTreeSet<SiteIx>,
    undos: BTreeMap<SiteIx, Unwind>,
    /// The taking back of the whole run.
    unwind: Option<Unwind>,
    /// Settled within the current `apply`, not yet counted for dependents; empty between events.
    settled: Vec<NodeIx>,
}

/// Why nothing new starts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Halt {
    Paused { actor: Box<str>, reason: Box<str> },
    Aborting,
    Cancelling,
    Unwinding,
}

/// Sites by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ended {
    returned: u32,
    degraded: u32,
    quarantined: u32,
    undone: u32,
    excluded: u32,
    released: u32,
}

impl Run {
    /// Starts the fold: a run of which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut nodes = Vec::with_capacity(plan.node_count() as usize);
        let mut open_of_site = 0_u16;
        let mut batch_nodes = 0_u32;
        let mut work_nodes = 0_u32;
        for step in plan.steps() {
            let scope = plan.step(step).scope;
            for key in 0..plan.key_count(scope) {
                let count = plan.initial_waits(step, KeyIx(key));
                nodes.push(NodeRow { state: NodeState::Waiting, marks: 0, count });
            }
            if plan.step(step).finally {
                continue;
            }
            work_nodes += plan.key_count(scope);
            match scope {
                Scope::Site => open_of_site += 1,
                Scope::Batch => batch_nodes += 1,
                Scope::Run | Scope::Group(_) => {}
            }
        }
        let site = SiteRow {
            out_by: IN,
            open: open_of_site,
            degraded: false,
            cut_off: false,
            taken: None,
            undo: SiteUndo::No,
            end: None,
        };
        let batches = (0..plan.batch_count())
            .map(|batch| {
                let sites = plan.batch_sites(BatchIx::from(batch as usize));
                BatchRow { open_sites: sites.end - sites.start, open_nodes: batch_nodes, ..BatchRow::default() }
            })
            .collect();
        Self {
            opened_at: None,
            opened_by: "".into(),
            begun: false,
            now: Millis::MIN,
            epoch: 0,
            halt: None,
            closing: None,
            end: None,
            nodes,
            units: vec![UnitRow::NEW; plan.unit_count() as usize],
            sites: vec![site; plan.site_count() as usize],
            batches,
            flights: Flights::of(plan.unit_count() as usize),
            outputs: BTreeMap::new(),
            failures: BTreeMap::new(),
            unevaluable: BTreeMap::new(),
            grown: Vec::new(),
            grown_of: BTreeMap::new(),
            asks: BTreeMap::new(),
            lives: BTreeMap::new(),
            adopted: BTreeMap::new(),
            pool_sizes: BTreeMap::new(),
            ready: Ready::new(&plan),
            backoff: BTreeSet::new(),
            due: BTreeMap::new(),
            undecided: BTreeSet::new(),
            to_close: BTreeSet::new(),
            over_budget: BTreeSet::new(),
            waiting_for_operator: BTreeSet::new(),
            to_probe: BTreeSet::new(),
            settled_nodes: 0,
            settled_work: 0,
            work_nodes,
            settled_batches: 0,
            flawed_nodes: 0,
            ended_sites: Ended::default(),
            asks_due: BTreeSet::new(),
            undo_wanted: BTreeSet::new(),
            undos: BTreeMap::new(),
            unwind: None,
            settled: Vec::new(),
            plan,
        }
    }

    /// Node and item number of a unit; `None` outside the plan.
    #[must_use]
    pub fn unit_at(&self, unit: UnitIx) -> Option<(NodeIx, u32)> {
        if let Some(at) = self.plan.planned_unit_at(unit) {
            return Some(at);
        }
        let &(node, _) = self.grown.get((unit.0 - self.plan.unit_count()) as usize)?;
        let &(start, _) = self.grown_of.get(&node)?;
        Some((node, unit.0 - start))
    }

    /// Units of a node, as a range of unit numbers; empty while a later `for_each` is undecided.
    #[must_use]
    pub fn units_of(&self, node: NodeIx) -> std::ops::Range<u32> {
        match self.grown_of.get(&node) {
            Some(&(start, len)) => start..start + len,
            None => self.plan.planned_units(node),
        }
    }

    /// Step and key of a unit that is known to exist.
    fn step_key(&self, unit: UnitIx) -> (StepIx, KeyIx) {
        if let Some((step, key, _)) = self.plan.planned_at(unit) {
            return (step, key);
        }
        let (node, _) = self.unit_at(unit).unwrap_or((NodeIx(0), 0));
        self.plan.node_at(node)
    }

    /// Site of a node of site scope.
    fn site_of(&self, node: NodeIx) -> Option<SiteIx> {
        let (step, key) = self.plan.node_at(node);
        (self.plan.step(step).scope == Scope::Site).then_some(SiteIx(key.0))
    }

    /// Nodes of a site's own steps, `finally` aside.
    fn nodes_of_site(&self, site: SiteIx) -> Vec<NodeIx> {
        let plan = &self.plan;
        let own = |&step: &StepIx| plan.step(step).scope == Scope::Site && !plan.step(step).finally;
        plan.steps().filter(own).map(|step| plan.node(step, KeyIx(site.0))).collect()
    }

    /// Whether the items of a node are known.
    fn has_items(&self, node: NodeIx) -> bool {
        let (step, _) = self.plan.node_at(node);
        !matches!(self.plan.step(step).for_each, ForEach::Later(_)) || self.grown_of.contains_key(&node)
    }
}
