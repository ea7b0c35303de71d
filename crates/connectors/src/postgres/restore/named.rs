//! The tenants that a restore was asked for: which of them the backup holds, and which cannot be restored at all.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::extracted::{Described, Extracted, Manifest};
use super::pair::Pair;
use super::sequences::Stand;
use super::work::TenantOutcome;
use crate::postgres::quote::{name, qualified};

/// Tenants that were asked for.
#[derive(Default)]
pub(crate) struct Named {
    /// IDs of those that the backup has.
    pub(crate) known: Vec<String>,
    /// Those that it has not, as they were asked for.
    pub(crate) unknown: Vec<String>,
    /// Where sequences stood in the backup.
    pub(crate) sequences: Vec<Stand>,
    /// What an extract says of each tenant.
    manifests: Vec<Manifest>,
    /// Tenants that the backup has and that cannot be restored, or not together with the others.
    refused: Vec<TenantOutcome>,
}

impl Named {
    /// Finds tenants in an extract; returns what their server was like, and the name of that description.
    ///
    /// Tenants of one call come from a server of one schema; others are refused, each with its reason.
    pub(crate) fn find(
        &mut self,
        extracted: &Extracted,
        asked: &[String],
    ) -> Result<Option<(String, Described)>, RestoreError> {
        let mut described: Option<(String, Described)> = None;
        for id in asked {
            let Some(manifest) = extracted.manifest(id)? else {
                self.unknown.push(id.clone());
                continue;
            };
            match &described {
                None => described = Some((manifest.catalog.clone(), extracted.described(&manifest)?)),
                Some((catalog, _)) if *catalog != manifest.catalog => {
                    let why = "it was taken out of a server of another schema than the others";
                    let error = RestoreError::Drift(vec![why.to_owned()]);
                    self.refused.push(TenantOutcome { tenant: manifest.tenant, result: Err(error) });
                    continue;
                }
                Some(_) => {}
            }
            for stand in &manifest.sequences {
                match self.sequences.iter_mut().find(|(schema, name, _)| (schema, name) == (&stand.0, &stand.1)) {
                    // Later points stand further on.
                    Some(known) if known.2.abs() < stand.2.abs() => known.2 = stand.2,
                    Some(_) => {}
                    None => self.sequences.push(stand.clone()),
                }
            }
            self.known.push(manifest.tenant.clone());
            self.manifests.push(manifest);
        }
        Ok(described)
    }

    /// Refuses tenants of an extract that have no place in the live database, or are in a form that it does not take.
    pub(crate) fn fit(&mut self, pair: &Pair) {
        let lost: Vec<String> =
            pair.lost.iter().map(|partition| format!("{}.{}", partition.schema, partition.name)).collect();
        let mut out = Vec::new();
        for manifest in std::mem::take(&mut self.manifests) {
            let gone: Vec<String> = manifest.partitions.iter().filter(|name| lost.contains(name)).cloned().collect();
            if !gone.is_empty() {
                out.push((manifest.tenant, homeless(&gone)));
            } else if let Some(why) = manifest.misfit(&pair.sheets.all) {
                out.push((manifest.tenant, RestoreError::Drift(vec![why])));
            }
        }
        self.refuse(out);
    }

    /// Leaves tenants out, each with its reason.
    pub(crate) fn refuse(&mut self, out: Vec<(String, RestoreError)>) {
        let those: HashSet<&str> = out.iter().map(|(tenant, _)| tenant.as_str()).collect();
        self.known.retain(|tenant| !those.contains(tenant.as_str()));
        self.refused.extend(out.into_iter().map(|(tenant, error)| TenantOutcome { tenant, result: Err(error) }));
    }

    /// Says of every tenant that is not restored why.
    pub(crate) fn left_out(self) -> impl Iterator<Item = TenantOutcome> {
        let unknown = self.unknown.into_iter().map(|tenant| (tenant.clone(), RestoreError::NoTenant(tenant)));
        unknown.map(|(tenant, error)| TenantOutcome { tenant, result: Err(error) }).chain(self.refused)
    }
}

/// Says that a tenant has rows in partitions that are gone.
pub(crate) fn homeless(partitions: &[String]) -> RestoreError {
    RestoreError::Drift(partitions.iter().map(|name| format!("the partition {name} is not there any more")).collect())
}

/// Writes IDs as the root's key is written, and tells those of the backup from others.
pub(crate) async fn named(backup: &mut PgConnection, pair: &Pair, asked: &[String]) -> Result<Named, RestoreError> {
    let root = &pair.backup.tables[pair.closure.root];
    let sql = format!(
        "SELECT a.id, r.key::text FROM unnest($1::text[]) AS a(id) LEFT JOIN (SELECT {} AS key FROM {}) AS r ON r.key = a.id::{}",
        name(&pair.closure.key),
        qualified(&root.schema, &root.name),
        pair.closure.key_type
    );
    let found: Vec<(String, Option<String>)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(asked).fetch_all(backup).await.map_err(|error| {
            match failed("look for the tenants")(error) {
                RestoreError::Database { state: Some(state), why, .. } if state.starts_with("22") => {
                    // The server quotes the value that it cannot read.
                    let bad = asked.iter().find(|id| why.contains(&format!("\"{id}\"")));
                    let one_of = || asked.join(" or ");
                    RestoreError::BadId { id: bad.cloned().unwrap_or_else(one_of), why }
                }
                other => other,
            }
        })?;
    let mut named = Named::default();
    let mut seen = HashSet::new();
    for (asked, known) in found {
        match known {
            Some(id) if seen.insert(id.clone()) => named.known.push(id),
            Some(_) => {}
            None => named.unknown.push(asked),
        }
    }
    Ok(named)
}
