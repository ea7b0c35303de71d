//! A tenant's rows read back inside of the transaction that wrote them, and held against what was meant.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::error::RestoreError;
use super::pair::Pair;
use super::session::run;
use super::source::{self, Cutter};
use super::statements::Statements;
use super::tally::{TableTally, Tally};

/// Statements that are judged by the size of what they read, not as about one small tenant of many.
pub(crate) const BY_SIZE: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; \
    SET LOCAL enable_seqscan = on; SET LOCAL plan_cache_mode = force_custom_plan";
/// Rows up to which a tenant is read back by one prepared statement.
const SMALL: u64 = 3_000;

/// Reads a tenant's rows back inside of the transaction.
pub(crate) async fn read_back(
    live: &mut PgConnection,
    pair: &Pair,
    statements: &Statements,
    tenant: &str,
    rows: u64,
) -> Result<Vec<Tally>, RestoreError> {
    if rows <= SMALL && Statements::reads_all(pair) {
        return Ok(statements.read_back(live, pair, &[tenant]).await?.pop().unwrap_or_default());
    }
    run(live, BY_SIZE, "set up the session").await?;
    let wanted = pair.wanted([tenant]);
    let mut tallies = vec![Tally::default(); pair.sheets.all.len()];
    let mut cutter = Cutter::default();
    for (sheet, tally) in pair.sheets.all.iter().zip(&mut tallies) {
        source::read(live, &source::copy_out(pair, sheet, &wanted), sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            tally.add(cutter.fields.span(row, 1, cutter.fields.len()));
            Ok(())
        })
        .await?;
    }
    Ok(tallies)
}

/// Checks that both sides hold the same rows of each table.
pub(crate) fn compare(pair: &Pair, tenant: &str, meant: &[Tally], found: &[Tally]) -> Result<(), RestoreError> {
    let differences = differences(&named(pair, meant), &named(pair, found));
    if differences.is_empty() { Ok(()) } else { Err(RestoreError::Mismatch { tenant: tenant.to_owned(), differences }) }
}

/// Names tables whose rows differ.
pub(crate) fn differences(meant: &BTreeMap<String, TableTally>, found: &BTreeMap<String, TableTally>) -> Vec<String> {
    let none = TableTally::default();
    let tables: BTreeSet<&String> = meant.keys().chain(found.keys()).collect();
    let both =
        tables.into_iter().map(|table| (table, meant.get(table).unwrap_or(&none), found.get(table).unwrap_or(&none)));
    both.filter(|(_, meant, found)| meant != found)
        .map(|(table, meant, found)| match meant.rows == found.rows {
            true => format!("{table}: {} rows, with other contents", meant.rows),
            false => format!("{table}: {} rows in the backup, {} live", meant.rows, found.rows),
        })
        .collect()
}

/// Tallies by table, without empty ones.
pub(crate) fn named(pair: &Pair, tallies: &[Tally]) -> BTreeMap<String, TableTally> {
    let tables = pair.sheets.all.iter().zip(tallies).filter(|(_, tally)| tally.rows > 0);
    tables.map(|(sheet, tally)| (sheet.label.clone(), tally.into())).collect()
}
