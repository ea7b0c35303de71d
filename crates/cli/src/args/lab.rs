//! What can be typed for the model estate.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Build a model estate in a new folder
    Build {
        /// Folder; must not exist or be empty
        dir: PathBuf,
        /// What its shards are
        #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
        backend: Backend,
        /// Sites
        #[arg(long, default_value_t = 2000)]
        sites: u32,
        /// Shards
        #[arg(long, default_value_t = 8)]
        shards: u32,
        /// Rows over all shards, in all, on PostgreSQL: its servers add what the sites' own content lacks
        #[arg(long, default_value_t = 0)]
        rows: u64,
        /// Seed of everything in it
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where `lab serve` will listen; whoever reaches another address than loopback may do anything to the lab. Shards and
        /// objects stay paths and sockets of this machine, whatever the address
        #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
        address: IpAddr,
    },
    /// Delete sites from every store, as on 5 April 2022, and write DIR/sites.csv
    Damage {
        /// Folder of the lab
        dir: PathBuf,
        /// Sites to delete
        #[arg(long, default_value_t = 883)]
        sites: u32,
    },
    /// Run the estate's services until stopped
    Serve {
        /// Folder of the lab
        dir: PathBuf,
        /// Keep other tenants writing meanwhile
        #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
        live_writes: bool,
    },
    /// Compare the estate with the truth, row for row and object for object
    Diff {
        /// Folder of the lab
        dir: PathBuf,
    },
    /// Count and hash what every table holds, to see later whether it is the same again
    Fingerprint {
        /// Folder of the lab
        dir: PathBuf,
    },
}

/// What the lab's shards are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// SQLite files.
    Sqlite,
    /// PostgreSQL clusters with backups and archived WAL, one for each shard.
    Postgres,
}

impl From<Backend> for lab::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite,
            Backend::Postgres => Self::Postgres,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Sites of the lab
    #[arg(long, default_value_t = 2000)]
    pub(crate) sites: u32,
    /// Sites deleted and restored
    #[arg(long, default_value_t = 883)]
    pub(crate) damaged: u32,
    /// Shards
    #[arg(long, default_value_t = 8)]
    pub(crate) shards: u32,
    /// Seed of the lab
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// What the lab's shards are
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) backend: Backend,
    /// Rows over all shards, in all, on PostgreSQL: its servers add what the sites' own content lacks
    #[arg(long, default_value_t = 0)]
    pub(crate) rows: u64,
    /// How sites come back; under new IDs on PostgreSQL only
    #[arg(long, value_enum, default_value_t = DemoBook::Restoration2)]
    pub(crate) runbook: DemoBook,
    /// Folder to keep everything in; by default a temporary one, of which the report is kept
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

/// The shipped runbook that a demo runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoBook {
    /// New sites with new IDs.
    #[value(name = "restoration-1")]
    Restoration1,
    /// Sites with their original IDs.
    #[value(name = "restoration-2")]
    Restoration2,
}
