//! What can be typed about the order of a plan's work.

use clap::Args;

/// How long to look for a better order.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Optimise {
    /// Look this many seconds for an order of the work that ends earlier than the engine's own
    #[arg(long = "optimise", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: Option<u32>,
    /// Stop looking after this many schedules; the same number gives the same order
    #[arg(long, value_name = "N", requires = "seconds")]
    pub(crate) schedules: Option<u64>,
}
