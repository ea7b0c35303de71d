//! What can be typed for workers.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;

use crate::args::{Logged, Stored};

/// Labels, read as one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(pub(crate) BTreeSet<String>);

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// What steps may demand with `runs_on`: region=eu,ssd
    #[arg(long, value_name = "LABEL,...", value_parser = labels)]
    pub(crate) labels: Labels,
    /// Attempts executed at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) slots: u32,
    /// Its name in lists; by default host and process
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Time that attempts get to finish when it is told to end; then they are cancelled
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::runs::age)]
    pub(crate) grace: Duration,
    /// Time without contact to the store after which it gives up what it has, and drivers give it up
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    pub(crate) lease: Duration,
    #[command(flatten)]
    pub(crate) logged: Logged,
}

fn labels(text: &str) -> Result<Labels, String> {
    let labels = text.split(',').map(str::trim).filter(|label| !label.is_empty());
    let labels: BTreeSet<String> =
        labels.map(|label| runbook::check_label(label).map(|()| label.to_owned())).collect::<Result<_, _>>()?;
    match labels.is_empty() {
        true => Err("at least one label: steps name what they need in `runs_on`".to_owned()),
        false => Ok(Labels(labels)),
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let time = super::runs::age(text)?;
    let fits = (Duration::from_secs(1)..=Duration::from_millis(runtime::LEASE_MAX_MS)).contains(&time);
    if fits { Ok(time) } else { Err("from 1s to 1m".to_owned()) }
}
