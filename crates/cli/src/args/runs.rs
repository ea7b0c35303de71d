//! What can be typed about all runs of a store.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::address::StoreAddress;

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Where runs are recorded
    #[arg(
        long,
        env = "REINSTATE_STORE",
        default_value = "sqlite:reinstate.db",
        value_name = "ADDRESS",
        hide_env_values = true,
        global = true
    )]
    pub(crate) store: StoreAddress,
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Delete runs that are over for good, with their journals, plans and logs; the history of drills stays
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Runs that ended so long ago: 12h, 90d, 1y
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) older_than: Duration,
    /// Keep the newest N runs, however old
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep: usize,
    /// Show what would be deleted, and why the others stay; changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete without having been shown what
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}

/// Reads how old something is.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a number and a unit: 12h, 90d, 1y".to_owned())
}
