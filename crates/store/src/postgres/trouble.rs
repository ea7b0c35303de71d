//! What PostgreSQL and the network report, as the port's named errors. No password is ever in them.

use std::sync::Arc;

use runtime::JournalError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::format::POSTGRES_FORMAT;

/// Why a piece of work ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// The work is refused; nothing else is wrong.
    Refused(JournalError),
    /// PostgreSQL or the network failed.
    Sql(sqlx::Error),
    /// No answer came in time.
    Silent,
    /// A server that takes no changes stands where one was that did, for longer than it is waited for.
    ReadsNow,
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    /// Whether the connection is gone, so that nobody knows what became of a change that was on its way.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Refused(_) | Self::ReadsNow => false,
            // Whoever says something fatal, the server or a pooler before it, says nothing more.
            Self::Sql(sqlx::Error::Database(error)) => {
                let said = error.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
                matches!(said, Some(PgSeverity::Fatal | PgSeverity::Panic))
                    || error.code().is_some_and(|code| code.starts_with("08") || code == "40003")
            }
            Self::Sql(error) => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)),
        }
    }

    /// Whether the server answered that it cannot or may not do this, and goes on.
    pub(super) fn is_said(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(_))) && !self.is_lost()
    }

    /// Whether the server may not be written to: it is a standby, or told to be like one.
    pub(super) fn only_reads(&self) -> bool {
        self.code().as_deref() == Some("25006")
    }

    /// Whether the server undid the whole transaction in favour of another one; it can be done again.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self.code().as_deref(), Some("40001" | "40P01"))
    }

    /// Whether it is what two say that make the same things at the same time.
    pub(super) fn is_race_of_makers(&self) -> bool {
        matches!(
            self.code().as_deref(),
            Some("23505" | "42P06" | "42P07" | "42710" | "42723" | "XX000" | "40001" | "40P01")
        )
    }

    /// Whether nobody listens yet, or the server begins or ends, or has no place for one more.
    pub(super) fn is_closed_door(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            other => matches!(other.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "53300" | "08006" | "08P01")),
        }
    }

    fn code(&self) -> Option<String> {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return None };
        error.code().map(|code| code.into_owned())
    }
}

/// What is wrong beyond a statement.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    Failure(Arc<Failure>),
    /// The last of several failures, of which one left open whether the change was made.
    Doubt(Arc<Failure>),
    Foreign(String),
    Newer(u32),
    /// There is no store, and this database cannot be written.
    Nothing,
}

/// Trouble with the store; can be told to every waiter of a batch.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// The store, without a password.
    place: Arc<str>,
    doing: &'static str,
    pub(super) cause: Cause,
}

impl Trouble {
    pub(super) fn new(place: &Arc<str>, doing: &'static str, failure: Failure) -> Self {
        Self::of(place, doing, Cause::Failure(Arc::new(failure)))
    }

    pub(super) fn of(place: &Arc<str>, doing: &'static str, cause: Cause) -> Self {
        Self { place: Arc::clone(place), doing, cause }
    }

    pub(super) fn into_error(self) -> JournalError {
        let (at, doing) = (self.place, self.doing);
        let failure = match self.cause {
            Cause::Newer(found) => return JournalError::NewerFormat { found, known: POSTGRES_FORMAT },
            Cause::Foreign(what) => return JournalError::Corrupt(format!("{at} is no store but {what}")),
            Cause::Nothing => return JournalError::ReadOnly(format!("{at}, where there is no store yet")),
            Cause::Doubt(failure) => {
                let last = Self::of(&at, doing, Cause::Failure(failure)).into_error();
                let context = format!(
                    "{doing} {at}: an answer got lost, and it is not known whether it was written; then: {last}"
                );
                return JournalError::Unavailable { context, source: None };
            }
            Cause::Failure(failure) => failure,
        };
        let unavailable = |context: String| JournalError::Unavailable { context, source: None };
        let said = match &*failure {
            Failure::Silent => return unavailable(format!("{doing} {at}: no answer in time")),
            Failure::ReadsNow => {
                let why = "it took changes before and takes none now: a standby that is not promoted yet, or told to only read";
                return unavailable(format!("{doing} {at}: {why}"));
            }
            Failure::Refused(refusal) => return unavailable(format!("{doing} {at}: {refusal}")),
            Failure::Sql(sqlx::Error::Database(error)) => error.message().to_owned(),
            Failure::Sql(
                error @ (sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::RowNotFound),
            ) => return JournalError::Corrupt(format!("{at}: {error}")),
            Failure::Sql(error) => error.to_string(),
        };
        match failure.code().as_deref() {
            // insufficient_privilege: its message names what is not allowed.
            Some("42501") if doing != "reading" => JournalError::ReadOnly(format!("{at} for this role: {said}")),
            Some("25006") => JournalError::ReadOnly(format!("{at}: {said}")),
            Some("53100") => JournalError::Full(format!("{at}: {said}")),
            Some("XX001" | "XX002" | "42P01" | "3F000" | "42703") => JournalError::Corrupt(format!("{at}: {said}")),
            _ => unavailable(format!("{doing} {at}: {said}")),
        }
    }
}
