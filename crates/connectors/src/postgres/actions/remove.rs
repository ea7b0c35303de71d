//! `postgres/remove@1`: takes one restore back.

use std::time::Duration;

use runtime::Call;
use serde_json::Value;

use super::input::{IfChanged, Remove, Removed};
use super::restore::run;
use super::trouble::trouble;
use crate::answer::{Trouble, revealed};
use crate::postgres::connect::connect_patiently;
use crate::postgres::restore::{self, Live, Pair, Pairs, Removal, RestoreError};

/// Removes the rows.
pub(super) async fn apply(pairs: &Pairs, call: &Call) -> Result<Value, Trouble> {
    let input: Remove = revealed(&call.with, &call.secrets)?;
    let Some(undoes) = &call.undoes else {
        return Err(Trouble::never(
            "postgres.no_restore",
            "postgres/remove@1 takes back one restore, and none is given",
        )
        .hint("use it as the `undo` of a step that uses postgres/restore@1"));
    };
    let rows = removed(pairs, call, &input, undoes).await.map_err(|error| trouble(&error))?;
    answer(rows)
}

async fn removed(pairs: &Pairs, call: &Call, input: &Remove, undoes: &str) -> Result<u64, RestoreError> {
    let scope = input.root.scope(&input.tables, true).map_err(|_| RestoreError::Stream("the declarations"))?;
    // Only the live side is asked: the recovered copy may be gone by now.
    let mut other = connect_patiently(&input.to).await?;
    let mut live = Live::open(&input.to, Duration::from_secs(5)).await?;
    let described = Pair::describe(&mut other, &scope);
    let pair = pairs.of((&input.to, described), &input.to, &mut live.connection, &scope).await?;
    if !live.quiet {
        pair.may_be_loud()?;
    }
    let tenant = pair.canonical(&mut live.connection, &input.tenant.to_string()).await?;
    let removal = Removal {
        key: &call.key,
        undoes,
        token: i64::try_from(call.token).unwrap_or(i64::MAX),
        run: run(&call.key),
        tenant: &tenant,
        whatever: input.if_changed == IfChanged::Remove,
    };
    restore::remove(&mut live, &pair, removal).await
}

/// Looks for the unit's own ledger row, after any transaction that is still on its way.
pub(super) async fn probe(call: &Call) -> Result<Value, Trouble> {
    let input: Remove = revealed(&call.with, &call.secrets)?;
    // As long as the ledger was not read, nothing is known.
    let mut live = connect_patiently(&input.to).await.map_err(|error| trouble(&error.into()).in_doubt())?;
    let entries = restore::ledger_entries(&mut live, &call.key).await.map_err(|error| trouble(&error).in_doubt())?;
    match entries.first() {
        Some(entry) => answer(entry.inserted),
        None => Err(Trouble::retry("postgres.not_done", "the ledger has no row for this unit")),
    }
}

fn answer(rows: u64) -> Result<Value, Trouble> {
    serde_json::to_value(Removed { rows }).map_err(|error| Trouble::unknown("postgres.failed", error.to_string()))
}
