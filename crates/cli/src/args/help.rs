//! What can be typed to have something explained.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Help {
    /// Page, code or command; without one, what there is
    #[arg(value_name = "PAGE|CODE|COMMAND")]
    pub(crate) words: Vec<String>,
}
