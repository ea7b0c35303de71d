//! What can be typed to take part in a run.

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{Logged, OfRun, Planned, Stored};

#[derive(Debug, Args)]
pub(crate) struct Verb {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// Why, for the journal
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// Take back what the run did, the last steps first
    #[arg(long)]
    pub(crate) undo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GateVerb {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// What waits: `start`, `batch-2`, or STEP/KEY (`reinstate approvals` lists it)
    pub(crate) gate: String,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    pub(crate) gate: GateVerb,
    /// Confirm everything on its checklist: you have looked at each
    #[arg(long)]
    pub(crate) checked: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// ID of a site, or a unit as `why` names it: STEP/KEY or STEP/KEY/ITEM
    #[arg(required_unless_present = "quarantined", conflicts_with = "quarantined")]
    pub(crate) subject: Option<String>,
    /// All sites that are quarantined
    #[arg(long)]
    pub(crate) quarantined: bool,
    /// Go back to this step of the site, even if it succeeded, and do everything after it again
    #[arg(long, value_name = "STEP", requires = "subject")]
    pub(crate) from: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UnitVerb {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// The unit as `why` names it: STEP/KEY or STEP/KEY/ITEM
    pub(crate) unit: String,
}

#[derive(Debug, Args)]
pub(crate) struct MarkDone {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// The unit as `why` names it: STEP/KEY or STEP/KEY/ITEM
    pub(crate) unit: String,
    /// What shows that it is done: a ticket, a query and its answer
    #[arg(long)]
    pub(crate) evidence: String,
    /// Its outputs as a JSON object, if later steps read them
    #[arg(long, value_name = "JSON")]
    pub(crate) outputs: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SiteVerb {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// ID of the site
    pub(crate) site: String,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// ID of the site
    pub(crate) site: String,
    /// The run that has released it
    #[arg(long, value_name = "RUN")]
    pub(crate) from: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pool {
    /// Set the slots of a pool, of each of its instances
    Set(PoolSet),
}

#[derive(Debug, Args)]
pub(crate) struct PoolSet {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// Name of the pool
    pub(crate) pool: String,
    /// Slots, at least 1
    pub(crate) slots: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    pub(crate) verb: Verb,
    /// The unit as `why` names it: STEP/KEY or STEP/KEY/ITEM
    pub(crate) unit: String,
    /// What is true of it
    #[arg(value_enum)]
    pub(crate) truth: ResolveArg,
}

/// What an operator says of a unit in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResolveArg {
    /// It had its effect.
    Done,
    /// It had none: apply it again.
    NotDone,
    /// Not known, and not worth finding out: the sites it covers are quarantined.
    GiveUp,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Waiting {
    /// How long to stay while the run waits for people (approvals, a pause, rulings); 0s to end at once with code 5
    #[arg(long, env = "REINSTATE_WAIT", value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) wait: std::time::Duration,
    #[command(flatten)]
    pub(crate) logged: Logged,
}

/// Reads a time such as `90s`, `15m` or `24h`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write a number and a unit: 90s, 15m, 24h".to_owned())?;
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write a number and a unit: 90s, 15m, 24h".to_owned()),
    };
    let long = number.checked_mul(seconds).filter(|&long| long <= 30 * 86_400);
    long.map(std::time::Duration::from_secs).ok_or_else(|| "at most 30d".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Amend {
    /// Name of the run
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) planned: Planned,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Why, for the journal
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Hash of the new plan that was looked at: applies the difference, if the plan is still that one
    #[arg(long, value_name = "HASH", conflicts_with = "yes", requires_all = ["reason", "from"])]
    pub(crate) plan: Option<String>,
    /// Hash of the run's plan that the difference was from: nothing is changed if the run goes by another one by now
    #[arg(long, value_name = "HASH", requires = "plan")]
    pub(crate) from: Option<String>,
    /// Apply the difference without having looked at it
    #[arg(long, requires = "reason")]
    pub(crate) yes: bool,
}
