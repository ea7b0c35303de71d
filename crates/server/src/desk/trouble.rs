//! Why something at the desk was not done.

use crate::api::Problem;
use crate::live::LiveError;
use crate::verbs::{NoSubject, VerbError};

/// Why something at the desk was not done; no claim has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// Everything is decided or in somebody's hands, or not this person's to decide.
    #[error("nothing is free for {0} just now")]
    NothingFree(String),
    /// It has expired, or somebody has taken it over.
    #[error("{gate} is not in your hands")]
    NotYours { gate: String },
    /// It is nobody's, or somebody else's than was said.
    #[error("{gate} is not in the hands of {who}")]
    NotTheirs { gate: String, who: String },
    /// The next person could not decide on it.
    #[error("{who} cannot decide on {gate}: {why}")]
    Person { gate: String, who: String, why: String },
    /// As for a verb: no such thing, in another's hands, not this person's to decide, the store's trouble.
    #[error(transparent)]
    Verb(#[from] VerbError),
    /// The run cannot be looked at.
    #[error(transparent)]
    Live(#[from] LiveError),
}

impl From<NoSubject> for DeskError {
    fn from(error: NoSubject) -> Self {
        Self::Verb(error.into())
    }
}

impl From<runtime::JournalError> for DeskError {
    fn from(error: runtime::JournalError) -> Self {
        Self::Verb(error.into())
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        let fact = error.to_string();
        match error {
            DeskError::NothingFree(_) => {
                Self::missing("claims-none", fact, "look again in a while; the desk of the run says who has what")
            }
            DeskError::NotYours { .. } => Self::conflict("claim-lost", fact, "take it again if it is free"),
            DeskError::NotTheirs { .. } => {
                Self::conflict("claim-other", fact, "look whose it is now, and take it from them or as a free one")
            }
            DeskError::Person { .. } => {
                Self::conflict("claim-person", fact, "name one of the approvers, as the estate lists them")
            }
            DeskError::Verb(error) => error.into(),
            DeskError::Live(error) => error.into(),
        }
    }
}
