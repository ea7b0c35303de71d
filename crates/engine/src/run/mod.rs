//! The run: the fold of a journal's events over a plan.

mod apply;
mod audit;
mod decide;
mod fits;
mod ready;
mod settle;
mod tables;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{Failure, RunEnd};
use crate::ids::{BatchIx, Millis, NodeIx, SiteIx, StepIx, UnitIx};
use crate::plan::{Plan, Scope};
use ready::Ready;
use tables::{BatchRow, NodeRow, SiteRow, UnitRow};

pub use tables::{Flight, NodeState, UnitState};
pub use view::{Pending, PoolUsage, Status, Tally, Wait};

/// One execution of a plan, in memory: nothing but the fold of its events.
///
/// `decide` is pure and may refuse; `apply` is the only mutation; live and recovered runs share every line. Fields
/// under "derived" are indexes kept by the same `apply`; [`Run::audit`] recomputes them.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
    opened_at: Option<Millis>,
    now: Millis,
    epoch: u64,
    halt: Option<Halt>,
    end: Option<RunEnd>,

    nodes: Vec<NodeRow>,
    units: Vec<UnitRow>,
    sites: Vec<SiteRow>,
    batches: Vec<BatchRow>,
    flights: BTreeMap<UnitIx, Flight>,
    outputs: BTreeMap<UnitIx, Box<str>>,
    failures: BTreeMap<UnitIx, Box<Failure>>,
    unevaluable: BTreeMap<NodeIx, Box<Failure>>,
    /// Units of later `for_each`, numbered from the plan's unit count on.
    grown: Vec<(NodeIx, Box<str>)>,
    grown_of: BTreeMap<NodeIx, (u32, u32)>,

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
    /// Batches settle in order, so this is also the batch that is open or opens next.
    settled_batches: usize,
    flawed_nodes: u32,
    ended_sites: Ended,
    /// Settled within the current `apply`, not yet counted for dependents; empty between events.
    settled: Vec<NodeIx>,
}

/// Why nothing new starts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Halt {
    Paused { actor: Box<str>, reason: Box<str> },
    Aborting,
    Cancelling,
}

/// Sites by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ended {
    returned: u32,
    degraded: u32,
    quarantined: u32,
    other: u32,
}

impl Run {
    /// Starts the fold: a run of which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut nodes = Vec::with_capacity(plan.node_count() as usize);
        let mut open_of_site = 0_u16;
        let mut batch_nodes = 0_u32;
        for step in plan.steps() {
            let scope = plan.step(step).scope;
            for key in 0..plan.key_count(scope) {
                let count = plan.initial_waits(step, crate::ids::KeyIx(key));
                nodes.push(NodeRow { state: NodeState::Waiting, marks: 0, count });
            }
            match scope {
                Scope::Site => open_of_site += 1,
                Scope::Batch => batch_nodes += 1,
                Scope::Run | Scope::Group(_) => {}
            }
        }
        let site = SiteRow { out_by: u32::MAX, open: open_of_site, degraded: false, cut_off: false, end: None };
        let batches = (0..plan.batch_count())
            .map(|batch| {
                let sites = plan.batch_sites(BatchIx::from(batch as usize));
                BatchRow { open_sites: sites.end - sites.start, open_nodes: batch_nodes, ..BatchRow::default() }
            })
            .collect();
        Self {
            opened_at: None,
            now: Millis::MIN,
            epoch: 0,
            halt: None,
            end: None,
            nodes,
            units: vec![UnitRow::NEW; plan.unit_count() as usize],
            sites: vec![site; plan.site_count() as usize],
            batches,
            flights: BTreeMap::new(),
            outputs: BTreeMap::new(),
            failures: BTreeMap::new(),
            unevaluable: BTreeMap::new(),
            grown: Vec::new(),
            grown_of: BTreeMap::new(),
            ready: Ready::new(&plan),
            backoff: BTreeSet::new(),
            due: BTreeMap::new(),
            undecided: BTreeSet::new(),
            to_close: BTreeSet::new(),
            over_budget: BTreeSet::new(),
            waiting_for_operator: BTreeSet::new(),
            to_probe: BTreeSet::new(),
            settled_nodes: 0,
            settled_batches: 0,
            flawed_nodes: 0,
            ended_sites: Ended::default(),
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
    fn step_key(&self, unit: UnitIx) -> (StepIx, crate::ids::KeyIx) {
        let (node, _) = self.unit_at(unit).unwrap_or((NodeIx(0), 0));
        self.plan.node_at(node)
    }
}
