//! Who holds what others wait for: the slots of a pool, the places before one in the order, the needs that are open.
//!
//! People ask for it, one question at a time, so an answer may cost as much as what is ready or in flight; nothing is
//! kept for it.

use crate::event::Gate;
use crate::ids::{KeyIx, Millis, NodeIx, PoolIx, SiteIx, UnitIx};
use crate::run::Run;
use crate::run::approve::Request;
use crate::run::tables::{SiteUndo, UnitState};

/// An instance of a pool as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Slots in use by this run.
    pub used: u32,
    /// Slots that this run may use; `None` without a limit.
    pub slots: Option<u32>,
    /// How a shared instance is divided; `None` if it is this run's own.
    pub share: Option<PoolShare>,
    /// When its rate allows the next start; `None` if it does now, or if there is no rate.
    pub next_start: Option<Millis>,
}

/// How a shared instance of a pool is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShare {
    /// Slots over all runs; `None` without a limit.
    pub limit: Option<u32>,
    /// Runs that share it, this one among them.
    pub runs: u32,
}

impl Run {
    /// The gate as people need to see it, if it waits for them.
    #[must_use]
    pub fn request(&self, gate: Gate) -> Option<Request<'_>> {
        let ask = self.asks.get(&gate)?;
        let approval = self.approval(gate)?;
        let due = (ask.due != Millis::MAX).then_some(ask.due);
        Some(Request { gate, approval, since: ask.since, due, approved_by: &ask.by, checklist: self.checklist(gate) })
    }

    /// An instance of a pool as it stands; `None` outside the plan.
    #[must_use]
    pub fn pool_state(&self, pool: PoolIx, key: KeyIx) -> Option<PoolState> {
        let instance = self.instance(pool, key)?;
        let (used, slots) = self.ready.usage(instance);
        let (_, runs) = self.ready.granted(instance);
        let limit = self.pool_sizes.get(&pool).copied().or(self.plan.spec().pools.get(pool.ix())?.slots);
        let share = self.ready.is_shared(instance).then_some(PoolShare { limit, runs });
        let slots = (slots != u32::MAX).then_some(slots);
        Some(PoolState { used, slots, share, next_start: self.ready.next_start(instance) })
    }

    /// Number of ready units that each pool instance holds back, in the order of [`Run::pools`]; a unit that several are in
    /// the way of counts for the first. Costs time in proportion to the instances.
    #[must_use]
    pub fn held_back(&self) -> Vec<u32> {
        self.ready.held_back()
    }

    /// Units in flight that hold slots of an instance of a pool, in the order of their numbers.
    #[must_use]
    pub fn holders(&self, pool: PoolIx, key: KeyIx) -> Vec<UnitIx> {
        let Some(instance) = self.instance(pool, key) else { return Vec::new() };
        let holds = |unit: &UnitIx| {
            let (step, key) = self.step_key(*unit);
            self.plan.holds(step, key).iter().any(|&(at, _)| at == instance)
        };
        self.flights.units().into_iter().filter(holds).collect()
    }

    /// Number of ready units that need an instance of a pool and come before a ready unit in the order; `None` if the
    /// unit is not ready.
    #[must_use]
    pub fn ahead_of(&self, unit: UnitIx, pool: PoolIx, key: KeyIx) -> Option<usize> {
        let instance = self.instance(pool, key)?;
        if self.unit_state(unit) != Some(UnitState::Ready) {
            return None;
        }
        let (step, key) = self.step_key(unit);
        Some(self.ready.before(instance, (self.plan.priority(step, key), unit.0)))
    }

    /// The unit that starts next as things stand, if any may.
    #[must_use]
    pub fn next_unit(&self) -> Option<UnitIx> {
        self.ready.first()
    }

    /// Nodes that a node needs and that are not settled, at most `limit` of them.
    #[must_use]
    pub fn open_need_nodes(&self, node: NodeIx, limit: usize) -> Vec<NodeIx> {
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        let mut open = Vec::new();
        for need in &spec.needs {
            let keys = self.plan.keys.shared(spec.scope, key, self.plan.step(need.step).scope);
            let nodes = (0..keys.len()).map(|ix| self.plan.node(need.step, keys.get(ix)));
            let rest = limit.saturating_sub(open.len());
            open.extend(nodes.filter(|&needed| !self.node_state(needed).is_settled()).take(rest));
        }
        open
    }

    /// Whether a site was to be taken back and something of it stays.
    #[must_use]
    pub fn is_left(&self, site: SiteIx) -> bool {
        self.sites.get(site.ix()).is_some_and(|row| row.undo == SiteUndo::Left)
    }

    fn instance(&self, pool: PoolIx, key: KeyIx) -> Option<u32> {
        (0..self.plan.pool_instances()).find(|&instance| self.plan.pool_of(instance) == (pool, key))
    }
}
