//! `postgres/verify@1`: the live database holds what the recovered copy holds of these tenants.

use std::collections::BTreeMap;
use std::time::Duration;

use runtime::Call;
use serde_json::Value;

use super::input::{Remapping, Verified, Verify};
use super::restore::asked;
use super::servers;
use super::trouble::trouble;
use crate::answer::{Trouble, revealed};
use crate::postgres::restore::{Checked, Guard, Job, OnConflict, Pairs, RestoreError, check, check_remapped, listed};

/// Compares.
pub(super) async fn apply(pairs: &Pairs, call: &Call) -> Result<Value, Trouble> {
    let input: Verify = revealed(&call.with, &call.secrets)?;
    let scope = input.root.scope(&input.tables, true)?;
    let tenants = asked(input.tenant.as_ref(), &input.tenants)?;
    let remap = input.remap.as_ref().map(Remapping::remap).transpose()?;
    let job = Job {
        from: input.from,
        to: input.to,
        scope,
        tenants,
        remap,
        on_conflict: OnConflict::Fail,
        connections: 1,
        chunk_rows: 0,
        replication_origin: None,
        lock_timeout: Duration::from_secs(5),
        guard: Guard::default(),
        run: String::new(),
        key: String::new(),
        token: 0,
    };
    let checked = match compared(pairs, &job).await {
        Err(error) if servers::is_away(&error) => {
            servers::back(&job.from, &job.to).await?;
            compared(pairs, &job).await
        }
        checked => checked,
    };
    let checked = checked.map_err(|error| trouble(&error))?;
    let Checked { tables, differences, dangling } = checked;
    if !differences.is_empty() {
        return Err(Trouble::never("postgres.differ", listed(&differences))
            .hint("is the tenant in use again, or was it never restored to this point?"));
    }
    if !dangling.is_empty() {
        return Err(Trouble::never(
            "postgres.references",
            format!("rows refer to rows that are not there: {}", listed(&dangling)),
        )
        .hint("restore what they refer to"));
    }
    let rows = tables.values().map(|tally| tally.rows).sum();
    let tables: BTreeMap<_, _> = tables.into_iter().collect();
    serde_json::to_value(Verified { rows, tables })
        .map_err(|error| Trouble::retry("postgres.failed", error.to_string()))
}

/// Compares tenants under their old IDs, or one under its new ones.
async fn compared(pairs: &Pairs, job: &Job) -> Result<Checked, RestoreError> {
    match &job.remap {
        Some(remap) => check_remapped(pairs, job, remap).await,
        None => check(pairs, (&job.from, &job.to), &job.scope, &job.tenants, job.lock_timeout).await,
    }
}
