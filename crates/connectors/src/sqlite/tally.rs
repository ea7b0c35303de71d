//! Counts and hashes of rows, independent of their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, ValueRef};

use super::input::Tenant;
use super::quote::sql;
use super::statements::CHANGES;

/// Rows of one tenant: per table their number and the sum of their 64-bit hashes. A sum and a count, not an exclusive
/// or: a pair of equal rows must not vanish. It catches accidents, not forgers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    tables: Vec<(u64, u64)>,
}

/// A tally with the hashes it is made of and the connection's counter of changes.
pub(super) struct Read {
    pub(super) tally: Tally,
    pub(super) hashes: Vec<(usize, u64)>,
    pub(super) changes: Option<u64>,
}

impl Tally {
    pub(super) fn add(&mut self, table: usize, hash: u64) {
        if self.tables.len() <= table {
            self.tables.resize(table + 1, (0, 0));
        }
        let (count, sum) = &mut self.tables[table];
        *count += 1;
        *sum = sum.wrapping_add(hash);
    }

    /// Number of rows of all tables.
    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|(count, _)| count).sum()
    }

    fn of(&self, table: usize) -> (u64, u64) {
        self.tables.get(table).copied().unwrap_or_default()
    }

    /// Sum over all tables, hexadecimal.
    pub(super) fn hash(&self) -> String {
        format!("{:016x}", self.tables.iter().fold(0_u64, |all, (_, sum)| all.wrapping_add(*sum)))
    }

    /// Rows of each table that has any.
    pub(super) fn by_table(&self, names: &[&str]) -> BTreeMap<String, u64> {
        let counts = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), self.of(at).0));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Sum of hashes of each table that has rows, hexadecimal.
    pub(super) fn hashes(&self, names: &[&str]) -> BTreeMap<String, String> {
        let sums = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), self.of(at)));
        sums.filter(|(_, (count, _))| *count > 0).map(|(name, (_, sum))| (name, format!("{sum:016x}"))).collect()
    }

    /// Tells the tables in which two tallies differ.
    pub(super) fn differences(&self, other: &Tally, names: &[&str]) -> Vec<String> {
        let tables = names.iter().enumerate().filter(|(at, _)| self.of(*at) != other.of(*at));
        tables
            .map(|(at, name)| match (self.of(at), other.of(at)) {
                ((ours, _), (theirs, _)) if ours != theirs => {
                    format!("{}: {ours} rows expected, {theirs} found", name)
                }
                ((count, _), _) => format!("{}: content of {count} rows differs", name),
            })
            .collect()
    }
}

impl Read {
    /// Hashes by table as a set with counts.
    pub(super) fn counted(&self) -> HashMap<(usize, u64), u64> {
        let mut counted = HashMap::with_capacity(self.hashes.len());
        for hash in &self.hashes {
            *counted.entry(*hash).or_insert(0) += 1;
        }
        counted
    }
}

/// Hashes of rows by the names of their tables, hexadecimal.
pub(super) fn named(rows: &[(usize, u64)], names: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut named = BTreeMap::<String, BTreeSet<String>>::new();
    for (at, hash) in rows {
        if let Some(name) = names.get(*at) {
            named.entry((*name).to_owned()).or_default().insert(format!("{hash:016x}"));
        }
    }
    named
}

/// Reads all rows of a query that gives number of table and canonical text.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    text: &Arc<str>,
    tenant: &Tenant,
    keep: bool,
) -> Result<Read, sqlx::Error> {
    let mut read = Read { tally: Tally::default(), hashes: Vec::new(), changes: None };
    let mut rows = tenant.bind(sqlx::query(sql(text))).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let table: i64 = row.try_get(0)?;
        if table == CHANGES {
            read.changes = counter(&row, 1)?;
            continue;
        }
        let table = usize::try_from(table).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let hash = row_hash(&row, 1)?;
        read.tally.add(table, hash);
        if keep {
            read.hashes.push((table, hash));
        }
    }
    Ok(read)
}

/// Hashes a row's canonical text.
pub(super) fn row_hash(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(0);
    }
    Ok(text_hash(<&[u8] as sqlx::Decode<'_, sqlx::Sqlite>>::decode(value).map_err(sqlx::Error::Decode)?))
}

/// Hashes a canonical text.
pub(super) fn text_hash(text: &[u8]) -> u64 {
    let hash = blake3::hash(text);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// Reads the connection's counter of changes.
pub(super) fn counter(row: &SqliteRow, column: usize) -> Result<Option<u64>, sqlx::Error> {
    Ok(row.try_get::<String, _>(column)?.parse().ok())
}
