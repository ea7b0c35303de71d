//! Statements about tenants, the same for each: prepared once in a session, with the tenants' IDs bound.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::at_once::AtOnce;
use super::copy_stream::Form;
use super::error::{RestoreError, failed};
use super::ledger::{ENTRY, Entry};
use super::load::Ticket;
use super::pair::Pair;
use super::tally::Tally;
use crate::postgres::quote::literal;

/// Rows that this transaction has inserted, updated and deleted in tables of users, by the server's own count. What we
/// write into our own schema is left out.
const WRITES: &str = "SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(c.oid)), 0)::int8 AS inserted, \
      coalesce(sum(pg_stat_get_xact_tuples_updated(c.oid)), 0)::int8 AS updated, \
      coalesce(sum(pg_stat_get_xact_tuples_deleted(c.oid)), 0)::int8 AS deleted \
    FROM pg_class AS c WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' \
      AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'reinstate'::regnamespace)";

/// What the server counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    pub(crate) inserted: i64,
    pub(crate) updated: i64,
    pub(crate) deleted: i64,
}

impl std::ops::Sub for Writes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            inserted: self.inserted - other.inserted,
            updated: self.updated - other.updated,
            deleted: self.deleted - other.deleted,
        }
    }
}

/// Reads the counters by themselves.
pub(crate) async fn writes(connection: &mut PgConnection) -> Result<Writes, RestoreError> {
    let (inserted, updated, deleted) =
        sqlx::query_as(WRITES).fetch_one(connection).await.map_err(failed("read the server's counters"))?;
    Ok(Writes { inserted, updated, deleted })
}

/// How it stands before the first write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// Counters: those of earlier transactions may not have been handed in yet.
    pub(crate) writes: Writes,
    /// Position in the WAL.
    pub(crate) lsn: String,
}

/// The texts of the statements.
#[derive(Debug)]
pub(crate) struct Statements {
    opening: String,
    read_back: String,
    closing: String,
    /// How small tenants are written, if there are many.
    pub(crate) at_once: Option<AtOnce>,
}

/// What a transaction finds when it begins.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Whether nobody else works under this key.
    pub(crate) alone: bool,
    pub(crate) entry: Option<Entry>,
    pub(crate) before: Before,
    /// For each table, whether it has rows of the tenant.
    pub(crate) present: Vec<bool>,
}

impl Statements {
    pub(crate) fn new(pair: &Pair) -> Self {
        let wanted = format!("ARRAY[asked.tenant::{}]", pair.closure.key_type);
        let selects = |list: &dyn Fn(usize) -> String, wanted: &str| -> Vec<String> {
            let sheets = pair.sheets.all.iter().enumerate();
            sheets
                .filter_map(|(at, sheet)| {
                    pair.closure.rows(&pair.backup, sheet.place, wanted).map(|rows| rows.select(&list(at)))
                })
                .collect()
        };
        let exists: Vec<String> =
            selects(&|_| "1".into(), &wanted).iter().map(|select| format!("EXISTS ({select})")).collect();
        let opening = format!(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(asked.key, 0)) AS alone, \
               pg_advisory_xact_lock_shared(hashtextextended($3, 1)) AS held, \
               (SELECT {ENTRY} FROM reinstate.ledger AS l WHERE l.key = asked.key) AS entry, \
               w.inserted, w.updated, w.deleted, pg_current_wal_insert_lsn()::text AS lsn, ARRAY[{}]::bool[] AS present \
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (key, tenant, at), ({WRITES}) AS w \
             ORDER BY asked.at",
            exists.join(", ")
        );
        let wanted = format!("$1::text[]::{}[]", pair.closure.key_type);
        let row = |at: usize| format!("{at}::int4, {{tenant}}::text, ROW({})", pair.sheets.all[at].list("t"));
        let rows = selects(&row, &wanted);
        let closing = format!(
            "INSERT INTO reinstate.ledger (key, token, run, root, tenant, rows, inserted, updated, begun_lsn, detail) \
             SELECT e.key, e.token, e.run, {}, e.tenant, e.rows, e.inserted, e.updated, e.begun::pg_lsn, e.detail::jsonb \
             FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::text[], $9::text[]) \
               AS e (key, token, run, tenant, rows, inserted, updated, begun, detail) \
             RETURNING (SELECT ARRAY[w.inserted, w.updated, w.deleted] FROM ({WRITES}) AS w)",
            literal(&pair.label(pair.closure.root))
        );
        Self { opening, read_back: rows.join(" UNION ALL "), closing, at_once: None }
    }

    /// Opens restores of tenants inside of a transaction, all of them of one unit.
    pub(crate) async fn open(
        &self,
        connection: &mut PgConnection,
        tickets: &[Ticket<'_>],
    ) -> Result<Vec<Opening>, RestoreError> {
        let error = || failed("look for rows of the tenant");
        let rows = sqlx::query(AssertSqlSafe(self.opening.clone()))
            .bind(tickets.iter().map(|ticket| ticket.key).collect::<Vec<_>>())
            .bind(tickets.iter().map(|ticket| ticket.tenant).collect::<Vec<_>>())
            .bind(tickets.first().map(|ticket| ticket.unit))
            .fetch_all(connection)
            .await
            .map_err(error())?;
        if rows.len() != tickets.len() {
            return Err(RestoreError::Stream("the server did not answer for each tenant"));
        }
        rows.iter().map(Opening::read).collect()
    }

    /// Reads small tenants' rows of all tables back and counts them for each; tables that travel as text are left out.
    pub(crate) async fn read_back(
        &self,
        connection: &mut PgConnection,
        pair: &Pair,
        tenants: &[&str],
    ) -> Result<Vec<Vec<Tally>>, RestoreError> {
        let error = || failed("read the rows back");
        let rows: Vec<PgRow> = sqlx::query(AssertSqlSafe(self.read_back.clone()))
            .bind(tenants)
            .fetch_all(connection)
            .await
            .map_err(error())?;
        let mut tallies = vec![vec![Tally::default(); pair.sheets.all.len()]; tenants.len()];
        let places: HashMap<&str, usize> = tenants.iter().enumerate().map(|(at, tenant)| (*tenant, at)).collect();
        let mut values = Vec::new();
        for row in &rows {
            let table: i32 = row.try_get(0).map_err(error())?;
            let owner = places.get(row.try_get::<&str, _>(1).map_err(error())?);
            let raw = row.try_get_raw(2).map_err(error())?;
            let bytes = raw.as_bytes().map_err(|_| RestoreError::Stream("a row came back as nothing"))?;
            let table = usize::try_from(table).ok().filter(|table| *table < pair.sheets.all.len());
            let table = table.ok_or(RestoreError::Stream("a row came back of a table that is not there"))?;
            let owner = owner.ok_or(RestoreError::Stream("a row came back of a tenant that was not asked for"))?;
            values.clear();
            record(bytes, &mut values).ok_or(RestoreError::Stream("a row came back cut short"))?;
            tallies[*owner][table].add(&values);
        }
        Ok(tallies)
    }

    /// Returns whether [`Statements::read_back`] tells of all tables.
    pub(crate) fn reads_all(pair: &Pair) -> bool {
        pair.sheets.all.iter().all(|sheet| sheet.form == Form::Binary)
    }

    /// Writes rows of the ledger and returns what the transaction has written, these not counted.
    pub(crate) async fn close(
        &self,
        connection: &mut PgConnection,
        rows: &[NewEntry<'_>],
    ) -> Result<Writes, RestoreError> {
        fn all<'r, 'e, T>(rows: &'r [NewEntry<'e>], one: impl Fn(&'r NewEntry<'e>) -> T) -> Vec<T> {
            rows.iter().map(one).collect()
        }
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let written: Vec<(Vec<i64>,)> = sqlx::query_as(AssertSqlSafe(self.closing.clone()))
            .bind(all(rows, |row| row.key))
            .bind(all(rows, |row| row.token))
            .bind(all(rows, |row| row.run))
            .bind(all(rows, |row| row.tenant))
            .bind(all(rows, |row| number(row.rows)))
            .bind(all(rows, |row| number(row.inserted)))
            .bind(all(rows, |row| number(row.updated)))
            .bind(all(rows, |row| row.begun_lsn))
            .bind(all(rows, |row| row.detail.as_str()))
            .fetch_all(connection)
            .await
            .map_err(failed("write the ledger"))?;
        match written.first().map(|(counts,)| counts.as_slice()) {
            Some([inserted, updated, deleted]) if written.len() == rows.len() => {
                Ok(Writes { inserted: *inserted, updated: *updated, deleted: *deleted })
            }
            _ => Err(RestoreError::Stream("the server did not count")),
        }
    }
}

impl Opening {
    fn read(row: &PgRow) -> Result<Self, RestoreError> {
        let error = || failed("look for rows of the tenant");
        let entry: Option<String> = row.try_get("entry").map_err(error())?;
        let count = |name: &str| row.try_get::<i64, _>(name).map_err(error());
        Ok(Self {
            alone: row.try_get("alone").map_err(error())?,
            entry: entry.map(|text| Entry::read(&text)).transpose()?,
            before: Before {
                writes: Writes { inserted: count("inserted")?, updated: count("updated")?, deleted: count("deleted")? },
                lsn: row.try_get("lsn").map_err(error())?,
            },
            present: row.try_get("present").map_err(error())?,
        })
    }
}

/// A row for the ledger.
#[derive(Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) key: &'a str,
    pub(crate) token: i64,
    pub(crate) run: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) rows: u64,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    /// Where the WAL stood before the first write.
    pub(crate) begun_lsn: &'a str,
    pub(crate) detail: String,
}

/// Takes the values of a record in binary form, as they travel in COPY: without the numbers of their types.
fn record(bytes: &[u8], values: &mut Vec<u8>) -> Option<()> {
    let take = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes);
    let count = take(0)?;
    let mut at = 4;
    for _ in 0..count {
        let length = usize::try_from(take(at + 4)?.max(0)).ok()?;
        values.extend_from_slice(bytes.get(at + 4..at + 8 + length)?);
        at += 8 + length;
    }
    (at == bytes.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn a_record_gives_the_same_bytes_as_a_row_of_copy() {
        let mut bytes = vec![0, 0, 0, 2];
        bytes.extend([0, 0, 0, 25, 0, 0, 0, 2, b'a', b'b']);
        bytes.extend([0, 0, 0, 20, 255, 255, 255, 255]);
        let mut values = Vec::new();
        assert_eq!(record(&bytes, &mut values), Some(()));
        assert_eq!(values, [0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255]);
        for end in 0..bytes.len() {
            assert_eq!(record(&bytes[..end], &mut Vec::new()), None, "cut at {end}");
        }
    }
}
