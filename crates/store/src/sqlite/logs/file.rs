//! The file: made by the first line, never waited for by the journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime::JournalError;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::Mutex;

use crate::sqlite::identity::Identity;
use crate::sqlite::trouble::{Cause, Failure, Trouble};

/// `PRAGMA application_id` of the file: "reil".
const APPLICATION: i64 = 0x7265_696c;
/// Number of its format.
const FORMAT: i64 = 1;
/// Bytes of its volume that are left to the journal: without them every run there would stop.
const LEFT: u64 = 256 << 20;
/// Bytes of its `-wal` that stay allocated.
const KEPT_WAL: &str = "4194304";

const TABLES: &str = "
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL, -- of the run, so that another one of its name has other logs
        weight INTEGER NOT NULL,     -- bytes of its lines, each with what it counts beyond its text
        UNIQUE (name, created_at)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL,
        unit TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        lines INTEGER NOT NULL,      -- written, whatever became of them
        bytes INTEGER NOT NULL,
        cut_lines INTEGER NOT NULL,
        cut_bytes INTEGER NOT NULL,
        beyond INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        UNIQUE (run, unit, attempt)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS lines (
        id INTEGER PRIMARY KEY,      -- log << 32 | number
        at INTEGER NOT NULL,         -- milliseconds since the epoch
        voice INTEGER NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    PRAGMA application_id = 1919248748;
    PRAGMA user_version = 1;
    COMMIT;
";

/// The file and its two connections; each is opened when it is first needed, again after trouble.
pub(crate) struct LogFile {
    path: PathBuf,
    lock_wait: Duration,
    pub(super) writer: Mutex<Option<Open>>,
    reader: Mutex<Option<Open>>,
}

/// A connection and the file that it opened, which may be deleted or replaced meanwhile.
pub(super) struct Open {
    pub(super) connection: SqliteConnection,
    file: Option<Identity>,
}

impl LogFile {
    /// The logs that belong to the store at a path.
    pub(crate) fn beside(store: &Path, lock_wait: Duration) -> Self {
        let mut path = store.as_os_str().to_owned();
        path.push("-logs");
        Self { path: path.into(), lock_wait, writer: Mutex::new(None), reader: Mutex::new(None) }
    }

    /// Takes the connection for writing out of its place, or opens one, and makes the file if it is missing. Who has done
    /// with it puts it back; one that was left half-way is never used again.
    pub(super) async fn to_write(&self, held: &mut Option<Open>) -> Result<Open, JournalError> {
        // A file that is gone, or no longer at its path, would take the lines with it.
        match held.take().filter(|open| self.is_at(&open.file)) {
            Some(open) => Ok(open),
            None => self.open_to_write().await.map_err(Trouble::into_error),
        }
    }

    /// Whether anything was ever written.
    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    fn is_at(&self, file: &Option<Identity>) -> bool {
        file.is_some() && *file == Identity::of(&self.path)
    }

    async fn open_to_write(&self) -> Result<Open, Trouble> {
        let sql = |error| Trouble::new(&self.path, "opening", error);
        let options = self
            .options()
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("journal_size_limit", KEPT_WAL);
        let mut connection = options.connect().await.map_err(sql)?;
        if !self.is_made(&mut connection).await? {
            sqlx::raw_sql(TABLES).execute(&mut connection).await.map_err(sql)?;
        }
        Ok(Open { connection, file: Identity::of(&self.path) })
    }

    /// Opens the connection for reading, if it is not open; `None` if nothing was ever written.
    async fn to_read<'c>(&self, held: &'c mut Option<Open>) -> Result<Option<&'c mut SqliteConnection>, JournalError> {
        if held.as_ref().is_some_and(|open| !self.is_at(&open.file)) {
            *held = None;
        }
        if held.is_none() {
            if !self.is_there() {
                return Ok(None);
            }
            let file = Identity::of(&self.path);
            let opened = self.options().read_only(true).connect().await;
            let mut connection = opened.map_err(|error| Trouble::new(&self.path, "opening", error).into_error())?;
            if !self.is_made(&mut connection).await.map_err(Trouble::into_error)? {
                return Ok(None);
            }
            *held = Some(Open { connection, file });
        }
        Ok(held.as_mut().map(|open| &mut open.connection))
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(&self.path).busy_timeout(self.lock_wait).disable_statement_logging()
    }

    /// Whether the file has its tables.
    async fn is_made(&self, connection: &mut SqliteConnection) -> Result<bool, Trouble> {
        let found: Result<(i64, i64, i64), _> = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
             (SELECT count(*) FROM sqlite_schema)",
        )
        .persistent(false)
        .fetch_one(connection)
        .await;
        match found.map_err(|error| Trouble::new(&self.path, "opening", error))? {
            (APPLICATION, FORMAT, _) => Ok(true),
            (APPLICATION, newer, _) if newer > FORMAT => {
                Err(Trouble::of(&self.path, "opening", Cause::Newer(u32::try_from(newer).unwrap_or(u32::MAX))))
            }
            (0, 0, 0) => Ok(false),
            _ => Err(Trouble::of(&self.path, "opening", Cause::Foreign("no file of logs".to_owned()))),
        }
    }

    /// Refuses to keep anything where space is short; a volume that does not tell is taken to have some.
    pub(super) fn has_room(&self) -> Result<(), JournalError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let free =
            rustix::fs::statvfs(folder).map_or(u64::MAX, |volume| volume.f_bavail.saturating_mul(volume.f_frsize));
        if free >= LEFT {
            return Ok(());
        }
        let context = format!("{} MiB are free at {}, and left to the journal", free >> 20, self.path.display());
        Err(JournalError::Unavailable { context, source: None })
    }

    /// Names the trouble of a piece of work.
    pub(super) fn trouble(&self, doing: &'static str, error: sqlx::Error) -> JournalError {
        Trouble::new(&self.path, doing, error).into_error()
    }

    /// Reads, if anything was ever written; gives up a connection that had trouble.
    pub(super) async fn read<T: Default>(
        &self,
        read: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, JournalError> {
        let mut held = self.reader.lock().await;
        let Some(connection) = self.to_read(&mut held).await? else { return Ok(T::default()) };
        let answer = read(connection).await;
        answer.map_err(|error| {
            *held = None;
            self.trouble("reading", error)
        })
    }

    pub(crate) async fn close(self) {
        for held in [self.writer.into_inner(), self.reader.into_inner()].into_iter().flatten() {
            // What cannot be closed is dropped; nothing is owed.
            let _ = held.connection.close().await;
        }
    }
}

/// When a run of the journal was created; it tells its logs from those of another one of its name.
pub(super) async fn created_at(connection: &mut SqliteConnection, run: &str) -> Result<i64, Failure> {
    let row = sqlx::query_scalar("SELECT created_at FROM runs WHERE name = $1").bind(run).fetch_optional(connection);
    Ok(row.await?.ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_carry_the_mark_and_the_number() {
        assert!(TABLES.contains(&format!("application_id = {APPLICATION};")));
        assert!(TABLES.contains(&format!("user_version = {FORMAT};")));
    }
}
