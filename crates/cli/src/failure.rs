//! Why a command could not do its work, for people: code, fact, cause, hint.

use engine::GroupError;
use runtime::{DriveError, JournalError, RecoverError, WorkerError};
use server::DriveOnceError;
use server::certificate::CertificateError;
pub(crate) use server::chain;
use server::drills::{DrillError, UnreadableFile};
use server::verbs::VerbError;

use crate::exit::Exit;

/// A failure on its way to standard error.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), hint: hint.into() }
    }

    /// Bad arguments or files.
    pub(crate) fn input(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, code, message, hint)
    }

    /// A trouble of the machine or of ours, with its chain of causes.
    pub(crate) fn trouble(code: &'static str, error: &dyn std::error::Error, hint: impl Into<String>) -> Self {
        Self::new(Exit::Trouble, code, chain(error), hint)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let exit = match &error {
            JournalError::Held { .. } | JournalError::Fenced { .. } | JournalError::SiteHeld { .. } => Exit::Held,
            JournalError::NoSuchRun(_)
            | JournalError::Exists(_)
            | JournalError::Spent(_)
            | JournalError::Unsupported { .. } => Exit::BadInput,
            _ => Exit::Trouble,
        };
        Self::new(exit, error.code(), chain(&error), error.hint())
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Store(error) => error.into(),
        }
    }
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Journal(error) => error.into(),
            error @ RecoverError::Group { source: GroupError::Unchained, .. } => Self::trouble(
                "journal-unchained",
                &error,
                "keep the store's file as it is; `reinstate audit verify RUN` says what is whole of it",
            ),
            error => Self::trouble(
                "run.unreadable",
                &error,
                "use the version that wrote the run, or restore the store's file from a copy",
            ),
        }
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Journal(error) => error.into(),
            error @ DriveError::MissingAction(_) => Self::trouble(
                "action-missing",
                &error,
                "resume with the version that made the plan; nothing was changed",
            ),
            DriveError::Equip(why) => {
                Self::input("plan-expressions", why, "resume with the version that made the plan; nothing was changed")
            }
            error => Self::trouble("run.defect", &error, "this is a defect; the journal is intact: report it"),
        }
    }
}

impl From<DriveOnceError> for Failure {
    fn from(error: DriveOnceError) -> Self {
        match error {
            DriveOnceError::Recover(error) => error.into(),
            DriveOnceError::Journal(error) => error.into(),
            DriveOnceError::Announce(why) => Self::input(
                "announce",
                why,
                "put the estate's `announce` right, and plan again: a stored plan keeps its estate",
            ),
            DriveOnceError::Drive(error) => error.into(),
            error @ DriveOnceError::AtOnce => Self::new(
                Exit::Stopped,
                "stopped-at-once",
                error.to_string(),
                "`reinstate resume` goes on, and finds out what became of it",
            ),
        }
    }
}

impl From<VerbError> for Failure {
    fn from(error: VerbError) -> Self {
        match error {
            VerbError::Recover(error) => error.into(),
            VerbError::Journal(error) => error.into(),
            VerbError::Defect(ref misfit) => Self::trouble("run.defect", misfit, "report this defect"),
            error => Self::input(error.code(), chain(&error), error.hint()),
        }
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Journal(error) => error.into(),
            error => Self::input(error.code(), error.to_string(), error.hint()),
        }
    }
}

impl From<UnreadableFile> for Failure {
    fn from(error: UnreadableFile) -> Self {
        Self::input("file-unreadable", chain(&error), "check the path and its permissions")
    }
}

impl From<DrillError> for Failure {
    fn from(error: DrillError) -> Self {
        let exit = match error {
            DrillError::Journal(error) => return error.into(),
            DrillError::Recover(error) => return error.into(),
            DrillError::Claimed(_) | DrillError::Judged(_) | DrillError::Elsewhere { .. } => Exit::Held,
            DrillError::Refused(_) | DrillError::Plan(_) => Exit::BadInput,
            DrillError::Unjudged(_) | DrillError::Unended(_) => Exit::Trouble,
        };
        Self::new(exit, error.code(), error.to_string(), error.hint())
    }
}
