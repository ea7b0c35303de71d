//! What can be typed about drills.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::{FindingFormat, Stored};

#[derive(Debug, Subcommand)]
pub(crate) enum Drill {
    /// Find every mistake of a drill file, its runbook, estate and site list; changes nothing
    Check(DrillCheck),
    /// Run a drill now, clean up, judge it and keep the result; first ends one whose process was lost
    Run(DrillRun),
    /// Show when each drill takes place next, how it last went, and whether it raises the alarm
    List(DrillList),
    /// Show how a drill went over time, and what no drill has ever run
    History(DrillHistory),
    /// Fail unless each drill passed lately; first ends those whose process was lost
    Verify(DrillList),
}

#[derive(Debug, Args)]
pub(crate) struct DrillCheck {
    /// The drill file
    pub(crate) file: PathBuf,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = FindingFormat::Text)]
    pub(crate) format: FindingFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DrillRun {
    /// The drill file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Draw sites and restore point with this seed, such as that of an earlier drill
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Let chaos in: attempts of the run are failed, cut off, delivered twice or delayed, after an undisturbed drill over
    /// the same sites; names steps that cannot bear it
    #[arg(long)]
    pub(crate) chaos: bool,
    /// File to write the judgement to as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DrillList {
    /// The drill files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) stored: Stored,
}

#[derive(Debug, Args)]
pub(crate) struct DrillHistory {
    /// The drill file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Drills that are looked at, the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) last: u32,
}
