//! The tenants that a restore was asked for: which of them the backup holds, and which cannot be restored at all.

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::{RestoreError, failed};
use super::extracted::{Described, Extracted};
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
    /// Tenants with rows in partitions that the live database has not.
    pub(crate) homeless: Vec<(String, Vec<String>)>,
    /// Where sequences stood in the backup.
    pub(crate) sequences: Vec<Stand>,
    /// Partitions in which an extract's rows lay, by tenant.
    lay_in: Vec<(String, Vec<String>)>,
}

impl Named {
    /// Finds tenants in an extract; returns what their server was like.
    ///
    /// Tenants of one call come from servers of one schema: else the first one's is compared with the live one, and a
    /// table that differs fails its tenant when its rows are written.
    pub(crate) fn find(&mut self, extracted: &Extracted, asked: &[String]) -> Result<Option<Described>, RestoreError> {
        let mut described = None;
        for id in asked {
            let Some(manifest) = extracted.manifest(id)? else {
                self.unknown.push(id.clone());
                continue;
            };
            if described.is_none() {
                described = Some(extracted.described(&manifest)?);
            }
            for stand in manifest.sequences {
                match self.sequences.iter_mut().find(|(schema, name, _)| (schema, name) == (&stand.0, &stand.1)) {
                    // Later points stand further on.
                    Some(known) if known.2.abs() < stand.2.abs() => known.2 = stand.2,
                    Some(_) => {}
                    None => self.sequences.push(stand),
                }
            }
            self.lay_in.push((manifest.tenant.clone(), manifest.partitions));
            self.known.push(manifest.tenant);
        }
        Ok(described)
    }

    pub(crate) fn leave_homeless(&mut self, pair: &Pair) {
        let lost: Vec<String> =
            pair.lost.iter().map(|partition| format!("{}.{}", partition.schema, partition.name)).collect();
        for (tenant, lay_in) in std::mem::take(&mut self.lay_in) {
            let gone: Vec<String> = lay_in.into_iter().filter(|name| lost.contains(name)).collect();
            if !gone.is_empty() {
                self.known.retain(|other| *other != tenant);
                self.homeless.push((tenant, gone));
            }
        }
    }

    pub(crate) fn left_out(&self) -> impl Iterator<Item = TenantOutcome> {
        let unknown = self.unknown.iter().map(|tenant| (tenant, RestoreError::NoTenant(tenant.clone())));
        let homeless = self.homeless.iter().map(|(tenant, partitions)| {
            let gone = partitions.iter().map(|name| format!("the partition {name} is not there any more"));
            (tenant, RestoreError::Drift(gone.collect()))
        });
        unknown.chain(homeless).map(|(tenant, error)| TenantOutcome { tenant: tenant.clone(), result: Err(error) })
    }
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
                    RestoreError::BadId { id: asked.first().cloned().unwrap_or_default(), why }
                }
                other => other,
            }
        })?;
    let mut named = Named::default();
    for (asked, known) in found {
        match known {
            Some(id) if !named.known.contains(&id) => named.known.push(id),
            Some(_) => {}
            None => named.unknown.push(asked),
        }
    }
    Ok(named)
}
