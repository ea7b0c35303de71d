//! `report`, what a run cannot know of the incident, and `messages`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{OfRun, Planned};

#[derive(Debug, Args)]
pub(crate) struct ReportCommand {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// Form of the report (`--json` is short for json)
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// File to write instead of standard output
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

/// Words that go into a status message; what is not given is the estate's `announce`.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// Status messages: a text of your own, with `{{percent}}` and the like
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,
    /// Status messages: name of the incident
    #[arg(long, value_name = "NAME")]
    pub(crate) incident: Option<String>,
    /// Status messages: what happened
    #[arg(long, value_name = "TEXT")]
    pub(crate) what: Option<String>,
    /// Status messages: how customers reach support
    #[arg(long, value_name = "TEXT")]
    pub(crate) support: Option<String>,
    /// Status messages: ID of a component of the status page that is affected; may be given again
    #[arg(long, value_name = "ID")]
    pub(crate) component: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Messages {
    #[command(flatten)]
    pub(crate) planned: Planned,
    /// Name of the run: what it has sent already is shown as sent
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// One page with plots, without the network.
    Html,
    /// One test case a site, for CI.
    Junit,
    /// Words for the outside.
    Status,
    /// The same as Markdown.
    StatusMd,
    /// The same as JSON for the API of a status page.
    Statuspage,
}
