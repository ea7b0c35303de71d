//! The alphabet of the journal: everything that ever changes a run.
//!
//! Variants are stored by position. New ones go to the end, none is removed or reordered; the samples under
//! `tests/upgrade` hold every released format to this.

use serde::{Deserialize, Serialize};

use crate::ids::{BatchIx, Millis, NodeIx, PoolIx, SiteIx, StepIx, UnitIx};

/// One event with the time at which it was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it was decided.
    pub at: Millis,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The run was opened by someone, under this plan hash.
    Opened {
        /// Who.
        actor: Box<str>,
        /// Hash of the plan, hexadecimal.
        plan: Box<str>,
    },
    /// A driver took the run over; every attempt that was in flight is in doubt from here on.
    Adopted {
        /// Lease epoch of the new driver.
        epoch: u64,
        /// Who drives.
        holder: Box<str>,
    },
    /// Time has come to the record's `at`: back-offs, rates and soaks that are due take effect.
    Clock,
    /// An attempt starts; durable before its connector is called.
    Started {
        /// The unit.
        unit: UnitIx,
        /// Number of the attempt, from 1; also the fencing token.
        attempt: u32,
        /// What is called.
        mode: Mode,
    },
    /// An attempt had its effect, or a probe found that an earlier one had.
    Succeeded {
        /// The unit.
        unit: UnitIx,
        /// Outputs as JSON text, kept if an expression reads them.
        outputs: Option<Box<str>>,
    },
    /// An attempt surely changed nothing.
    Refused {
        /// The unit.
        unit: UnitIx,
        /// Why.
        failure: Box<Failure>,
        /// What follows.
        then: Then,
    },
    /// Whether an attempt had its effect is not known.
    InDoubt {
        /// The unit.
        unit: UnitIx,
        /// Why.
        failure: Box<Failure>,
        /// What follows.
        then: Then,
    },
    /// A node's `if` that needed outputs was decided.
    Decided {
        /// The node.
        node: NodeIx,
        /// Whether it runs.
        runs: bool,
    },
    /// A node's `for_each` that needed outputs was decided.
    Expanded {
        /// The node.
        node: NodeIx,
        /// Its items, each as JSON text.
        items: Vec<Box<str>>,
    },
    /// A node's `if` or `for_each` could not be evaluated; the step's `on_failure` applies.
    Unevaluable {
        /// The node.
        node: NodeIx,
        /// Why.
        failure: Box<Failure>,
    },
    /// A batch opened: its sites may start.
    BatchOpened {
        /// The batch.
        batch: BatchIx,
    },
    /// Every site of a batch has ended and its batch steps are settled.
    BatchSettled {
        /// The batch.
        batch: BatchIx,
    },
    /// A batch has more quarantined sites than its budget allows.
    BudgetExceeded {
        /// The batch.
        batch: BatchIx,
    },
    /// All site steps of a site are settled, or a later group step changed how it ended.
    SiteEnded {
        /// The site.
        site: SiteIx,
        /// How.
        end: SiteEnd,
    },
    /// Nothing new starts until the run is continued.
    Paused {
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// A paused run goes on.
    Continued {
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// Nothing new starts and the run ends as cancelled once running units have finished.
    Cancelled {
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// The run ended.
    Ended {
        /// How.
        end: RunEnd,
    },
    /// An operator settled an in-doubt, parked or stuck unit, or took a verb on it.
    Ruled {
        /// The unit.
        unit: UnitIx,
        /// The ruling.
        ruling: Ruling,
        /// Who.
        actor: Box<str>,
        /// Why, or the evidence.
        reason: Box<str>,
    },
    /// A person approved a gate; it opens with the last approval that it needs.
    Approved {
        /// The gate.
        gate: Gate,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// A person rejected a gate.
    Rejected {
        /// The gate.
        gate: Gate,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// Nobody decided on a gate in time: its `on_timeout` applies, which never approves.
    Lapsed {
        /// The gate.
        gate: Gate,
    },
    /// What did not succeed is tried again; a run that had ended goes on.
    Retried {
        /// What.
        what: Again,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// An operator settled a node, or one item of it, by decree.
    Overruled {
        /// The node.
        node: NodeIx,
        /// The item; `None` for all that have not succeeded.
        item: Option<u32>,
        /// How.
        how: Decree,
        /// Who.
        actor: Box<str>,
        /// Why, or the evidence.
        reason: Box<str>,
    },
    /// An operator took a site out of the run.
    TakenOut {
        /// The site.
        site: SiteIx,
        /// How.
        how: TakeOut,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// A site that another run had begun comes into this one.
    SiteAdopted {
        /// The site.
        site: SiteIx,
        /// Name of the run that it comes from.
        from: Box<str>,
        /// Units that may have acted there, with the attempts made: each is asked for here before it is applied.
        units: Vec<(UnitIx, u32)>,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// An operator changed the size of a pool, of each of its instances.
    PoolSet {
        /// The pool.
        pool: PoolIx,
        /// Slots, at least 1.
        slots: u32,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// What this run may use of an instance of a shared pool changed.
    Granted {
        /// Number of the instance among all instances of the plan.
        instance: u32,
        /// Slots.
        slots: u32,
        /// Number of runs that share it, at least 1; rates are divided by it.
        sharers: u32,
    },
    /// The run is cancelled, and what it did is taken back.
    Unwinding {
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// Nothing but `finally` is left to do; the run will end like this unless one of those steps fails.
    Closing {
        /// How.
        end: RunEnd,
    },
    /// The plan was replaced for what has not started.
    Amended {
        /// The new plan, encoded.
        plan: Box<[u8]>,
        /// Who.
        actor: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// An attempt was never begun: whoever was to make it surely did not take it up, so it counts for nothing but its number.
    NotBegun {
        /// The unit.
        unit: UnitIx,
        /// What follows: another start of the same mode, or nothing if nothing more is to be done for the unit.
        then: Then,
    },
}

/// What waits for a person's approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gate {
    /// The whole run, before anything starts.
    Start,
    /// A batch.
    Batch(BatchIx),
    /// A unit of an approval step.
    Unit(UnitIx),
}

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Again {
    /// A unit that failed, was degraded or waits, with what was cancelled because of it on its own sites.
    Unit(UnitIx),
    /// Everything of a site that did not succeed.
    Site(SiteIx),
    /// The same, and everything of the site from a step on, even what succeeded.
    From(SiteIx, StepIx),
    /// Every site that is not back, was not taken out by a person and is not undone.
    Quarantined,
}

/// How an operator settles a node by decree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decree {
    /// It is not done: counts as done, shown as degraded. Of an undo: it is not taken back.
    Skip,
    /// It was done by hand. Of an undo: it was taken back by hand.
    Done {
        /// Its outputs as JSON text, for steps that read them.
        outputs: Option<Box<str>>,
    },
}

/// How an operator takes a site out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakeOut {
    /// Out, as if a step of it had failed.
    Quarantine,
    /// Out before anything of it has started.
    Exclude,
    /// Out, for another run to adopt.
    Release,
    /// Out, and what its steps did is taken back.
    Undo,
}

/// What an attempt calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The action.
    Apply,
    /// The action's probe: did an earlier attempt have its effect?
    Probe,
    /// The step's undo.
    Undo,
    /// The probe of the step's undo.
    ProbeUndo,
}

impl Mode {
    /// Whether it only asks.
    #[must_use]
    pub fn is_probe(self) -> bool {
        matches!(self, Self::Probe | Self::ProbeUndo)
    }

    /// Whether it takes back.
    #[must_use]
    pub fn is_undo(self) -> bool {
        matches!(self, Self::Undo | Self::ProbeUndo)
    }
}

/// What follows an attempt without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// The action is applied again from this time on.
    ApplyAt(Millis),
    /// The action is probed from this time on.
    ProbeAt(Millis),
    /// No further attempt: the step's `on_failure` applies.
    GiveUp,
    /// It waits for the operator.
    Park,
    /// No further attempt, because its site is out or the run is ending: cancelled, not failed.
    Drop,
}

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, for example `http.status` or `timeout`.
    pub code: Box<str>,
    /// The fact, without secrets.
    pub message: Box<str>,
    /// The operator's next move; empty if there is none.
    pub hint: Box<str>,
}

/// How a site ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SiteEnd {
    /// Every step of the site succeeded or was skipped.
    Returned,
    /// Back, but some step was degraded.
    Degraded,
    /// Out: a step failed.
    Quarantined,
    /// What its steps did was taken back.
    Undone,
    /// Taken out by an operator before it started.
    Excluded,
    /// Let go by an operator, for another run to adopt.
    Released,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunEnd {
    /// Every site returned and nothing failed.
    Succeeded,
    /// Ended by itself with sites or steps that did not succeed.
    SucceededWithExceptions,
    /// Aborted, or there were sites and none is back.
    Failed,
    /// An operator cancelled it.
    Cancelled,
}

/// An operator's ruling on a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ruling {
    /// It had its effect.
    Done,
    /// It had none; it is applied again.
    Again,
    /// It is given up; the step's `on_failure: quarantine` applies.
    GiveUp,
}

impl Event {
    /// Name of the kind of event, for logs and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Adopted { .. } => "adopted",
            Self::Clock => "clock",
            Self::Started { .. } => "started",
            Self::Succeeded { .. } => "succeeded",
            Self::Refused { .. } => "refused",
            Self::InDoubt { .. } => "in-doubt",
            Self::NotBegun { .. } => "not-begun",
            Self::Decided { .. } => "decided",
            Self::Expanded { .. } => "expanded",
            Self::Unevaluable { .. } => "unevaluable",
            Self::BatchOpened { .. } => "batch-opened",
            Self::BatchSettled { .. } => "batch-settled",
            Self::BudgetExceeded { .. } => "budget-exceeded",
            Self::SiteEnded { .. } => "site-ended",
            Self::Paused { .. } => "paused",
            Self::Continued { .. } => "continued",
            Self::Cancelled { .. } => "cancelled",
            Self::Ended { .. } => "ended",
            Self::Ruled { .. } => "ruled",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Lapsed { .. } => "lapsed",
            Self::Retried { .. } => "retried",
            Self::Overruled { .. } => "overruled",
            Self::TakenOut { .. } => "taken-out",
            Self::SiteAdopted { .. } => "site-adopted",
            Self::PoolSet { .. } => "pool-set",
            Self::Granted { .. } => "granted",
            Self::Unwinding { .. } => "unwinding",
            Self::Closing { .. } => "closing",
            Self::Amended { .. } => "amended",
        }
    }
}
