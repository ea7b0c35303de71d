//! `tenant restore`: rows of tenants from a recovered copy into a live database.

use std::collections::BTreeMap;
use std::time::Instant;

use connectors::postgres::{
    Guard, Job, Looked, Mention, OnConflict, OnDangling, Outcome, Preview, Remap, RemapError, Remapped, RestoreError,
    Restored, Scope, SharedDiffers, TenantOutcome, preview, restore as put_back,
};
use runtime::{Clock, SystemClock};
use serde_json::{Value, json};

use super::options;
use crate::args::{ConflictPolicy, Renewal, TenantRestore};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Restores tenants, or looks what would be restored.
pub(super) async fn restore(args: TenantRestore, json: bool) -> Result<Exit, Failure> {
    if args.on_conflict == ConflictPolicy::Replace && !args.yes && !args.dry_run {
        return Err(Failure::input(
            "tenant.replace",
            "`--on-conflict replace` overwrites live rows",
            "look at them first with --dry-run, then say --yes",
        ));
    }
    let dry_run = args.dry_run;
    let job = job(args)?;
    let begun = Instant::now();
    if dry_run {
        let looked = preview(&job).await.map_err(|error| failure(&error))?;
        let clear = looked.tenants.iter().all(|(_, found)| found.as_ref().is_ok_and(is_clear));
        if json {
            out::json(&preview_json(&looked))
        } else {
            out::answer(&preview_text(&looked))
        }
        return Ok(if clear { Exit::Done } else { Exit::Exceptions });
    }
    let done = put_back(&job).await.map_err(|error| failure(&error))?;
    let all = done.tenants.iter().all(|tenant| tenant.result.is_ok());
    let seconds = begun.elapsed().as_secs_f64();
    if json {
        out::json(&outcome_json(&done, seconds))
    } else {
        out::answer(&outcome_text(&done, seconds))
    }
    Ok(if all { Exit::Done } else { Exit::Exceptions })
}

/// Reads `COLUMN=VALUE`, or `COLUMN` for NULL.
fn active(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((column, value)) => (column.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

fn job(args: TenantRestore) -> Result<Job, Failure> {
    Ok(Job {
        remap: remap(&args.renewal)?,
        scope: Scope {
            closure: options(&args.belonging)?,
            root: args.belonging.root,
            tables: args.tables,
            allow_triggers: args.allow_triggers,
            active: args.active.iter().map(|text| active(text)).collect(),
        },
        from: args.from,
        to: args.to,
        tenants: args.ids,
        on_conflict: match args.on_conflict {
            ConflictPolicy::Fail => OnConflict::Fail,
            ConflictPolicy::KeepLive => OnConflict::KeepLive,
            ConflictPolicy::Replace => OnConflict::Replace,
        },
        connections: usize::from(args.connections),
        chunk_rows: args.chunk_rows,
        replication_origin: args.replication_origin.clone(),
        lock_timeout: args.lock_timeout,
        guard: Guard { latency: args.max_latency, lag_bytes: args.max_lag },
        run: "tenant-restore".to_owned(),
        // Each call is a restore of its own: what is there already is found by looking, not by the ledger.
        key: format!("tenant-restore/{}", SystemClock.now()),
        token: 1,
    })
}

/// New IDs, if one was given.
fn remap(renewal: &Renewal) -> Result<Option<Remap>, Failure> {
    let Some(tenant) = renewal.new_id.clone() else { return Ok(None) };
    let read = |all: &[String], read: fn(&str) -> Result<Mention, RemapError>| {
        let mentions = all.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>();
        mentions.map_err(|error| Failure::input(error.code(), error.to_string(), error.hint()))
    };
    Ok(Some(Remap {
        tenant,
        keep: renewal.remap_keep.clone(),
        json: read(&renewal.remap_json, Mention::json)?,
        text: read(&renewal.remap_text, Mention::text)?,
        dangling: if renewal.report_dangling { OnDangling::Report } else { OnDangling::Fail },
    }))
}

fn failure(error: &RestoreError) -> Failure {
    let exit = match error {
        RestoreError::Connect(connectors::postgres::ConnectError::Url { .. })
        | RestoreError::Closure(_)
        | RestoreError::Remap(_)
        | RestoreError::Unclassed(_)
        | RestoreError::Drift(_)
        | RestoreError::Triggers(_)
        | RestoreError::BadId { .. } => Exit::BadInput,
        _ => Exit::Trouble,
    };
    Failure::new(exit, error.code(), error.to_string(), error.hint())
}

fn is_clear(looked: &Looked) -> bool {
    looked.conflicts.is_empty() && looked.missing.is_empty()
}

fn error_json(error: &RestoreError) -> Value {
    let conflicts = match error {
        RestoreError::Conflict { conflicts, .. } => conflicts.as_slice(),
        _ => &[],
    };
    json!({ "code": error.code(), "message": error.to_string(), "hint": error.hint(), "conflicts": conflicts })
}

fn outcome_json(done: &Outcome, seconds: f64) -> Value {
    let tenants: Vec<Value> = done
        .tenants
        .iter()
        .map(|TenantOutcome { tenant, result }| match result {
            Ok(restored) => json!({
                "id": tenant, "state": state(restored), "verified": true, "rows": restored.rows,
                "inserted": restored.inserted, "already": restored.already, "replaced": restored.replaced,
                "kept": restored.kept, "tables": restored.tables, "shared_made_again": restored.shared,
                "remapped": restored.remapped,
                "shared_differs": restored.shared_differs,
                "transactions": restored.chunks.as_ref().map_or(1, |chunks| chunks.transactions + 1),
            }),
            Err(error) => json!({ "id": tenant, "state": "failed", "verified": false, "error": error_json(error) }),
        })
        .collect();
    json!({
        "dry_run": false,
        "restored": done.tenants.iter().filter(|tenant| tenant.result.is_ok()).count(),
        "failed": done.tenants.iter().filter(|tenant| tenant.result.is_err()).count(),
        "rows": total(done),
        "seconds": seconds,
        "tenants": tenants,
        "sequences_raised": done.raised,
        "live": done.heard.map(|heard| json!({
            "transactions_timed": heard.beats, "p99_ms": heard.p99_ms, "slowed_down": heard.breaches,
        })),
    })
}

fn state(restored: &Restored) -> &'static str {
    if restored.inserted + restored.replaced == 0 { "there-already" } else { "restored" }
}

fn total(done: &Outcome) -> u64 {
    done.tenants.iter().filter_map(|tenant| tenant.result.as_ref().ok()).map(|restored| restored.rows).sum()
}

fn outcome_text(done: &Outcome, seconds: f64) -> String {
    let mut text = String::new();
    for TenantOutcome { tenant, result } in &done.tenants {
        match result {
            Ok(it) => {
                text.push_str(&format!("{tenant}: {} rows in {} tables, verified", it.rows, it.tables.len()));
                for (count, what) in
                    [(it.already, "were there"), (it.replaced, "replaced"), (it.kept, "kept as they are live")]
                {
                    if count > 0 {
                        text.push_str(&format!(", {count} {what}"));
                    }
                }
                if let Some(chunks) = &it.chunks {
                    text.push_str(&format!(", in {} transactions", chunks.transactions + 1));
                }
                for (table, rows) in &it.shared {
                    text.push_str(&format!(", {rows} shared rows of {table} made again"));
                }
                text.push('\n');
                if let Some(remapped) = &it.remapped {
                    text.push_str(&remapped_text(remapped));
                }
                text.push_str(&differing(&it.shared_differs));
            }
            Err(error) => {
                text.push_str(&format!(
                    "{tenant}: not restored: [{}] {error}\n  hint: {}\n",
                    error.code(),
                    error.hint()
                ));
            }
        }
    }
    for raised in &done.raised {
        text.push_str(&format!(
            "sequence {} stood at {} and was raised to {}\n",
            raised.sequence, raised.was, raised.to
        ));
    }
    let good = done.tenants.iter().filter(|tenant| tenant.result.is_ok()).count();
    text.push_str(&format!("{good} of {} tenants, {} rows, {seconds:.1} s", done.tenants.len(), total(done)));
    if let Some(heard) = done.heard {
        text.push_str(&format!("; live p99 {:.1} ms, slowed down {} times", heard.p99_ms, heard.breaches));
    }
    text
}

fn remapped_text(remapped: &Remapped) -> String {
    let ids: Vec<String> = remapped.ids.iter().map(|(table, count)| format!("{table} {count}")).collect();
    let mut text = format!("  is {} now; new IDs: {}\n", remapped.tenant, ids.join(", "));
    for dangling in &remapped.dangling {
        text.push_str(&format!("  old IDs are left in {dangling}\n"));
    }
    text
}

/// Shared rows that are not what they were: nobody's to write, but somebody's to look at.
fn differing(tables: &BTreeMap<String, SharedDiffers>) -> String {
    let line = |(table, it): (&String, &SharedDiffers)| {
        let more = if it.rows > it.keys.len() as u64 { ", ..." } else { "" };
        let (rows, keys) = (it.rows, it.keys.join(", "));
        format!("  differs from the backup, and stays as it is live: {rows} shared rows of {table}: {keys}{more}\n")
    };
    tables.iter().map(line).collect()
}

fn preview_json(looked: &Preview) -> Value {
    let tenants: Vec<Value> = looked
        .tenants
        .iter()
        .map(|(tenant, found)| match found {
            Ok(it) => json!({
                "id": tenant, "state": if is_clear(it) { "clear" } else { "blocked" }, "rows": it.rows,
                "already": it.already, "tables": it.tables, "conflicts": it.conflicts, "missing_references": it.missing,
                "shared_differs": it.shared_differs,
            }),
            Err(error) => json!({ "id": tenant, "state": "failed", "error": error_json(error) }),
        })
        .collect();
    json!({
        "dry_run": true, "tenants": tenants, "sequences_to_raise": looked.raised,
        "changed_by_the_deletion": looked.residue,
    })
}

fn preview_text(looked: &Preview) -> String {
    let mut text = String::new();
    for (tenant, found) in &looked.tenants {
        match found {
            Ok(it) => {
                let (rows, tables) = (it.rows, it.tables.len());
                text.push_str(&format!("{tenant}: {rows} rows in {tables} tables, {} there already\n", it.already));
                for conflict in &it.conflicts {
                    text.push_str(&format!("  in the way: {conflict}\n"));
                }
                for missing in &it.missing {
                    text.push_str(&format!("  not there: {missing}\n"));
                }
                text.push_str(&differing(&it.shared_differs));
            }
            Err(error) => {
                text.push_str(&format!(
                    "{tenant}: cannot be restored: [{}] {error}\n  hint: {}\n",
                    error.code(),
                    error.hint()
                ));
            }
        }
    }
    for raised in &looked.raised {
        let (was, to) = (raised.was, raised.to);
        text.push_str(&format!("sequence {} stands at {was} and would be raised to {to}\n", raised.sequence));
    }
    for row in &looked.residue {
        let now = row.is.as_ref().map_or("the row is gone".to_owned(), |is| format!("it holds {is}"));
        text.push_str(&format!(
            "left by the deletion, and not ours to write: {} {}: {} was {}, now {now}\n",
            row.table, row.key, row.columns, row.was
        ));
    }
    text.push_str("nothing was changed");
    text
}
