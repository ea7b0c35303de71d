//! What can be read of a run: what is in flight, how far it is, and why something waits.

use std::sync::Arc;

use crate::evaluator::{Outputs, Target};
use crate::event::{Failure, Mode, RunEnd, SiteEnd, TakeOut};
use crate::ids::{BatchIx, KeyIx, Millis, NodeIx, PoolIx, SiteIx, StepIx, UnitIx};
use crate::plan::{ForEach, Plan, Scope};
use crate::run::tables::{Flight, NodeState, SiteUndo};
use crate::run::{Halt, Run, SharedPool};

/// An attempt that should be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The unit.
    pub unit: UnitIx,
    /// The attempt.
    pub flight: Flight,
}

/// Where a run stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing has happened yet.
    New,
    /// Units start as they become ready.
    Running,
    /// Nothing new starts until it is continued.
    Paused {
        /// Who or what paused it.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A step or budget aborted it; running units finish.
    Aborting,
    /// It is being cancelled; running units finish.
    Cancelling,
    /// It is being cancelled, and what was done is taken back.
    Unwinding,
    /// Only `finally` is left.
    Closing,
    /// It is over.
    Ended(RunEnd),
}

/// Sites of a run by state; the sum is always the number of sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Batch not open, nothing started.
    pub waiting: u32,
    /// Under way.
    pub restoring: u32,
    /// Ended as returned.
    pub returned: u32,
    /// Ended as degraded.
    pub degraded: u32,
    /// Ended as quarantined.
    pub quarantined: u32,
    /// Ended as undone.
    pub undone: u32,
    /// Ended as excluded.
    pub excluded: u32,
    /// Ended as released.
    pub released: u32,
}

/// Use of a pool instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// The pool.
    pub pool: PoolIx,
    /// The instance's key.
    pub key: KeyIx,
    /// Slots in use.
    pub used: u32,
    /// Slots in all; `u32::MAX` without a limit.
    pub slots: u32,
}

impl Run {
    /// The plan that the run follows.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Attempts that should be in flight, in the order of their units.
    pub fn pending(&self) -> impl Iterator<Item = Pending> + '_ {
        self.flights.sorted().into_iter().map(|(unit, flight)| Pending { unit, flight })
    }

    /// The attempt of a unit that should be in flight.
    #[must_use]
    pub fn flight(&self, unit: UnitIx) -> Option<Flight> {
        self.flights.get(unit)
    }

    /// Number of attempts in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Number of units that wait for slots only.
    #[must_use]
    pub fn ready_units(&self) -> u32 {
        self.ready.len()
    }

    /// Time at which `Advance` may have more to say without any other input; `None` if never.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        if self.end.is_some() {
            return None;
        }
        self.work_wake().into_iter().chain(self.lapse_due()).min()
    }

    /// Time at which something may go on by itself, without anybody.
    fn work_wake(&self) -> Option<Millis> {
        let next = BatchIx::from(self.settled_batches);
        let opens = self.halt.is_none() && self.batch_is_approved(next);
        let batch = if opens { self.opens_at() } else { None };
        self.clock_due().into_iter().chain(batch).min()
    }

    /// Where the run stands.
    #[must_use]
    pub fn status(&self) -> Status {
        if let Some(end) = self.end {
            return Status::Ended(end);
        }
        match (&self.halt, self.opened_at) {
            (_, None) => Status::New,
            (None | Some(Halt::Aborting | Halt::Cancelling | Halt::Unwinding), _) if self.closing.is_some() => {
                Status::Closing
            }
            (None, _) => Status::Running,
            (Some(Halt::Paused { actor, reason }), _) => {
                Status::Paused { actor: actor.to_string(), reason: reason.to_string() }
            }
            (Some(Halt::Aborting), _) => Status::Aborting,
            (Some(Halt::Cancelling), _) => Status::Cancelling,
            (Some(Halt::Unwinding), _) => Status::Unwinding,
        }
    }

    /// Whether nothing will happen until an operator acts.
    #[must_use]
    pub fn is_waiting_for_operator(&self) -> bool {
        self.end.is_none()
            && self.opened_at.is_some()
            && self.flights.is_empty()
            && (matches!(self.halt, Some(Halt::Paused { .. }))
                || (self.work_wake().is_none() && !(self.waiting_for_operator.is_empty() && self.asks.is_empty())))
    }

    /// Units that wait for a ruling.
    pub fn for_operator(&self) -> impl Iterator<Item = UnitIx> + '_ {
        self.waiting_for_operator.iter().copied()
    }

    /// Newest lease epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the run was opened.
    #[must_use]
    pub fn opened_at(&self) -> Option<Millis> {
        self.opened_at
    }

    /// Time of the newest event.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// State of a node.
    #[must_use]
    pub fn node_state(&self, node: NodeIx) -> NodeState {
        self.nodes[node.ix()].state
    }

    /// How a site ended so far.
    #[must_use]
    pub fn site_end(&self, site: SiteIx) -> Option<SiteEnd> {
        self.sites[site.ix()].end
    }

    /// Node whose failure put a site out.
    #[must_use]
    pub fn out_by(&self, site: SiteIx) -> Option<NodeIx> {
        let row = self.sites[site.ix()];
        row.is_failure().then_some(NodeIx(row.out_by))
    }

    /// How a person took a site out.
    #[must_use]
    pub fn taken_out(&self, site: SiteIx) -> Option<TakeOut> {
        self.sites[site.ix()].taken
    }

    /// Whether what a site's steps did is being taken back, or waits to be.
    #[must_use]
    pub fn is_undoing(&self, site: SiteIx) -> bool {
        matches!(self.sites[site.ix()].undo, SiteUndo::Wanted | SiteUndo::Running)
    }

    /// Whether a site was taken back, whole or in part.
    #[must_use]
    pub fn was_undone(&self, site: SiteIx) -> bool {
        matches!(self.sites[site.ix()].undo, SiteUndo::Clean | SiteUndo::Left)
    }

    /// Run from which a site was adopted.
    #[must_use]
    pub fn adopted_from(&self, site: SiteIx) -> Option<&str> {
        self.adopted.get(&site).map(AsRef::as_ref)
    }

    /// Run under whose name the keys of a unit stand, if it is not this one: that from which its site was adopted.
    #[must_use]
    pub fn key_run(&self, unit: UnitIx) -> Option<&str> {
        self.unit_at(unit).and_then(|(node, _)| self.site_of(node)).and_then(|site| self.adopted_from(site))
    }

    /// Who opened the run.
    #[must_use]
    pub fn opened_by(&self) -> &str {
        &self.opened_by
    }

    /// Shared pools with what this run uses and wants of each instance.
    #[must_use]
    pub fn shared_pools(&self) -> Vec<SharedPool> {
        if self.end.is_some() { Vec::new() } else { self.ready.shared(&self.plan, &self.pool_sizes) }
    }

    /// Slots that a grant of a shared instance stands for: a pool that only limits a rate has as many as it likes.
    #[must_use]
    pub fn usable(&self, instance: u32, slots: u32) -> u32 {
        let limited = (instance < self.plan.pool_instances())
            .then(|| self.plan.pool_of(instance).0)
            .and_then(|pool| self.plan.spec().pools[pool.ix()].slots);
        if limited.is_none() && slots > 0 { u32::MAX } else { slots }
    }

    /// When a batch opened and when it was settled.
    #[must_use]
    pub fn batch_times(&self, batch: BatchIx) -> (Option<Millis>, Option<Millis>) {
        let row = &self.batches[batch.ix()];
        (row.opened_at, row.settled_at)
    }

    /// Sites of a batch that are out.
    #[must_use]
    pub fn batch_failures(&self, batch: BatchIx) -> u32 {
        self.batches[batch.ix()].failures
    }

    /// Sites by state.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let ended = self.ended_sites;
        let unopened: u32 =
            self.batches.iter().filter(|batch| batch.opened_at.is_none()).map(|batch| batch.open_sites).sum();
        let opened: u32 =
            self.batches.iter().filter(|batch| batch.opened_at.is_some()).map(|batch| batch.open_sites).sum();
        Tally {
            waiting: unopened,
            restoring: opened,
            returned: ended.returned,
            degraded: ended.degraded,
            quarantined: ended.quarantined,
            undone: ended.undone,
            excluded: ended.excluded,
            released: ended.released,
        }
    }

    /// Attempts started of a unit, probes among them.
    #[must_use]
    pub fn attempts(&self, unit: UnitIx) -> u32 {
        self.units.get(unit.ix()).map_or(0, |row| row.attempts)
    }

    /// Whether it is not known if a unit's effect is there.
    #[must_use]
    pub fn in_doubt(&self, unit: UnitIx) -> bool {
        self.units.get(unit.ix()).is_some_and(|row| row.in_doubt())
    }

    /// Whether a unit's effect may be there: it succeeded, or some attempt was not surely refused.
    #[must_use]
    pub fn may_have_acted(&self, unit: UnitIx) -> bool {
        self.units.get(unit.ix()).is_some_and(|row| row.may_have_acted())
    }

    /// Last failure of a unit that has not succeeded.
    #[must_use]
    pub fn failure(&self, unit: UnitIx) -> Option<&Failure> {
        self.failures.get(&unit).map(AsRef::as_ref)
    }

    /// Why the condition or the items of a node could not be evaluated.
    #[must_use]
    pub fn unevaluable(&self, node: NodeIx) -> Option<&Failure> {
        self.unevaluable.get(&node).map(AsRef::as_ref)
    }

    /// What an evaluator must know to resolve a unit's `with`.
    #[must_use]
    pub fn target(&self, unit: UnitIx) -> Option<Target<'_>> {
        let (node, _) = self.unit_at(unit)?;
        let (step, key) = self.plan.node_at(node);
        let item = match unit.0.checked_sub(self.plan.unit_count()) {
            None => self.plan.planned_item(unit),
            Some(grown) => self.grown.get(grown as usize).map(|(_, item)| item.as_ref()),
        };
        Some(Target { step, key, unit, item, undo: false })
    }

    /// Use of every pool instance, in the plan's order.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolUsage> {
        (0..self.plan.pool_instances())
            .map(|instance| {
                let (pool, key) = self.plan.pool_of(instance);
                let (used, slots) = self.ready.usage(instance);
                PoolUsage { pool, key, used, slots }
            })
            .collect()
    }

    /// Attempts of a unit that counted as failures since it was last begun.
    #[must_use]
    pub fn failed_attempts(&self, unit: UnitIx) -> u16 {
        self.units.get(unit.ix()).map_or(0, |row| row.failures)
    }

    /// Stable idempotency key of a unit within its run: step, key and number of the item, each escaped so that no two
    /// units share one. A unit whose effect was taken back, or that an operator has begun anew, gets a new one.
    #[must_use]
    pub fn unit_key(&self, unit: UnitIx) -> String {
        let Some((node, item)) = self.unit_at(unit) else { return String::new() };
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        let key = escaped(&self.plan.key_name(spec.scope, key));
        let again = match self.lives.get(&unit) {
            None => String::new(),
            Some(life) => format!("/again-{life}"),
        };
        match spec.for_each {
            ForEach::Once => format!("{}/{key}{again}", escaped(&spec.name)),
            ForEach::Planned { .. } | ForEach::Later(_) => format!("{}/{key}/{item}{again}", escaped(&spec.name)),
        }
    }

    /// Name of a unit for people: step, key and item.
    #[must_use]
    pub fn unit_name(&self, unit: UnitIx) -> String {
        let Some((node, item)) = self.unit_at(unit) else { return String::new() };
        let (step, key) = self.plan.node_at(node);
        let spec = self.plan.step(step);
        let key = self.plan.key_name(spec.scope, key);
        match self.target(unit).and_then(|target| target.item) {
            Some(text) => {
                let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| item.to_string());
                format!("{}/{key}/{text}", spec.name)
            }
            None => format!("{}/{key}", spec.name),
        }
    }

    /// Mode of the next attempt of a unit.
    #[must_use]
    pub fn next_mode(&self, unit: UnitIx) -> Mode {
        self.units.get(unit.ix()).map_or(Mode::Apply, |row| row.next_mode())
    }

    /// Sites that a unit covers, at most `limit` of them.
    #[must_use]
    pub fn covers(&self, unit: UnitIx, limit: usize) -> Vec<SiteIx> {
        let (step, key) = self.step_key(unit);
        let scope: Scope = self.plan.step(step).scope;
        self.plan.sites_of(scope, key).take(limit).collect()
    }
}

/// Escapes what separates the parts of a key.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

impl Outputs for Run {
    fn of(&self, step: StepIx, key: KeyIx) -> Vec<Option<&str>> {
        let node = self.plan.node(step, key);
        if !matches!(self.nodes[node.ix()].state, NodeState::Succeeded | NodeState::Degraded | NodeState::Undoing) {
            return Vec::new();
        }
        self.units_of(node).map(|unit| self.outputs.get(&UnitIx(unit)).map(AsRef::as_ref)).collect()
    }
}
