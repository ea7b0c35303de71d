//! Why a drill did not take place.

use std::borrow::Cow;

use runbook::{Diagnostic, DrillRefused};
use runtime::{ConductError, JournalError, RecoverError};

/// Why a drill did not take place, or could not be brought to its end here.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// It cannot be planned; the findings say why.
    #[error("{}", first(.0))]
    Refused(DrillRefused),
    /// The engine refuses what its texts say.
    #[error("{0}")]
    Plan(String),
    /// Its slot was claimed by another process.
    #[error("this slot of drill {0} was claimed by another process")]
    Claimed(String),
    /// Another process conducts it.
    #[error("drill {run} goes on: {holder} conducts it")]
    Elsewhere {
        /// Name of its run.
        run: String,
        /// Who.
        holder: String,
    },
    /// A run that it began has not ended, so that nothing can be said of it yet.
    #[error("run {0} of the drill has begun and could not be brought to its end")]
    Unended(String),
    /// Another process has said what came of it.
    #[error("drill {0} was judged by another process")]
    Judged(String),
    /// The store did not do its part.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A run of it could not be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The report does not fit what the journal holds.
    #[error("a run of the drill cannot be judged: {0}")]
    Unjudged(String),
}

impl DrillError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "drill-unplanned",
            Self::Plan(_) => "plan-refused",
            Self::Claimed(_) => "drill-claimed",
            Self::Elsewhere { .. } => "drill-held",
            Self::Unended(_) => "drill-unended",
            Self::Judged(_) => "drill-judged",
            Self::Journal(error) | Self::Recover(RecoverError::Journal(error)) => error.code(),
            Self::Recover(_) => "run.unreadable",
            Self::Unjudged(_) => "report-fold",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Refused(_) => "`reinstate drill run` shows every finding with its place".into(),
            Self::Plan(_) => "change the runbook so that the engine can execute it".into(),
            Self::Claimed(_) | Self::Judged(_) => "look at `reinstate drill list`".into(),
            Self::Elsewhere { .. } => "wait until it is over, or stop that process: the next call cleans up".into(),
            Self::Journal(error) | Self::Recover(RecoverError::Journal(error)) => error.hint(),
            Self::Unended(run) => format!(
                "it is tried again; `reinstate status {run}` shows what it waits for, `reinstate cancel {run}` calls it off"
            )
            .into(),
            Self::Recover(_) => "use the version that wrote the run, or restore the store's file from a copy".into(),
            Self::Unjudged(_) => "report this defect".into(),
        }
    }
}

fn first(refused: &DrillRefused) -> String {
    let found = refused.diagnostics.iter().find(|found| found.is_error());
    found.map_or_else(|| refused.to_string(), |found: &Diagnostic| format!("{refused}: {}", found.message))
}

/// An error of conducting a run's drill.
pub(super) fn of_conduct(run: &str, error: ConductError) -> DrillError {
    match error {
        ConductError::Journal(JournalError::Held { holder, .. }) => {
            DrillError::Elsewhere { run: run.to_owned(), holder }
        }
        ConductError::Journal(error) => error.into(),
        ConductError::Recover(error) => error.into(),
    }
}
