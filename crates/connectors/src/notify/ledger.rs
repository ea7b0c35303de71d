//! What was begun and what was sent, by name, in a file that survives a crash.
//!
//! A name is *begun* before its message leaves this machine and *sent* after the other side took it. Between the two
//! lies the one moment in which nobody can know; a name that is found begun is in doubt, and is left alone.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};

/// How long another writer of the file is waited for.
const BUSY: Duration = Duration::from_secs(5);

const CREATE: &str = "CREATE TABLE IF NOT EXISTS reinstate_sent (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('begun', 'sent')),
    owner TEXT NOT NULL,
    detail TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    sent_at TEXT
) WITHOUT ROWID";

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// A file of names: SQLite in WAL mode, each change durable before it is answered.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing was ever begun under it, or it surely did not leave.
    None,
    /// It was begun, and nobody knows whether it arrived.
    Begun {
        /// When.
        at: String,
        /// What was noted of it.
        detail: String,
    },
    /// The other side took it.
    Sent {
        /// When.
        at: String,
        /// What was noted of it.
        detail: String,
    },
}

/// Whether a name may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is ours: nobody had begun it.
    Ours,
    /// It stands like this already, and is not ours.
    Already(Entry),
}

/// The ledger could not be read or written; nothing is known beyond what it says.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be made or opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
}

impl LedgerError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "notify.ledger"
    }

    /// The operator's next move.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "the ledger must be a file of its own in a folder that this user may write; nothing is sent without it"
    }
}

impl Ledger {
    /// Names the file; it is made with the first name, readable by its owner only.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says what is known of a name. A file that is not there knows nothing.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn look(&self, name: &str) -> Result<Entry, LedgerError> {
        if !self.path.exists() {
            return Ok(Entry::None);
        }
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(true).busy_timeout(BUSY);
        let connection = options.disable_statement_logging().connect().await;
        let mut connection = connection.map_err(|source| self.sqlite(source))?;
        match self.entry(&mut connection, name).await {
            // Whoever made the file has not come to it yet, or it is somebody else's, which the first message finds.
            Err(LedgerError::Sqlite { source: sqlx::Error::Database(error), .. })
                if error.message().starts_with("no such table") =>
            {
                Ok(Entry::None)
            }
            known => known,
        }
    }

    /// Begins a name for an owner, which is one attempt. Durable when it answers `Ours`.
    ///
    /// With `again`, a name in doubt becomes ours once more.
    ///
    /// # Errors
    /// If the file cannot be written; the name is then in doubt at worst.
    ///
    /// # Cancel safety
    /// The name is begun or not.
    pub async fn begin(&self, name: &str, owner: &str, detail: &str, again: bool) -> Result<Begun, LedgerError> {
        let mut connection = self.open().await?;
        let conflict = if again {
            "DO UPDATE SET owner = ?2, detail = ?3, begun_at = excluded.begun_at WHERE state = 'begun'"
        } else {
            "DO NOTHING"
        };
        let text = format!(
            "INSERT INTO reinstate_sent (name, state, owner, detail, begun_at) VALUES (?1, 'begun', ?2, ?3, {NOW})
             ON CONFLICT (name) {conflict}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(name).bind(owner).bind(detail);
        let done = query.execute(&mut connection).await.map_err(|source| self.sqlite(source))?;
        if done.rows_affected() == 1 {
            return Ok(Begun::Ours);
        }
        Ok(Begun::Already(self.entry(&mut connection, name).await?))
    }

    /// Notes that the other side took what was begun; also in a file that was replaced since, and knows nothing of it.
    ///
    /// # Errors
    /// If the file cannot be written; the name stays in doubt.
    ///
    /// # Cancel safety
    /// It is noted or not.
    pub async fn sent(&self, name: &str, detail: &str) -> Result<(), LedgerError> {
        let text = format!(
            "INSERT INTO reinstate_sent (name, state, owner, detail, begun_at, sent_at) VALUES (?1, 'sent', '', ?2, {NOW}, {NOW})
             ON CONFLICT (name) DO UPDATE SET state = 'sent', detail = ?2, sent_at = {NOW}"
        );
        let mut connection = self.open().await?;
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(name).bind(detail);
        query.execute(&mut connection).await.map_err(|source| self.sqlite(source))?;
        Ok(())
    }

    /// Forgets a name that its owner had begun and that surely did not leave. A name that somebody else has begun since
    /// stays: a late word of the first must not undo it.
    ///
    /// # Errors
    /// If the file cannot be written; the name stays in doubt.
    ///
    /// # Cancel safety
    /// It is forgotten or not.
    pub async fn forget(&self, name: &str, owner: &str) -> Result<(), LedgerError> {
        let mut connection = self.open().await?;
        let text = "DELETE FROM reinstate_sent WHERE name = ?1 AND owner = ?2 AND state = 'begun'";
        let query = sqlx::query(text).bind(name).bind(owner);
        query.execute(&mut connection).await.map_err(|source| self.sqlite(source))?;
        Ok(())
    }

    /// Opens the file anew each time: a handle to a file that was replaced would remember for nobody.
    async fn open(&self) -> Result<SqliteConnection, LedgerError> {
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path);
        made.map_err(|source| LedgerError::Open { path: self.path.clone(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|source| self.sqlite(source))?;
        sqlx::query(CREATE).execute(&mut connection).await.map_err(|source| self.sqlite(source))?;
        Ok(connection)
    }

    async fn entry(&self, connection: &mut SqliteConnection, name: &str) -> Result<Entry, LedgerError> {
        let text = "SELECT state, detail, coalesce(sent_at, begun_at) FROM reinstate_sent WHERE name = ?1";
        let row = sqlx::query(text).bind(name).fetch_optional(connection).await;
        let read = |row: sqlx::sqlite::SqliteRow| -> Result<Entry, sqlx::Error> {
            let (state, detail, at): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(if state == "sent" { Entry::Sent { at, detail } } else { Entry::Begun { at, detail } })
        };
        match row.map_err(|source| self.sqlite(source))? {
            Some(row) => read(row).map_err(|source| self.sqlite(source)),
            None => Ok(Entry::None),
        }
    }

    fn sqlite(&self, source: sqlx::Error) -> LedgerError {
        LedgerError::Sqlite { path: self.path.clone(), source }
    }
}
