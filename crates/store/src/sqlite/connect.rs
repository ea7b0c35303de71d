//! Opening connections, and proof that what they commit is durable.

use std::path::Path;
use std::time::{Duration, Instant};

use runtime::JournalError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::format::{self, FORMAT, Found, SHARED_SINCE};
use super::trouble::{Cause, Trouble};

/// Bytes of a page.
const PAGE: u32 = 4096;
/// Pages after which a commit folds the `-wal` file into the database.
const CHECKPOINT_PAGES: &str = "4000";
/// Bytes of the `-wal` file that stay allocated between checkpoints: rewriting blocks is faster than allocating them.
const KEPT_WAL: &str = "67108864";

/// Options of the writing connection, without `create_if_missing`.
pub(crate) fn writer_options(path: &Path, lock_wait: Duration) -> SqliteConnectOptions {
    options(path, lock_wait)
        .page_size(PAGE)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", KEPT_WAL)
}

fn options(path: &Path, lock_wait: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(lock_wait).disable_statement_logging()
}

/// Opens the file for writing, in WAL mode with full synchronisation, and checks both.
pub(super) async fn writer(path: &Path, lock_wait: Duration, create: bool) -> Result<SqliteConnection, Trouble> {
    let sql = |error| Trouble::new(path, "opening", error);
    let mut connection = writer_options(path, lock_wait).create_if_missing(create).connect().await.map_err(sql)?;
    // Look first: a file of somebody else is not even switched to WAL.
    match format::inspect(&mut connection).await.map_err(sql)? {
        Found::Journal(FORMAT) => {}
        Found::Empty => {
            switch_to_wal(&mut connection, path, lock_wait).await?;
            refuse_unless_journal(path, format::make(&mut connection).await.map_err(sql)?)?;
        }
        Found::Journal(_) => {
            refuse_unless_journal(path, format::make(&mut connection).await.map_err(sql)?)?;
        }
        other => {
            refuse_unless_journal(path, other)?;
        }
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.map_err(sql)?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.map_err(sql)?;
    if mode != "wal" || synchronous != 2 {
        let what = format!("journal_mode is {mode}, synchronous is {synchronous}; wal and 2 are needed");
        return Err(Trouble::of(path, "opening", Cause::NotDurable(what)));
    }
    Ok(connection)
}

/// SQLite's own lock wait does not cover the change of mode.
async fn switch_to_wal(connection: &mut SqliteConnection, path: &Path, lock_wait: Duration) -> Result<(), Trouble> {
    let started = Instant::now();
    loop {
        match sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                let trouble = Trouble::new(path, "opening", error);
                if !trouble.is_busy() || started.elapsed() >= lock_wait {
                    return Err(trouble);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn refuse_unless_journal(path: &Path, found: Found) -> Result<u32, Trouble> {
    let cause = match found {
        Found::Journal(format) => return Ok(format),
        Found::Newer(format) => Cause::Newer(format),
        Found::Foreign(what) => Cause::Foreign(what),
        Found::Empty => Cause::Foreign("an empty database".to_owned()),
    };
    Err(Trouble::of(path, "opening", cause))
}

/// A connection for reading; opened when it is first needed, again after trouble.
pub(super) struct Reader {
    connection: Option<SqliteConnection>,
    /// Of the file when it was last looked at.
    format: u32,
    keep: bool,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { connection: None, format: 0, keep: true }
    }

    /// Returns the connection to a file that is surely a journal.
    pub(super) async fn get(&mut self, path: &Path, wait: Duration) -> Result<&mut SqliteConnection, JournalError> {
        if !self.keep {
            self.connection = None;
        }
        if self.connection.is_none() {
            match self.look(path, wait).await {
                Ok(found) => {
                    refuse_unless_journal(path, found).map_err(Trouble::into_error)?;
                }
                Err(trouble) => return Err(trouble.into_error()),
            }
        }
        self.connection
            .as_mut()
            .ok_or_else(|| JournalError::Unavailable { context: format!("reading {}", path.display()), source: None })
    }

    /// As [`Reader::get`], with the format of the file when it was last looked at.
    pub(super) async fn get_with_format(
        &mut self,
        path: &Path,
        wait: Duration,
    ) -> Result<(&mut SqliteConnection, u32), JournalError> {
        self.get(path, wait).await?;
        let format = self.format;
        let gone = || JournalError::Unavailable { context: format!("reading {}", path.display()), source: None };
        Ok((self.connection.as_mut().ok_or_else(gone)?, format))
    }

    /// Returns the connection if the file has what runs share; `None` if it is of an older format, whose runs share
    /// nothing. A file is brought forward by the first change to it, not by those who look.
    pub(super) async fn get_shared(
        &mut self,
        path: &Path,
        wait: Duration,
    ) -> Result<Option<&mut SqliteConnection>, JournalError> {
        self.get_since(SHARED_SINCE, path, wait).await
    }

    /// Returns the connection if the file has what came with a format; `None` if it is of an older one.
    pub(super) async fn get_since(
        &mut self,
        since: u32,
        path: &Path,
        wait: Duration,
    ) -> Result<Option<&mut SqliteConnection>, JournalError> {
        self.get(path, wait).await?;
        if self.format < since {
            // Another connection may have brought it forward since.
            self.connection = None;
            self.get(path, wait).await?;
        }
        Ok(self.connection.as_mut().filter(|_| self.format >= since))
    }

    /// Opens the file for reading and says what it is. Keeps the connection only if it is a journal.
    pub(super) async fn look(&mut self, path: &Path, wait: Duration) -> Result<Found, Trouble> {
        self.connection = None;
        let mut keep = true;
        let opened = match open_and_inspect(path, wait, false).await {
            // On read-only media there can be no lock file; without a `-wal` nobody writes, and none is needed. The
            // connection must not outlive the moment: it would never see a later change.
            Err(trouble) if trouble.is_shut() && path.is_file() && wal_is_empty(path) => {
                keep = false;
                open_and_inspect(path, wait, true).await.map_err(|_| trouble)
            }
            other => other,
        };
        let (connection, found) = opened?;
        if let Found::Journal(format) = found {
            self.connection = Some(connection);
            self.format = format;
            self.keep = keep;
        } else {
            close(connection).await;
        }
        Ok(found)
    }

    /// Forgets the connection, whose state is not known.
    pub(super) fn forget(&mut self) {
        self.connection = None;
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            close(connection).await;
        }
    }
}

async fn open_and_inspect(path: &Path, wait: Duration, immutable: bool) -> Result<(SqliteConnection, Found), Trouble> {
    let sql = |error| Trouble::new(path, "opening", error);
    let mut connection = options(path, wait).read_only(true).immutable(immutable).connect().await.map_err(sql)?;
    let found = format::inspect(&mut connection).await.map_err(sql)?;
    Ok((connection, found))
}

fn wal_is_empty(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(true, |metadata| metadata.len() == 0)
}

/// Closes a connection; what could go wrong then can no longer hurt what is durable.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection to the journal");
    }
}
