//! `tenant`: one tenant of a database, outside of any runbook.

use clap::{Args, Subcommand, ValueEnum};

use super::texts::{CLOSURE, TENANT_RESTORE};

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Say of every table whose its rows are, and how they lead to the tenant; changes nothing
    #[command(long_about = CLOSURE)]
    Closure(TenantClosure),
    /// Put rows of tenants from a recovered copy back into a live PostgreSQL database, under their IDs, proven
    #[command(long_about = TENANT_RESTORE)]
    Restore(Box<TenantRestore>),
}

/// How rows lead to a tenant.
#[derive(Debug, Args)]
pub(crate) struct Belonging {
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

#[derive(Debug, Args)]
pub(crate) struct TenantClosure {
    /// Database, as postgres://USER@HOST:PORT/NAME; the password may be in PGPASSWORD
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) belonging: Belonging,
}

#[derive(Debug, Args)]
pub(crate) struct TenantRestore {
    /// The recovered copy; only read
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// The live database
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) belonging: Belonging,
    /// ID of a tenant, as the root's key has it; several, or repeated
    #[arg(long = "id", value_name = "VALUE", num_args = 1.., required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) renewal: Renewal,
    /// Only tables that fit a glob (`*`, `?`); may be repeated
    #[arg(long = "table", value_name = "GLOB")]
    pub(crate) tables: Vec<String>,
    /// Only look: what is there already, what is in the way, what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What happens if live rows of the tenant are in the way
    #[arg(long, value_enum, default_value_t = ConflictPolicy::Fail)]
    pub(crate) on_conflict: ConflictPolicy,
    /// Agree that live rows are overwritten (`--on-conflict replace`)
    #[arg(long)]
    pub(crate) yes: bool,
    /// Let triggers fire that cannot be kept quiet
    #[arg(long)]
    pub(crate) allow_triggers: bool,
    /// Connections that write to the live database
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) connections: u8,
    /// Commit a tenant with more rows than this in several transactions, its own row in the last; 0 for never
    #[arg(long, value_name = "ROWS", default_value_t = connectors::postgres::CHUNK_ROWS)]
    pub(crate) chunk_rows: u64,
    /// How long a lock is waited for, such as 5s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) lock_timeout: std::time::Duration,
    /// Slow down while a small transaction on the live database takes longer than this, such as 20ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) max_latency: Option<std::time::Duration>,
    /// Slow down while a replica is further behind than this many bytes of WAL
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_lag: Option<u64>,
    /// What a tenant's own row must hold in the copy (COLUMN alone: NULL); one that was switched off before is refused
    #[arg(long, value_name = "COLUMN[=VALUE]")]
    pub(crate) active: Vec<String>,
    /// Write under a replication origin of this name, which readers of changes may leave out
    #[arg(long, value_name = "NAME")]
    pub(crate) replication_origin: Option<String>,
}

/// New IDs instead of the old ones.
#[derive(Debug, Args)]
pub(crate) struct Renewal {
    /// Restore one tenant under this ID: its keys get new values, and what refers to them follows
    #[arg(long, value_name = "VALUE")]
    pub(crate) new_id: Option<String>,
    /// Keep a column's values though they look like IDs: glob of TABLE.COLUMN; may be repeated
    #[arg(long, value_name = "GLOB", requires = "new_id")]
    pub(crate) remap_keep: Vec<String>,
    /// A place inside of JSON that holds IDs: 'TABLE(COLUMN $.a[*].b)->TABLE(COLUMN)'; may be repeated
    #[arg(long, value_name = "DECLARATION", requires = "new_id")]
    pub(crate) remap_json: Vec<String>,
    /// A column in whose text IDs are whole words: 'TABLE(COLUMN)->TABLE(COLUMN)'; may be repeated
    #[arg(long, value_name = "DECLARATION", requires = "new_id")]
    pub(crate) remap_text: Vec<String>,
    /// Tell of old IDs that are left where none was declared, instead of failing
    #[arg(long, requires = "new_id")]
    pub(crate) report_dangling: bool,
}

/// What happens if live rows of a tenant are in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConflictPolicy {
    /// The tenant is not restored, and every conflict is listed.
    Fail,
    /// They stay as they are; what is missing is restored.
    KeepLive,
    /// They get the contents that the backup has under their keys.
    Replace,
}
