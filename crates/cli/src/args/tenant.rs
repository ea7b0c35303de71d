//! `tenant`: one tenant of a database, outside of any runbook.

use clap::{Args, Subcommand};

use super::texts::CLOSURE;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Say of every table whose its rows are, and how they lead to the tenant; changes nothing
    #[command(long_about = CLOSURE)]
    Closure(TenantClosure),
}

#[derive(Debug, Args)]
pub(crate) struct TenantClosure {
    /// Database, as postgres://USER@HOST:PORT/NAME; the password may be in PGPASSWORD
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Table of the tenants themselves: NAME or SCHEMA.NAME
    #[arg(long, value_name = "TABLE")]
    pub(crate) root: String,
    /// Column of the root that names a tenant; by default its primary key
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// Name of columns that hold a tenant's ID wherever they are; may be repeated
    #[arg(long = "tenant-column", value_name = "COLUMN")]
    pub(crate) tenant_columns: Vec<String>,
    /// What the catalogue does not say: 'TABLE=CLASS' or 'TABLE(COLUMN)->TABLE(COLUMN)'; may be repeated
    #[arg(long = "declare", value_name = "DECLARATION")]
    pub(crate) declarations: Vec<String>,
    /// Take foreign keys and declarations alone: no name of a column counts
    #[arg(long)]
    pub(crate) keys_only: bool,
}
