//! Exit codes: part of the interface, never renumbered.

use std::process::ExitCode;

use engine::RunEnd;
use runtime::DriveEnd;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done: succeeded, or clean.
    Done,
    /// Could not do it.
    Trouble,
    /// Bad input.
    BadInput,
    /// The run ended with exceptions.
    Exceptions,
    /// The run failed, was aborted or cancelled.
    Failed,
    /// The run waits for an operator.
    Waits,
    /// Stopped by a signal.
    Stopped,
    /// Somebody else drives the run.
    Held,
    /// Differences were found.
    Differs,
    /// A drill was not good, or no good one has passed lately.
    NotGood,
    /// Something is slower than it was.
    Slower,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Trouble => 1,
            Self::BadInput => 2,
            Self::Exceptions => 3,
            Self::Failed => 4,
            Self::Waits => 5,
            Self::Stopped => 6,
            Self::Held => 7,
            Self::Differs => 8,
            Self::NotGood => 9,
            Self::Slower => 10,
        }
    }

    /// The exit of a command that drove a run.
    pub(crate) fn of_drive(end: DriveEnd) -> Self {
        match end {
            DriveEnd::Ended(end) => Self::of_run(end),
            DriveEnd::WaitsForOperator => Self::Waits,
            DriveEnd::Stopped => Self::Stopped,
        }
    }

    /// The exit for a run that ended.
    pub(crate) fn of_run(end: RunEnd) -> Self {
        match end {
            RunEnd::Succeeded => Self::Done,
            RunEnd::SucceededWithExceptions => Self::Exceptions,
            RunEnd::Failed | RunEnd::Cancelled => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
