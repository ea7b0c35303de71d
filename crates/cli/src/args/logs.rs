//! What can be typed about logs: of a run's events, and of what attempts did.

use clap::Args;

use crate::args::OfRun;

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// Only events of this site
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// Only events of this step
    #[arg(long)]
    pub(crate) step: Option<String>,
    /// What the attempts of a unit did and printed, as `why` names it: STEP/KEY or STEP/KEY/ITEM
    #[arg(long, value_name = "STEP/KEY", conflicts_with_all = ["site", "step"])]
    pub(crate) unit: Option<String>,
    /// Only this attempt of the unit; by default all of them, one after the other
    #[arg(long, value_name = "N", requires = "unit", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    /// Only the last N events, or lines of each attempt
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Go on until the unit is settled, or the run has ended
    #[arg(long, requires = "unit")]
    pub(crate) follow: bool,
}

/// How much attempts may write.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Logged {
    /// What the logs of a run's attempts may take, all together: 64MiB, 1GiB; 0 keeps none
    #[arg(long, env = "REINSTATE_RUN_LOGS", value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) run_logs: u64,
}

impl Default for Logged {
    fn default() -> Self {
        Self { run_logs: 1 << 30 }
    }
}

/// Reads a size such as `0`, `64MiB` or `1GiB`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a number and a unit: 0, 64MiB, 1GiB".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let shift = match &text[digits.len()..] {
        "" if number == 0 => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).filter(|&bytes| bytes <= 1 << 40).ok_or_else(|| "at most 1024GiB".to_owned())
}
