//! Servers that are away when an attempt needs them: a live one that restarts is waited for, a recovered one that died is
//! started again. The retries of a runbook are for what lasts longer.

use super::trouble::trouble;
use crate::answer::Trouble;
use crate::postgres::catalog::CatalogError;
use crate::postgres::connect::connect_patiently;
use crate::postgres::recover;
use crate::postgres::restore::{EXTRACT, RestoreError};

/// Whether the work on two servers could not begin because one of them is away, or not yet where it stood.
pub(super) fn is_away(error: &RestoreError) -> bool {
    match error {
        RestoreError::Connect(error) => error.may_pass_soon(),
        RestoreError::Moving(_) => true,
        RestoreError::Catalog(CatalogError::Refused { restarts, .. }) => *restarts,
        // The line broke, or the server said that it ends; what may be committed is in the ledger.
        RestoreError::Database { state, .. } => {
            state.as_deref().is_none_or(|state| state.starts_with("57P") || state.starts_with("08"))
        }
        _ => false,
    }
}

/// Waits until a recovered copy and a live database answer, so that the work is worth another try.
///
/// # Errors
/// What keeps a server from coming back.
///
/// # Cancel safety
/// May be dropped at any await: a server that was started goes on.
pub(super) async fn back(from: &str, to: &str) -> Result<(), Trouble> {
    // Nobody but us looks after a recovered copy: it would not come back by itself.
    if !from.starts_with(EXTRACT) && !recover::revive(from).await? {
        connect_patiently(from).await.map_err(|error| trouble(&error.into()))?;
    }
    connect_patiently(to).await.map(drop).map_err(|error| trouble(&error.into()))
}
