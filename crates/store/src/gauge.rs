//! What a store takes on its disk, and what its server says of its statements: for those who measure it.

use runtime::JournalError;

use crate::address::Address;
use crate::postgres::PostgresStore;

/// What a store takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauge {
    /// Its tables by name; of a file the whole, as one.
    pub tables: Vec<TableGauge>,
    /// What its server has been asked so far; empty unless the database has the extension `pg_stat_statements`.
    pub statements: Vec<StatementGauge>,
}

/// What a table takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableGauge {
    /// Its name.
    pub name: String,
    /// Bytes on the disk, with its indexes.
    pub bytes: u64,
    /// Rows, as the server estimates them.
    pub rows: u64,
    /// Versions of rows that nobody sees any more and whose room is not free yet, as the server estimates them.
    pub dead: u64,
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

/// Weighs the store at an address.
///
/// # Errors
/// What [`open`](crate::open) returns, and if the store cannot be read.
pub async fn gauge(address: &str) -> Result<Gauge, JournalError> {
    match address.parse::<Address>()? {
        Address::Sqlite(path) => {
            let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().display()));
            let size = |path| std::fs::metadata(path).map_or(0, |file| file.len());
            let bytes = size(&path) + size(&log);
            let whole = TableGauge { name: path.display().to_string(), bytes, rows: 0, dead: 0 };
            Ok(Gauge { tables: vec![whole], statements: vec![] })
        }
        Address::Postgres(address) => {
            let store = PostgresStore::open(&address).await?;
            let gauge = store.gauge().await;
            store.close().await;
            gauge
        }
    }
}
