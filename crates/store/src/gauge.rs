//! What a store takes on its disk, and what its server says of its statements: for those who measure it.

use runtime::JournalError;

use crate::address::Address;
use crate::postgres::PostgresStore;

/// What a table takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableGauge {
    /// Its name; of a file the path, which is weighed as one.
    pub name: String,
    /// Bytes on the disk, with its indexes.
    pub bytes: u64,
    /// Versions of rows that nobody sees any more and whose room is not free yet, as the server estimates them; `None` where
    /// nobody counts them.
    pub dead: Option<u64>,
}

/// What a statement has cost.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementGauge {
    /// Its text, without what differs from call to call.
    pub text: String,
    /// How often it was executed.
    pub calls: u64,
    /// Milliseconds that this took, in all.
    pub total_ms: f64,
}

/// Weighs the tables of the store at an address, by name.
///
/// # Errors
/// What [`open`](crate::open) returns, and if the store cannot be read.
pub async fn gauge(address: &str) -> Result<Vec<TableGauge>, JournalError> {
    match address.parse::<Address>()? {
        Address::Sqlite(path) => {
            let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().display()));
            let size = |path| std::fs::metadata(path).map_or(0, |file| file.len());
            let bytes = size(&path) + size(&log);
            Ok(vec![TableGauge { name: path.display().to_string(), bytes, dead: None }])
        }
        Address::Postgres(address) => {
            let store = PostgresStore::open(&address).await?;
            let gauge = store.gauge().await;
            store.close().await;
            gauge
        }
    }
}

/// Tells what the server of the store at an address has been asked so far; `None` if it does not tell.
///
/// # Errors
/// What [`open`](crate::open) returns, and if the store cannot be read.
pub async fn statements(address: &str) -> Result<Option<Vec<StatementGauge>>, JournalError> {
    match address.parse::<Address>()? {
        Address::Sqlite(_) => Ok(None),
        Address::Postgres(address) => {
            let store = PostgresStore::open(&address).await?;
            let statements = store.statements().await;
            store.close().await;
            statements
        }
    }
}
