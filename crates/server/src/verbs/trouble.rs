//! Why a verb was not taken.

use std::borrow::Cow;

use engine::{Millis, Misfit, Rejection};
use runtime::{JournalError, RecoverError};

/// A name that is nothing of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fact}")]
pub struct NoSubject {
    code: &'static str,
    fact: String,
    hint: String,
}

impl NoSubject {
    pub(super) fn site(fact: String, hint: String) -> Self {
        Self { code: "site-unknown", fact, hint }
    }

    pub(super) fn step(fact: String, hint: String) -> Self {
        Self { code: "step-unknown", fact, hint }
    }

    pub(super) fn pool(fact: String, hint: String) -> Self {
        Self { code: "pool-unknown", fact, hint }
    }

    pub(super) fn unit(fact: String, hint: impl Into<String>) -> Self {
        Self { code: "unit-unknown", fact, hint: hint.into() }
    }

    pub(super) fn gate(fact: String, hint: String) -> Self {
        Self { code: "gate-unknown", fact, hint }
    }
}

/// Why a verb was not taken; unless it says otherwise, nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// It names something that the run does not have.
    #[error(transparent)]
    Subject(#[from] NoSubject),
    /// The run refuses it as it stands.
    #[error("{0}")]
    Refused(String),
    /// A person must say why.
    #[error("a verb needs a reason of 1 to {REASON_MAX} characters")]
    NoReason,
    /// Outputs that are no JSON object.
    #[error("the outputs are no JSON object")]
    Outputs,
    /// Something of the checklist is not confirmed.
    #[error("not confirmed yet for {gate}: {}", .open.join("; "))]
    Unchecked {
        /// What waits.
        gate: String,
        /// What is open of its checklist, in its order.
        open: Vec<String>,
    },
    /// What was confirmed is not on the checklist.
    #[error("{text} is not on the checklist of {gate}")]
    NotOnChecklist {
        /// What waits.
        gate: String,
        /// What was confirmed.
        text: String,
    },
    /// Another person has it in hand.
    #[error("{who} has {gate} in hand until {}", report::stamp(*.until))]
    Claimed {
        /// What waits.
        gate: String,
        /// Who.
        who: String,
        /// Until when.
        until: Millis,
    },
    /// The site was not let go.
    #[error("run {run} has not released site {site}")]
    NotReleased {
        /// The run.
        run: String,
        /// The site.
        site: String,
    },
    /// The run goes by another plan than the one with which a new one was compared.
    #[error("the run goes by plan {now}, and the difference that was looked at is from plan {from}")]
    PlanOther {
        /// Hash of the plan that the difference is from.
        from: String,
        /// Hash of the run's plan.
        now: String,
    },
    /// Whoever drives the run did not take the verb in time.
    #[error("the process that drives the run did not take the verb; it was withdrawn, and nothing has changed")]
    DriverSilent,
    /// Whoever drove the run ended with the verb in hand.
    #[error("the process that drove the run ended while it had the verb; it may have been recorded or not")]
    Lost,
    /// The stored plan's expressions cannot be compiled here.
    #[error("an expression of the stored plan cannot be compiled: {0}")]
    Expressions(String),
    /// The run cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The store is in trouble.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The engine refused its own event.
    #[error("failed to apply")]
    Defect(#[from] Misfit),
}

/// Longest reason in characters; it stands in the journal for ever.
pub const REASON_MAX: usize = 2_000;

impl VerbError {
    /// What the run says of a checklist.
    pub(super) fn checks(gate: &str, why: Rejection) -> Self {
        match why {
            Rejection::Unchecked(open) => Self::Unchecked { gate: gate.to_owned(), open },
            Rejection::NotOnChecklist(text) => Self::NotOnChecklist { gate: gate.to_owned(), text },
            other => Self::Refused(other.to_string()),
        }
    }

    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Subject(subject) => subject.code,
            Self::Refused(_) => "verb-refused",
            Self::NoReason => "reason-missing",
            Self::Outputs => "outputs-form",
            Self::Unchecked { .. } => "checklist-open",
            Self::NotOnChecklist { .. } => "checklist-other",
            Self::Claimed { .. } => "claimed",
            Self::NotReleased { .. } => "site-not-released",
            Self::PlanOther { .. } => "run-plan-changed",
            Self::DriverSilent => "driver-silent",
            Self::Lost => "verb-unknown",
            Self::Expressions(_) => "plan-expressions",
            Self::Recover(RecoverError::Journal(error)) | Self::Journal(error) => error.code(),
            Self::Recover(_) => "run.unreadable",
            Self::Defect(_) => "run.defect",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Subject(subject) => return Cow::Owned(subject.hint.clone()),
            Self::Refused(_) => "look at `reinstate status` and `reinstate why`; nothing has changed",
            Self::NoReason => "say why: it stands in the journal with your name",
            Self::Outputs => "write an object, such as {\"path\": \"/backup/7\"}",
            Self::Unchecked { .. } => {
                "look at each, and confirm each: `checked` of the API, the boxes of the page, or `approve --checked`"
            }
            Self::NotOnChecklist { .. } => "read the list again and confirm what is on it, to the letter",
            Self::Claimed { .. } => {
                "ask them, or take it over with a reason: on its page, or by `claims/take` of the API"
            }
            Self::NotReleased { run, site } => {
                return Cow::Owned(format!("`reinstate release {run} {site} --reason ...` lets it go"));
            }
            Self::PlanOther { .. } => "look at the difference again, and amend from the plan that it names",
            Self::DriverSilent => "look at that process; `reinstate status` names it",
            Self::Lost => "look at `reinstate logs`, and take the verb again if it is not there",
            Self::Expressions(_) => "go on with the version that made the plan",
            Self::Recover(RecoverError::Journal(error)) | Self::Journal(error) => return error.hint(),
            Self::Recover(_) => "use the version that wrote the run, or restore the store's file from a copy",
            Self::Defect(_) => "this is a defect; the journal is intact: report it",
        })
    }
}
