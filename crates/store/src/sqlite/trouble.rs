//! What SQLite reports, as the port's named errors.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::JournalError;

use super::{format, lockers};

/// Why a piece of work inside of a transaction ended early.
pub(super) enum Failure {
    /// The work is refused, the transaction is fine.
    Refused(JournalError),
    /// SQLite failed, the transaction is lost.
    Sql(sqlx::Error),
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

/// Trouble with the file; can be told to every waiter of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    path: PathBuf,
    doing: &'static str,
    cause: Cause,
}

#[derive(Clone, Debug)]
pub(super) enum Cause {
    Sql(Arc<sqlx::Error>),
    Foreign(String),
    Newer(u32),
    Moved,
    NotDurable(String),
}

impl Trouble {
    pub(crate) fn new(path: &Path, doing: &'static str, error: sqlx::Error) -> Self {
        Self::of(path, doing, Cause::Sql(Arc::new(error)))
    }

    pub(super) fn of(path: &Path, doing: &'static str, cause: Cause) -> Self {
        Self { path: path.to_owned(), doing, cause }
    }

    /// Returns whether another process holds a lock.
    pub(super) fn is_busy(&self) -> bool {
        matches!(&self.cause, Cause::Sql(error) if matches!(primary(error), Some(BUSY | LOCKED)))
    }

    /// Returns whether SQLite could not open a file as it wanted, as on read-only media.
    pub(super) fn is_shut(&self) -> bool {
        matches!(&self.cause, Cause::Sql(error) if matches!(primary(error), Some(CANT_OPEN | READ_ONLY)))
    }

    /// Turns the trouble into the port's words; looks at the folder where SQLite's code is ambiguous.
    pub(crate) fn into_error(self) -> JournalError {
        let at = self.path.display().to_string();
        let error = match self.cause {
            Cause::Newer(found) => return JournalError::NewerFormat { found, known: format::FORMAT },
            Cause::Foreign(what) => return JournalError::Corrupt(format!("{at} is no journal but {what}")),
            Cause::Moved => {
                let context = format!("{at} was moved, removed or replaced while it was open");
                return JournalError::Unavailable { context, source: None };
            }
            Cause::NotDurable(what) => {
                let context = format!("{at} cannot be made durable there: {what}");
                return JournalError::Unavailable { context, source: None };
            }
            Cause::Sql(error) => error,
        };
        let context = match (primary(&error), extended(&error)) {
            _ if self.path.is_dir() => format!("{at} is a folder"),
            (Some(FULL), _) => return JournalError::Full(at),
            (Some(READ_ONLY), _) => return JournalError::ReadOnly(at),
            (Some(CORRUPT | NOT_A_DATABASE), _) => return JournalError::Corrupt(format!("{at}: {error}")),
            (Some(BUSY | LOCKED), _) => match lockers::name(&self.path) {
                nobody if nobody.is_empty() => format!("{at} is locked by another process"),
                lockers => format!("{at} is locked by {lockers}"),
            },
            (Some(CANT_OPEN), _) | (_, Some(IO_SHM_SIZE | IO_WRITE | IO_TRUNCATE | IO_SHM_OPEN)) => {
                match probe_folder(&self.path) {
                    Err(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
                        return JournalError::ReadOnly(at);
                    }
                    Err(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => return JournalError::Full(at),
                    Err(ErrorKind::NotFound | ErrorKind::NotADirectory) => format!("the folder of {at} does not exist"),
                    _ if !self.path.exists() => format!("{at} is not there"),
                    _ => format!("{} {at}", self.doing),
                }
            }
            _ if is_damage(&error) => return JournalError::Corrupt(format!("{at}: {error}")),
            _ => format!("{} {at}", self.doing),
        };
        JournalError::Unavailable { context, source: Some(Box::new(error)) }
    }
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READ_ONLY: u32 = 8;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANT_OPEN: u32 = 14;
const NOT_A_DATABASE: u32 = 26;
const IO_WRITE: u32 = 10 | 3 << 8;
const IO_TRUNCATE: u32 = 10 | 6 << 8;
const IO_SHM_OPEN: u32 = 10 | 18 << 8;
const IO_SHM_SIZE: u32 = 10 | 19 << 8;

fn extended(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary(error: &sqlx::Error) -> Option<u32> {
    extended(error).map(|code| code & 0xff)
}

/// A row that does not have the shape it was written with.
fn is_damage(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::RowNotFound
    )
}

/// Tries to make and fill a small file beside the journal; never touches the journal itself.
fn probe_folder(path: &Path) -> Result<(), ErrorKind> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-probe-{}", std::process::id()));
    let name = PathBuf::from(name);
    let made = std::fs::File::create_new(&name).and_then(|mut file| {
        std::io::Write::write_all(&mut file, &[0; 65_536])?;
        file.sync_all()
    });
    let _ = std::fs::remove_file(&name);
    made.map_err(|error| error.kind())
}
