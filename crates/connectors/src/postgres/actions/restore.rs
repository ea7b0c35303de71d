//! `postgres/restore@1`: tenants back into the live database.

use std::time::Duration;

use runtime::Call;
use serde_json::Value;

use super::input::{Remapping, Restore, Restored, Tenant, Triggers};
use super::servers;
use super::trouble::trouble;
use crate::answer::{Trouble, duration, revealed};
use crate::postgres::connect::connect_patiently;
use crate::postgres::restore::{self, CHUNK_ROWS, Job, Pairs, RestoreError};

/// Restores the rows.
pub(super) async fn apply(pairs: &Pairs, call: &Call) -> Result<Value, Trouble> {
    let input: Restore = revealed(&call.with, &call.secrets)?;
    let asked = asked(input.tenant.as_ref(), &input.tenants)?;
    let job = Job {
        scope: input.root.scope(&input.tables, input.triggers == Triggers::Fire)?,
        tenants: asked,
        remap: input.remap.as_ref().map(Remapping::remap).transpose()?,
        on_conflict: input.on_conflict.into(),
        connections: usize::from(input.connections.unwrap_or(2)),
        chunk_rows: input.chunk_rows.unwrap_or(CHUNK_ROWS),
        lock_timeout: match &input.lock_timeout {
            Some(text) => duration("lock_timeout", text)?,
            None => Duration::from_secs(5),
        },
        guard: input.guard.guard()?,
        replication_origin: input.replication_origin,
        run: run(&call.key).to_owned(),
        key: call.key.clone(),
        token: i64::try_from(call.token).unwrap_or(i64::MAX),
        from: input.from,
        to: input.to,
    };
    call.log.note(format_args!("{} tenants, on {} connections", job.tenants.len(), job.connections));
    let done = match restore::restore_with(pairs, &job).await {
        Err(error) if servers::is_away(&error) => {
            call.log.note("the recovered server is away; it is started again");
            servers::back(&job.from, &job.to).await?;
            restore::restore_with(pairs, &job).await
        }
        done => done,
    };
    let done = done.map_err(|error| trouble(&error))?;
    let mut failed = Vec::new();
    let mut good = Vec::new();
    for outcome in &done.tenants {
        match &outcome.result {
            Ok(one) => {
                let (rows, inserted, already) = (one.rows, one.inserted, one.already);
                call.log.note(format_args!(
                    "{}: {rows} rows, {inserted} inserted, {already} there already",
                    outcome.tenant
                ));
                good.push(one);
            }
            Err(error) => {
                call.log.note(format_args!("{}: {}: {error}", outcome.tenant, error.code()));
                failed.push(error);
            }
        }
    }
    // Of several reasons the one that leaves most open is told: it decides what may be done next.
    let worst = failed.iter().copied().max_by_key(|error| (error.is_in_doubt(), error.may_pass()));
    if let Some(error) = worst {
        let one = trouble(error);
        return Err(if failed.len() < done.tenants.len() && !error.is_in_doubt() {
            // Some are back: the attempt has changed something, and another one finds them done.
            one.partly(done.tenants.len() - failed.len(), done.tenants.len())
        } else {
            one
        });
    }
    let sum =
        Restored { sequences_raised: done.raised, live_p99_ms: done.heard.map(|heard| heard.p99_ms), ..summed(good) };
    serde_json::to_value(sum).map_err(|error| Trouble::unknown("postgres.failed", error.to_string()))
}

/// Looks into the ledger, after any transaction that is still on its way.
pub(super) async fn probe(call: &Call) -> Result<Value, Trouble> {
    let input: Restore = revealed(&call.with, &call.secrets)?;
    let tenants = asked(input.tenant.as_ref(), &input.tenants)?;
    // As long as the ledger was not read, nothing is known.
    let mut live = connect_patiently(&input.to).await.map_err(|error| trouble(&error.into()).in_doubt())?;
    let entries = restore::ledger_entries(&mut live, &call.key).await.map_err(|error| trouble(&error).in_doubt())?;
    if let Some(by) = entries.iter().find_map(|entry| entry.undone_by.clone()) {
        return Err(trouble(&RestoreError::Undone(by)));
    }
    if entries.len() < tenants.len() {
        let (known, asked) = (entries.len(), tenants.len());
        return Err(Trouble::retry(
            "postgres.not_done",
            format!("the ledger has {known} of {asked} tenants of this unit"),
        ));
    }
    let all: Vec<restore::Restored> = entries.into_iter().map(Into::into).collect();
    serde_json::to_value(summed(all.iter().collect()))
        .map_err(|error| Trouble::unknown("postgres.failed", error.to_string()))
}

/// Adds up what was done for several tenants.
fn summed(all: Vec<&restore::Restored>) -> Restored {
    let mut sum = Restored::default();
    let mut hash = 0_u128;
    sum.shared_differs = restore::joined(all.iter().map(|one| &one.shared_differs));
    for one in all {
        sum.rows += one.rows;
        sum.inserted += one.inserted;
        sum.already += one.already;
        sum.replaced += one.replaced;
        sum.kept += one.kept;
        sum.chunks += one.chunks.as_ref().map_or(0, |chunks| chunks.transactions);
        // The hash is that of the backup's rows, whatever IDs they have now.
        let tables = one.remapped.as_ref().map_or(&one.tables, |remapped| &remapped.backup);
        for (table, tally) in tables {
            *sum.tables.entry(table.clone()).or_insert(0) += tally.rows;
            hash = hash.wrapping_add(u128::from_str_radix(&tally.hash, 16).unwrap_or(0));
        }
        for (table, rows) in &one.shared {
            *sum.shared.entry(table.clone()).or_insert(0) += rows;
        }
        if let Some(remapped) = &one.remapped {
            sum.tenant = Some(remapped.tenant.clone());
            sum.ids = Some(remapped.ids.clone());
            sum.dangling.clone_from(&remapped.dangling);
        }
    }
    sum.hash = format!("{hash:032x}");
    sum
}

/// The tenants that inputs name.
pub(super) fn asked(tenant: Option<&Tenant>, tenants: &[Tenant]) -> Result<Vec<String>, Trouble> {
    let all: Vec<String> = tenant.into_iter().chain(tenants).map(ToString::to_string).collect();
    if all.is_empty() {
        return Err(Trouble::never("inputs", "no tenant is named").hint("give `tenant`, or `tenants` as a list"));
    }
    Ok(all)
}

/// The run of a key `run/step/key/item`.
pub(super) fn run(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}
