//! Stores that survive power loss: journals of runs, and what runs share. SQLite, embedded in the process, and PostgreSQL,
//! for processes on several hosts.
//!
//! Architecture invariant: a group is opaque here. This crate knows numbers, epochs, bytes and their checksums, not
//! events; it never looks at the connectors. Requests and answers of the mailbox are
//! opaque in the same way.

mod address;
mod anchor;
mod checksum;
mod gauge;
mod named;
mod postgres;
mod rows;
mod shares;
mod sqlite;

use std::sync::Arc;
use std::time::SystemTime;

use runtime::engine::Millis;
use runtime::{JournalError, Store};

pub use address::{Address, PostgresAddress, without_password};
pub use anchor::anchor;
pub use gauge::{StatementGauge, TableGauge, gauge, statements};
pub use postgres::{POSTGRES_FORMAT, PostgresStore};
pub use sqlite::{FORMAT, SqliteJournal, SqliteOptions};

/// Opens the store at an address: `sqlite:PATH` makes the file if it is missing, but never a folder;
/// `postgres://USER@HOST/DATABASE` makes the schema, but never a database.
///
/// Leases expire by the clock of this host, or of the database. Must be called inside of a tokio runtime, which then
/// drives the writer.
///
/// # Errors
/// [`JournalError::Unsupported`] for another kind of address; what [`SqliteJournal::open`] and [`PostgresStore::open`]
/// return.
pub async fn open(address: &str) -> Result<Arc<dyn Store>, JournalError> {
    match address.parse::<Address>()? {
        Address::Sqlite(path) => Ok(Arc::new(SqliteJournal::open(&path, SqliteOptions::new(system_now)).await?)),
        Address::Postgres(address) => Ok(Arc::new(PostgresStore::open(&address).await?)),
    }
}

/// Returns the time of this host in milliseconds since the epoch; a clock before 1970 reads as 1970.
#[must_use]
pub fn system_now() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
