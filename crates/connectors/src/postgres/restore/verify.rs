//! Both sides of tenants, read and compared: each table once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sqlx::PgConnection;

use super::back;
use super::error::RestoreError;
use super::named::named;
use super::origin::Origin;
use super::pair::{Pair, Scope};
use super::pairs::Pairs;
use super::references;
use super::session::{self, Live};
use super::source::{self, Cutter};
use super::tally::{TableTally, Tally};
use super::ties::Ties;

/// What one side holds of a tenant.
#[derive(Debug)]
pub(crate) struct Seen {
    tallies: Vec<Tally>,
    pub(crate) ties: Ties,
}

/// Reads tenants' rows and keeps count and hash of each table; what they refer to is looked at on the way.
pub(crate) async fn see(
    connection: &mut PgConnection,
    pair: &Pair,
    tenants: &[String],
) -> Result<Vec<Seen>, RestoreError> {
    let wanted = pair.wanted(tenants.iter().map(String::as_str));
    let places: HashMap<&[u8], usize> = tenants.iter().enumerate().map(|(at, id)| (id.as_bytes(), at)).collect();
    let empty = || Seen { tallies: vec![Tally::default(); pair.sheets.all.len()], ties: Ties::new(&pair.sheets) };
    let mut all: Vec<Seen> = tenants.iter().map(|_| empty()).collect();
    let mut cutter = Cutter::default();
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        source::read(connection, &source::copy_out(pair, sheet, &wanted), sheet, |row| {
            cutter.fields.find(sheet.form, row)?;
            let owner = cutter.fields.value(row, 0).ok_or(RestoreError::Stream("a row is nobody's"))?;
            let at = *places.get(owner).ok_or(RestoreError::Stream("a row is of a tenant that was not asked for"))?;
            all[at].tallies[table].add(cutter.fields.span(row, 1, cutter.fields.len()));
            all[at].ties.see(&pair.sheets, table, row, &cutter.fields, 1);
            Ok(())
        })
        .await?;
    }
    Ok(all)
}

/// What a comparison of tenants found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Rows and hash of each table, of all tenants.
    pub(crate) tables: BTreeMap<String, TableTally>,
    /// Where the sides differ.
    pub(crate) differences: Vec<String>,
    /// References of live rows to nothing.
    pub(crate) dangling: Vec<String>,
}

/// Compares tenants in the live database with the recovered copy; changes nothing.
///
/// # Errors
/// What keeps them from being compared.
pub(crate) async fn check(
    pairs: &Pairs,
    (from, to): (&str, &str),
    scope: &Scope,
    tenants: &[String],
    lock_timeout: Duration,
) -> Result<Checked, RestoreError> {
    let (mut origin, mut live) = futures::try_join!(Origin::open(from), Live::open(to, lock_timeout))?;
    let (pair, known, meant) = match &mut origin {
        Origin::Server(backup) => {
            let described = Pair::describe(backup, scope);
            let pair = pairs.of((from, described), to, &mut live.connection, scope).await?;
            session::snapshot(backup).await?;
            let named = named(backup, &pair, tenants).await?;
            if let Some(unknown) = named.unknown.first() {
                return Err(RestoreError::NoTenant(unknown.clone()));
            }
            let seen = see(backup, &pair, &named.known).await?;
            let meant: Vec<_> = seen.iter().map(|seen| back::named(&pair, &seen.tallies)).collect();
            (pair, named.known, meant)
        }
        Origin::Files(extracted) => {
            let manifests = tenants
                .iter()
                .map(|id| extracted.manifest(id)?.ok_or_else(|| RestoreError::NoTenant(id.clone())))
                .collect::<Result<Vec<_>, _>>()?;
            let first = manifests.first().ok_or(RestoreError::Stream("no tenant is named"))?;
            let described = extracted.described(first)?;
            let catalog = &first.catalog;
            if let Some(other) = manifests.iter().find(|other| other.catalog != *catalog) {
                let why = format!("{} was taken out of a server of another schema than {}", other.tenant, first.tenant);
                return Err(RestoreError::Drift(vec![why]));
            }
            let known_as = format!("{from}#{catalog}");
            let pair = pairs.of((&known_as, async { Ok(described) }), to, &mut live.connection, scope).await?;
            if let Some(why) = manifests.iter().find_map(|manifest| manifest.misfit(&pair.sheets.all)) {
                return Err(RestoreError::Drift(vec![why]));
            }
            let known = manifests.iter().map(|manifest| manifest.tenant.clone()).collect();
            // Only tables of the scope: the extract may hold more.
            let of_scope = |label: &String| pair.sheets.all.iter().any(|sheet| sheet.label == *label);
            let meant = manifests
                .into_iter()
                .map(|manifest| manifest.tables.into_iter().filter(|(label, _)| of_scope(label)).collect())
                .collect();
            (pair, known, meant)
        }
    };
    session::snapshot(&mut live.connection).await?;
    let mut found = see(&mut live.connection, &pair, &known).await?;
    let mut checked = Checked::default();
    let mut sums = vec![Tally::default(); pair.sheets.all.len()];
    for ((tenant, meant), found) in known.iter().zip(&meant).zip(&mut found) {
        let is = back::named(&pair, &found.tallies);
        let differences = back::differences(meant, &is);
        checked.differences.extend(differences.into_iter().map(|difference| format!("{tenant}: {difference}")));
        sums.iter_mut().zip(&found.tallies).for_each(|(sum, tally)| sum.join(tally));
        let left = found.ties.left(&pair.sheets);
        checked.dangling.extend(references::dangling(&mut live.connection, &pair, tenant, left).await?);
    }
    checked.tables = back::named(&pair, &sums);
    Ok(checked)
}
