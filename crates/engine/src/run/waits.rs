//! Why something does not go on, and what a node still waits for.

use crate::event::Gate;
use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, PoolIx, StepIx, UnitIx};
use crate::run::Run;
use crate::run::tables::{DECREED, LATE, NodeState, UnitState};

/// Why a node or unit does not go on by itself right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Its batch is not open.
    Batch(BatchIx),
    /// Needs that are not settled: step, and how many of its nodes.
    Needs(Vec<(StepIx, u32)>),
    /// The first pool without room, with the instance's key, slots used and slots in all.
    Pool {
        /// The pool.
        pool: PoolIx,
        /// The key of the instance.
        key: KeyIx,
        /// Slots in use.
        used: u32,
        /// Slots in all.
        slots: u32,
    },
    /// The time of its next attempt.
    Until(Millis),
    /// A ruling of an operator.
    Operator,
    /// People who must approve.
    Approval(Gate),
    /// The taking back of steps that come after it.
    LaterUndo,
    /// The end of everything else, after which `finally` runs.
    Finally,
    /// The run is paused or ending.
    Halted,
    /// Units before it in the order.
    Turn,
}

impl Run {
    /// Why a node that is not settled does not go on; `None` if it is settled or something of it is in flight.
    #[must_use]
    pub fn why(&self, node: NodeIx) -> Option<Wait> {
        let (step, key) = self.plan.node_at(node);
        let row = self.nodes[node.ix()];
        match row.state {
            NodeState::Waiting => {
                let needs = self.open_needs(step, key);
                Some(if !needs.is_empty() {
                    Wait::Needs(needs)
                } else if !self.begun {
                    Wait::Approval(Gate::Start)
                } else if self.plan.step(step).finally {
                    Wait::Finally
                } else {
                    let batch = self.plan.gate_of(self.plan.step(step).scope, key);
                    let asked = self.asks.contains_key(&Gate::Batch(batch));
                    if asked { Wait::Approval(Gate::Batch(batch)) } else { Wait::Batch(batch) }
                })
            }
            NodeState::Undecided => Some(if self.starts_nothing() { Wait::Halted } else { Wait::Turn }),
            NodeState::Active | NodeState::Undoing => {
                self.units_of(node).find_map(|unit| self.why_unit(UnitIx(unit), step, key))
            }
            NodeState::Succeeded
            | NodeState::Skipped
            | NodeState::Degraded
            | NodeState::Failed
            | NodeState::Cancelled
            | NodeState::Undone => None,
        }
    }

    fn why_unit(&self, unit: UnitIx, step: StepIx, key: KeyIx) -> Option<Wait> {
        let row = self.units[unit.ix()];
        match row.state {
            UnitState::Parked | UnitState::Stuck => Some(Wait::Operator),
            UnitState::Asked => Some(Wait::Approval(Gate::Unit(unit))),
            UnitState::Backoff => self.due.get(&unit).copied().map(Wait::Until),
            UnitState::Waiting if row.is_undoing() => Some(Wait::LaterUndo),
            UnitState::Ready if self.starts_nothing() && !self.to_probe.contains(&unit) => Some(Wait::Halted),
            UnitState::Ready => Some(match self.ready.held_by(&self.plan, step, key) {
                Some(instance) => {
                    let (pool, key) = self.plan.pool_of(instance);
                    let (used, slots) = self.ready.usage(instance);
                    Wait::Pool { pool, key, used, slots }
                }
                None => Wait::Turn,
            }),
            UnitState::Waiting
            | UnitState::Running
            | UnitState::Succeeded
            | UnitState::Degraded
            | UnitState::Failed
            | UnitState::Cancelled
            | UnitState::Undone => None,
        }
    }

    fn open_needs(&self, step: StepIx, key: KeyIx) -> Vec<(StepIx, u32)> {
        let spec = self.plan.step(step);
        spec.needs
            .iter()
            .filter_map(|need| {
                let keys = self.plan.keys.shared(spec.scope, key, self.plan.step(need.step).scope);
                let open = (0..keys.len())
                    .filter(|&ix| !self.node_state(self.plan.node(need.step, keys.get(ix))).is_settled())
                    .count();
                (open > 0).then(|| (need.step, u32::try_from(open).unwrap_or(u32::MAX)))
            })
            .collect()
    }

    /// Needs of a node that are not settled, its gate among them.
    pub(super) fn waits_now(&self, node: NodeIx) -> u32 {
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        let shut = if spec.finally {
            self.closing.is_none()
        } else {
            let batch = self.plan.gate_of(spec.scope, key);
            self.batches.get(batch.ix()).is_some_and(|batch| batch.opened_at.is_none())
        };
        let mut waits = u32::from(self.plan.gated[step.ix()] && shut);
        for need in &spec.needs {
            let keys = self.plan.keys.shared(spec.scope, key, self.plan.step(need.step).scope);
            for ix in 0..keys.len() {
                waits += u32::from(!self.node_state(self.plan.node(need.step, keys.get(ix))).is_settled());
            }
        }
        waits
    }

    /// Whether nothing new may start as the run stands, probes and undos of an ending run aside.
    pub(super) fn starts_nothing(&self) -> bool {
        use crate::run::Halt;
        match self.halt {
            None => false,
            Some(Halt::Paused { .. }) => true,
            Some(Halt::Aborting | Halt::Cancelling) => self.closing.is_none(),
            Some(Halt::Unwinding) => self.unwind.is_none(),
        }
    }

    /// Whether a node is skipped because an amendment that would have it run came too late for it.
    #[must_use]
    pub fn came_too_late(&self, node: NodeIx) -> bool {
        self.nodes.get(node.ix()).is_some_and(|row| row.marks & LATE != 0)
    }

    /// Whether an operator settled a node.
    #[must_use]
    pub fn is_decreed(&self, node: NodeIx) -> bool {
        self.nodes.get(node.ix()).is_some_and(|row| row.marks & DECREED != 0)
    }
}
