//! What the shell tells the engine.

use serde::{Deserialize, Serialize};

use crate::event::{Again, Decree, Failure, Gate, Mode, Ruling, TakeOut};
use crate::ids::{NodeIx, PoolIx, SiteIx, UnitIx};

/// Something that happened outside, or the wish to go on.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The first input of a run.
    Open {
        /// Who opens it.
        actor: String,
    },
    /// A driver holds the lease and takes the run up.
    Adopt {
        /// Its lease epoch.
        epoch: u64,
        /// Its name.
        holder: String,
    },
    /// Whatever can be decided now: ends, batches, conditions, and at most one start.
    Advance,
    /// An attempt came to an end.
    Report {
        /// The unit.
        unit: UnitIx,
        /// The attempt's number.
        attempt: u32,
        /// What was called.
        mode: Mode,
        /// Its outcome.
        outcome: Outcome,
    },
    /// Surely nobody began an attempt that was started, and nobody will: it is no failure, and none of the attempts that the
    /// step allows.
    NotBegun {
        /// The unit.
        unit: UnitIx,
        /// The attempt's number.
        attempt: u32,
        /// What was to be called.
        mode: Mode,
    },
    /// An operator's verb.
    Command {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// What.
        command: Command,
    },
    /// What this run may use of an instance of a shared pool.
    Grant {
        /// Number of the instance, as `Run::shared_pools` gives it.
        instance: u32,
        /// Slots.
        slots: u32,
        /// Number of runs that share it.
        sharers: u32,
    },
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The effect is there; outputs as JSON text.
    Done {
        /// Outputs; `None` if the action has none.
        outputs: Option<Box<str>>,
    },
    /// Surely nothing changed. For a probe: surely the effect is not there.
    Refused {
        /// Why.
        failure: Failure,
        /// Whether another attempt may help.
        retry: Advice,
    },
    /// Not known. For a probe: it could not tell.
    Unknown {
        /// Why.
        failure: Failure,
    },
}

/// Whether another attempt may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The step's retry policy decides.
    Retry,
    /// The same, but not sooner than after this many milliseconds (`Retry-After`).
    RetryAfter(u64),
    /// No: it would be refused again.
    Never,
}

/// An operator's verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Start nothing new.
    Pause,
    /// Go on.
    Continue,
    /// Start nothing new and end once running units have finished.
    Cancel {
        /// Whether what was done is taken back.
        undo: bool,
    },
    /// Rule on a unit that waits for the operator or is in doubt.
    Rule {
        /// The unit.
        unit: UnitIx,
        /// The ruling.
        ruling: Ruling,
    },
    /// Approve a gate.
    Approve {
        /// The gate.
        gate: Gate,
        /// What was confirmed of its checklist.
        #[serde(default)]
        checked: Vec<String>,
    },
    /// Reject a gate.
    Reject {
        /// The gate.
        gate: Gate,
    },
    /// Try again.
    Retry {
        /// What.
        what: Again,
    },
    /// Settle a node by decree.
    Overrule {
        /// The node.
        node: NodeIx,
        /// The item; `None` for all that have not succeeded.
        item: Option<u32>,
        /// How.
        how: Decree,
    },
    /// Take a site out.
    TakeOut {
        /// The site.
        site: SiteIx,
        /// How.
        how: TakeOut,
    },
    /// Bring a site in that another run had begun.
    Adopt {
        /// The site.
        site: SiteIx,
        /// The run that it comes from.
        from: String,
        /// Units that may have acted there, with the attempts made.
        units: Vec<(UnitIx, u32)>,
    },
    /// Change the size of a pool.
    SetPool {
        /// The pool.
        pool: PoolIx,
        /// Slots, at least 1.
        slots: u32,
    },
    /// Replace the plan for what has not started.
    Amend {
        /// The new plan, encoded.
        #[serde(with = "crate::hexed")]
        plan: Box<[u8]>,
    },
}

/// Why the engine refused an input; the run is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The input belongs to a run that is open.
    #[error("the run is not open yet")]
    NotOpen,
    /// `Open` came twice.
    #[error("the run is open already")]
    AlreadyOpen,
    /// The run has ended.
    #[error("the run has ended")]
    Ended,
    /// The report is of an attempt that is not in flight.
    #[error("attempt {attempt} of unit {unit} is not in flight")]
    Stale {
        /// The unit.
        unit: u32,
        /// The attempt.
        attempt: u32,
    },
    /// The lease epoch is not newer than the last.
    #[error("lease epoch {epoch} is not newer than {current}")]
    OldEpoch {
        /// Offered.
        epoch: u64,
        /// Current.
        current: u64,
    },
    /// The verb does not apply now.
    #[error("{0}")]
    NotNow(&'static str),
    /// The input names something outside the plan.
    #[error("unit {0} is not in the plan")]
    NoSuchUnit(u32),
    /// The input names something outside the plan.
    #[error("{0} is not in the plan")]
    NotInPlan(&'static str),
    /// Who asked for the run may not approve it.
    #[error("{0} asked for this run, so somebody else must approve it")]
    OwnRun(String),
    /// The actor belongs to no group that may decide.
    #[error("{actor} is in none of the groups that may decide here: {}", .groups.join(", "))]
    NotApprover {
        /// Who.
        actor: String,
        /// The groups.
        groups: Vec<String>,
    },
    /// The actor has approved before.
    #[error("{0} has approved this already; another approver is needed")]
    ApprovedBefore(String),
    /// Something of the checklist is not confirmed.
    #[error("not confirmed yet: {}", .0.join("; "))]
    Unchecked(Vec<String>),
    /// What was confirmed is not on the checklist: it was read off another one.
    #[error("this is not on the checklist: {0}")]
    NotOnChecklist(String),
    /// The new plan does not fit what has happened.
    #[error("the run cannot be amended: {0}")]
    NotAmendable(String),
}

/// A record that does not fit the run: the journal is not this plan's, or was written by a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} does not fit the run: {why}")]
pub struct Misfit {
    /// Name of the event.
    pub event: &'static str,
    /// What does not fit.
    pub why: String,
}
