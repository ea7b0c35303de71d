//! `tenant`: tenants of a database, outside of any runbook.

mod closure;
mod restore;

use connectors::postgres::{DeclarationError, Options};

use crate::args::{Belonging, Tenant};
use crate::exit::Exit;
use crate::failure::Failure;

/// Carries a tenant command out.
pub(crate) async fn tenant(command: Tenant, json: bool) -> Result<Exit, Failure> {
    match command {
        Tenant::Closure(args) => closure::closure(&args, json).await,
        Tenant::Restore(args) => restore::restore(*args, json).await,
    }
}

fn options(args: &Belonging) -> Result<Options, Failure> {
    let declarations = args
        .declarations
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, DeclarationError>>()
        .map_err(|error| {
            Failure::input("tenant.declaration", error.to_string(), "`reinstate tenant closure --help` shows examples")
        })?;
    Ok(Options {
        key: args.key.clone(),
        tenant_columns: args.tenant_columns.clone(),
        declarations,
        by_name: !args.keys_only,
    })
}
