//! The alphabet of the journal: everything that ever changes a run.
//!
//! Variants are stored by position. New ones go to the end, none is removed or reordered; the samples under
//! `tests/upgrade` hold every released format to this.

use serde::{Deserialize, Serialize};

use crate::ids::{BatchIx, Millis, NodeIx, SiteIx, UnitIx};

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
}

/// What an attempt calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The action.
    Apply,
    /// The action's probe: did an earlier attempt have its effect?
    Probe,
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
        }
    }
}
