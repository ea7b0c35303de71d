//! `store`: stores themselves.

use clap::Subcommand;

use super::address::StoreAddress;
use super::texts::STORE_COPY;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy runs from one store to another, whole, with their sites
    #[command(long_about = STORE_COPY)]
    Copy {
        /// The store that has the runs
        from: StoreAddress,
        /// The store that gets them
        to: StoreAddress,
        /// The runs; all if none is named
        runs: Vec<String>,
    },
}
