//! What the shell tells the engine.

use crate::event::{Failure, Mode, Ruling};
use crate::ids::UnitIx;

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
    /// An operator's verb.
    Command {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// What.
        command: Command,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start nothing new.
    Pause,
    /// Go on.
    Continue,
    /// Start nothing new and end once running units have finished.
    Cancel,
    /// Rule on a unit that waits for the operator.
    Rule {
        /// The unit.
        unit: UnitIx,
        /// The ruling.
        ruling: Ruling,
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
