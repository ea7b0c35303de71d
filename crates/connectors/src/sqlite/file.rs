//! Database files: their names, their identity, how they are opened, and what their errors mean.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::answer::Trouble;

/// How long SQLite waits for another writer.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// A database file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(PathBuf);

/// Which file stands under a name at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Place {
    /// Reads a path or `sqlite:PATH`.
    pub(crate) fn new(text: &str) -> Self {
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = if let Some(absolute) = path.strip_prefix("///") { format!("/{absolute}") } else { path.to_owned() };
        Self(PathBuf::from(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Tells which file it is now.
    pub(super) fn identity(&self) -> Result<Identity, Trouble> {
        let data = std::fs::metadata(&self.0).map_err(|error| {
            Trouble::retry("sqlite.open", format!("{self}: {error}"))
                .hint("does the path in the estate name an existing file?")
        })?;
        Ok(Identity { device: data.dev(), inode: data.ino() })
    }

    /// Returns the URI under which it is attached for reading. A file that nobody can have open for writing needs no locks.
    pub(super) fn uri(&self) -> String {
        let mut uri = "file:".to_owned();
        for byte in self.0.to_string_lossy().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(byte)),
                _ => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        let beside = |suffix: &str| {
            let mut name = self.0.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).is_ok_and(|data| data.len() > 0)
        };
        uri.push_str("?mode=ro");
        if !beside("-wal") && !beside("-journal") {
            uri.push_str("&immutable=1");
        }
        uri
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Opens a file for reading only.
pub(crate) async fn read_only(place: &Place) -> Result<SqliteConnection, Trouble> {
    let options = SqliteConnectOptions::new().filename(place.path()).read_only(true).busy_timeout(BUSY);
    options.disable_statement_logging().connect().await.map_err(|error| open(place, &error))
}

/// The file could not be opened.
pub(super) fn open(place: &Place, error: &sqlx::Error) -> Trouble {
    if matches!(code(error), Some(5 | 6 | 11 | 26)) {
        return database(place, error);
    }
    Trouble::retry("sqlite.open", format!("{place}: {}", text(error)))
        .hint("does the path in the estate name an existing database file that may be read?")
}

/// An answer of the database, while nothing of ours is committed.
pub(crate) fn database(place: &Place, error: &sqlx::Error) -> Trouble {
    let message = format!("{place}: {}", text(error));
    match code(error) {
        Some(5 | 6) => Trouble::retry("sqlite.busy", message).hint("another writer held the file too long"),
        Some(8) => Trouble::never("sqlite.read_only", message).hint("the file or its folder cannot be written"),
        Some(11 | 26) => Trouble::never("sqlite.damaged", message).hint("the file is damaged or no database"),
        Some(13) => Trouble::retry("sqlite.full", message).hint("no space left on the volume of the file"),
        Some(19) if extended(error) == Some(787) => {
            Trouble::never("sqlite.foreign_key", message).hint("restore the parent rows first")
        }
        Some(19) => Trouble::never("sqlite.conflict", message).hint("look at the row that is there, then decide"),
        _ => Trouble::retry("sqlite.failed", message),
    }
}

/// Returns SQLite's primary result code.
pub(super) fn code(error: &sqlx::Error) -> Option<u32> {
    extended(error).map(|code| code & 0xff)
}

fn extended(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn text(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
