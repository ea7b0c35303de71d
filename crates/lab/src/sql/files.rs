//! Opening stores that are SQLite files.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::{Session, StoreError};

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A new file, filled once and only by us: no journal, no syncs.
    Bulk,
    /// A store in use: write-ahead log, foreign keys checked, waits for other writers.
    Live,
    /// Only reads.
    Read,
}

pub(crate) async fn open(path: &Path, mode: Mode) -> Result<Session, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(20))
        .statement_cache_capacity(512)
        .command_buffer_size(64)
        .row_buffer_size(1024)
        .pragma("cache_size", "-32000")
        .disable_statement_logging();
    let options = match mode {
        Mode::Bulk => options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false),
        Mode::Live => {
            options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal).foreign_keys(true)
        }
        Mode::Read => options.read_only(true),
    };
    SqliteConnection::connect_with(&options).await.map(Session::Sqlite).map_err(StoreError::sql(path))
}
