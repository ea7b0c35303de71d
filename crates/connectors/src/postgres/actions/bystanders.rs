//! `postgres/bystanders@1`: nothing but rows of the restored tenants came from our transactions.
//!
//! Three independent looks: the ledger, whose counters the server gave inside of each transaction; every row whose last
//! writer is one of our transactions, with whose it is; and, where the WAL is at hand, every record that they wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use runtime::Call;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use super::input::{Bystanders, Stood};
use super::trouble::trouble;
use super::wal;
use crate::answer::{Trouble, revealed};
use crate::postgres::catalog::{Catalog, TableKind};
use crate::postgres::closure::Closure;
use crate::postgres::connect::connect_patiently;
use crate::postgres::quote::qualified;
use crate::postgres::restore::{RestoreError, failed, ledger_is_there, listed};

/// A transaction of ours, from the ledger.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) xid: u32,
    /// Whose rows it wrote, and how many; small tenants share a transaction.
    tenants: BTreeMap<String, u64>,
    /// Those of them that are back since.
    restored: Vec<String>,
    /// Rows inserted, those of shared tables too.
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) begun: String,
    shared: u64,
}

impl Ours {
    /// Its tenants, for people.
    pub(super) fn whose(&self) -> String {
        listed(&self.tenants.keys().cloned().collect::<Vec<_>>())
    }
}

/// Looks three times.
pub(super) async fn apply(call: &Call) -> Result<Value, Trouble> {
    let input: Bystanders = revealed(&call.with, &call.secrets)?;
    let mut live = connect_patiently(&input.live).await.map_err(|error| trouble(&error.into()))?;
    let ours = ours(&mut live, input.run.as_deref()).await.map_err(|error| trouble(&error))?;
    let mut stood = Stood {
        transactions: ours.len() as u64,
        rows: ours.iter().map(|one| one.inserted).sum(),
        restored_sites: ours.iter().flat_map(|one| &one.restored).collect::<BTreeSet<_>>().len() as u64,
        ..Stood::default()
    };
    let mut foreign = seen(&mut live, &input, &ours, &mut stood).await.map_err(|error| trouble(&error))?;
    if !ours.is_empty() {
        let folder = match &input.wal {
            Some(folder) => Some(folder.clone()),
            None => own_wal(&mut live, &input.live).await,
        };
        let bin = input.bin.as_deref();
        match folder {
            None => {
                stood.wal_skipped = Some("the server's WAL is not at hand here: give its archive as `wal`".to_owned())
            }
            Some(folder) => match wal::audit(&mut live, &folder, bin, &ours).await {
                Ok((audited, found)) => {
                    foreign.extend(found);
                    stood.wal = Some(audited);
                }
                // What nobody asked for may be missing: the oldest of it is recycled after a while.
                Err(error) if input.wal.is_none() => stood.wal_skipped = Some(error.to_string()),
                Err(error) => return Err(error),
            },
        }
    }
    if !foreign.is_empty() {
        return Err(Trouble::never("postgres.bystanders", listed(&foreign))
            .hint("rows of others were written by our transactions: look for triggers that fired"));
    }
    serde_json::to_value(stood).map_err(|error| Trouble::retry("postgres.failed", error.to_string()))
}

/// The folder of a server's own WAL, if the server is on this host and its files can be read.
async fn own_wal(live: &mut PgConnection, url: &str) -> Option<PathBuf> {
    // Only a socket says for sure that it is this host.
    let socket = url::Url::parse(url).ok()?.query_pairs().any(|(name, host)| name == "host" && host.starts_with('/'));
    if !socket {
        return None;
    }
    let (data,): (Option<String>,) =
        sqlx::query_as("SELECT current_setting('data_directory', true)").fetch_one(live).await.ok()?;
    let folder = PathBuf::from(data?).join("pg_wal");
    std::fs::read_dir(&folder).is_ok().then_some(folder)
}

async fn ours(live: &mut PgConnection, run: Option<&str>) -> Result<Vec<Ours>, RestoreError> {
    if !ledger_is_there(live).await? {
        return Ok(Vec::new());
    }
    // A mark that nothing is to be restored under a key is no transaction of its own.
    const SELECT: &str = "SELECT l.xid::text, l.tenant, l.inserted, l.updated, l.begun_lsn::text, l.undone_by IS NOT NULL, \
          l.detail ? 'removes', l.detail ? 'chunk', (SELECT coalesce(sum(v::int8), 0)::int8 FROM jsonb_each_text(coalesce(l.detail -> 'shared', '{}')) AS s(k, v)) \
        FROM reinstate.ledger AS l WHERE ($1::text IS NULL OR l.run = $1) AND (l.token > 0 OR l.detail ? 'removes') ORDER BY l.xid";
    type Row = (String, String, i64, i64, String, bool, bool, bool, i64);
    let rows: Vec<Row> = sqlx::query_as(SELECT).bind(run).fetch_all(live).await.map_err(failed("read the ledger"))?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut ours: Vec<Ours> = Vec::new();
    for (xid, tenant, rows, updated, begun, undone, removes, part, shared) in rows {
        // The low half is what rows and the WAL hold.
        #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
        let xid = xid.parse::<u64>().unwrap_or(0) as u32;
        // They come in the order of their transactions.
        if ours.last().is_none_or(|last| last.xid != xid) {
            ours.push(Ours { xid, begun, ..Ours::default() });
        }
        let Some(one) = ours.last_mut() else { continue };
        let (rows, updated, shared) = (number(rows), number(updated), number(shared));
        if removes {
            one.deleted += rows;
        } else {
            one.inserted += rows + shared;
            if !undone && !part {
                one.restored.push(tenant.clone());
            }
        }
        one.updated += updated;
        one.shared += shared;
        *one.tenants.entry(tenant).or_insert(0) += updated + if removes { 0 } else { rows };
    }
    Ok(ours)
}

/// Reads every row whose last writer is one of our transactions; returns those that are nobody's business of ours.
async fn seen(
    live: &mut PgConnection,
    input: &Bystanders,
    ours: &[Ours],
    stood: &mut Stood,
) -> Result<Vec<String>, RestoreError> {
    let catalog = Catalog::read(live).await?;
    let closure = match &input.root {
        Some(root) => {
            let scope = root.scope(&[], true).map_err(|_| RestoreError::Stream("the declarations"))?;
            Some(Closure::of(&catalog, &scope.root, &scope.closure)?)
        }
        None => None,
    };
    let by_xid: BTreeMap<u32, &Ours> = ours.iter().map(|one| (one.xid, one)).collect();
    let xids: Vec<String> = by_xid.keys().map(ToString::to_string).collect();
    let mut found = Vec::new();
    let mut counted: BTreeMap<u32, u64> = BTreeMap::new();
    let mut own: BTreeMap<(u32, String), u64> = BTreeMap::new();
    let mut of_nobody: BTreeMap<u32, u64> = BTreeMap::new();
    for (at, table) in catalog.tables.iter().enumerate() {
        if !matches!(table.kind, TableKind::Plain | TableKind::Partitioned) {
            continue;
        }
        let wanted = "ARRAY[]::text[]";
        let rows = closure.as_ref().and_then(|closure| closure.rows(&catalog, at, wanted));
        let (from, tenant) = match &rows {
            Some(rows) => (rows.from.clone(), format!("({})::text", rows.tenant)),
            None => (format!("ONLY {} AS t", qualified(&table.schema, &table.name)), "NULL::text".to_owned()),
        };
        let from = if table.kind == TableKind::Partitioned { from.replacen("ONLY ", "", 1) } else { from };
        let select =
            format!("SELECT t.xmin::text, {tenant}, count(*) FROM {from} WHERE t.xmin::text = ANY($1) GROUP BY 1, 2");
        let rows_of: Vec<(String, Option<String>, i64)> = sqlx::query_as(AssertSqlSafe(select))
            .bind(&xids)
            .fetch_all(&mut *live)
            .await
            .map_err(failed(format!("read rows of {}", table.label())))?;
        for (xid, tenant, rows) in rows_of {
            let Some(one) = xid.parse().ok().and_then(|xid: u32| by_xid.get(&xid)) else { continue };
            let rows = u64::try_from(rows).unwrap_or(0);
            stood.rows_seen += rows;
            *counted.entry(one.xid).or_insert(0) += rows;
            match tenant {
                Some(tenant) if !one.tenants.contains_key(&tenant) => {
                    stood.foreign += rows;
                    found.push(format!(
                        "{rows} rows of {tenant} in {} were written by the restore of {}",
                        table.label(),
                        one.whose()
                    ));
                }
                Some(tenant) => *own.entry((one.xid, tenant)).or_insert(0) += rows,
                None if closure.is_some() => *of_nobody.entry(one.xid).or_insert(0) += rows,
                None => {}
            }
        }
    }
    for one in ours {
        let more = counted.get(&one.xid).copied().unwrap_or(0).saturating_sub(one.inserted + one.updated);
        let nobody = of_nobody.get(&one.xid).copied().unwrap_or(0).saturating_sub(one.shared);
        if more > 0 || nobody > 0 {
            stood.foreign += more.max(nobody);
            found.push(format!("the restore of {} wrote {} rows that are not its own", one.whose(), more.max(nobody)));
            continue;
        }
        // The sum may be right where one has what is another's.
        for (tenant, meant) in &one.tenants {
            let rows = own.get(&(one.xid, tenant.clone())).copied().unwrap_or(0);
            if rows > *meant {
                stood.foreign += rows - meant;
                found.push(format!("the restore of {tenant} meant to write {meant} rows, and {rows} are there"));
            }
        }
    }
    Ok(found)
}
