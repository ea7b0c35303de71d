//! `bench`: figures of this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::address::StoreAddress;
use super::lab::Backend;
use super::texts::{BENCH_RESTORE, BENCH_STORE, BENCH_TENANT};
use crate::bench::{PoolSetting, STEPS};

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Durable steps a second of a layered runbook of `noop`
    Engine(BenchEngine),
    /// Whether a store stays small and fast while runs come and go
    #[command(long_about = BENCH_STORE)]
    Store(BenchStore),
    /// Sites an hour of whole restores, what holds them up, and how long a larger one will take
    #[command(long_about = BENCH_RESTORE)]
    Restore(BenchRestore),
    /// Rows a second of a tenant restore, against what can be done by hand
    #[command(long_about = BENCH_TENANT)]
    Tenant(BenchTenant),
}

#[derive(Debug, Args)]
pub(crate) struct BenchEngine {
    /// Sites
    #[arg(long, default_value_t = 883)]
    pub(crate) sites: u32,
    /// Steps of each site
    #[arg(long, default_value_t = STEPS, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) steps: u32,
    /// Store: sqlite, in a file of its own, or postgres://USER@HOST/DATABASE?schema=NAME, where the runs stay
    #[arg(long, default_value = "sqlite", value_name = "ADDRESS")]
    pub(crate) store: StoreAddress,
    /// Folder for files; by default a temporary one beside the current folder
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Have so many worker processes on this host execute every step; 0 executes them here
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) workers: u32,
    /// Do so many steps a second, instead of as many as can be, and tell how long a step that may start waits for it
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchStore {
    /// Store, best one made for this: sqlite:PATH or postgres://USER@HOST/DATABASE?schema=NAME; REINSTATE_STORE is not asked
    // It is filled and emptied: whoever has the variable set for their real runs must type what they mean.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) store: StoreAddress,
    /// Run after run for so long, of which all but the newest two are given up: 1h
    #[arg(long, value_name = "TIME", value_parser = soak, conflicts_with = "history", required_unless_present = "history")]
    pub(crate) soak: Option<Duration>,
    /// A week in which so many units are done, and another one in which runs are given up when they are two days old
    #[arg(long, value_name = "UNITS", value_parser = history)]
    pub(crate) history: Option<u64>,
    /// Sites of a run that is measured
    #[arg(long, default_value_t = 883, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sites: u32,
    /// Have so many worker processes on this host execute the steps of runs that are measured; 0 executes them here
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) workers: u32,
}

fn soak(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time < Duration::from_secs(1) { Err("at least 1s: its quarters are compared".to_owned()) } else { Ok(time) }
}

fn history(text: &str) -> Result<u64, String> {
    let units = text.parse::<u64>().map_err(|error| error.to_string())?;
    let fits = (7..=1_000_000_000).contains(&units);
    if fits { Ok(units) } else { Err("from 7, a unit for each day of the week, to 1000000000".to_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct BenchRestore {
    /// What the shards of the lab are
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    pub(crate) backend: Backend,
    /// Runbook for the lab instead of the shipped restoration-2
    #[arg(long, value_name = "FILE")]
    pub(crate) runbook: Option<PathBuf>,
    /// Sites of a run; the largest number with every size, smaller ones for the curve
    #[arg(long, value_delimiter = ',', default_value = "40,120", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sites: Vec<u32>,
    /// Sites of a batch
    #[arg(long, value_delimiter = ',', default_value = "10,20,40", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batches: Vec<u32>,
    /// Sizes of the pools: x0.5 for half the slots that the runbook gives each, 8 for 8 slots in each; x1 is always measured
    #[arg(long, value_delimiter = ',', default_value = "x0.25,x1,x4", value_name = "SIZE")]
    pub(crate) pools: Vec<PoolSetting>,
    /// Worker processes that execute the steps; 0 has the driver execute them itself
    #[arg(long, value_delimiter = ',', default_value = "0", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) workers: Vec<u32>,
    /// Pools that are doubled by themselves, one after another; by default all, `none` for none
    #[arg(long, value_delimiter = ',', value_name = "POOL")]
    pub(crate) double: Option<Vec<String>>,
    /// Counted runs of each size
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) repeats: u32,
    /// Numbers of sites whose time is forecast; the batch size is chosen for the first
    #[arg(long, value_delimiter = ',', default_value = "883,10000", value_name = "SITES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) forecast: Vec<u32>,
    /// Restore so many sites at the end, in the batches that were chosen, and hold the forecast against it
    #[arg(long, value_name = "SITES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) check: Option<u32>,
    /// Recovery time that is wanted, for which the batch size is chosen: 4h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) rto: Option<Duration>,
    /// Earlier throughput.json; what is slower than its spread allows ends the command with exit code 10
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// Folder for the report; is made
    #[arg(long, default_value = "throughput", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Sites of the lab
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) lab_sites: u32,
    /// Of those, deleted: samples are drawn from them
    #[arg(long, default_value_t = 883, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) deleted: u32,
    /// Shards of the lab
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) shards: u32,
    /// Rows over all shards, in all, on PostgreSQL: its servers add what the sites' own content lacks
    #[arg(long, default_value_t = 0)]
    pub(crate) rows: u64,
    /// Seed of the lab
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for the lab, on the disk that is measured; by default a temporary one in /var/tmp
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchTenant {
    /// Kind of database: postgres
    #[arg(long, default_value = "postgres")]
    pub(crate) backend: String,
    /// Sites that are deleted and restored; as many stay in use
    #[arg(long, default_value_t = 220, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) sites: u32,
    /// Rows of all sites together
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) rows: u64,
    /// The larger data set: 441 sites of 882, 4.2 million rows generated
    #[arg(long, conflicts_with_all = ["sites", "rows"])]
    pub(crate) half: bool,
    /// Connections that write, ours and by hand
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) connections: u8,
    /// What a small transaction of others may take during the limited restore
    #[arg(long, default_value = "20ms", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) max_latency: Duration,
    /// Transactions a second of tenants in use
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(crate) load: u32,
    /// Folder for the databases, on the disk that is measured; by default a temporary one in /var/tmp
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Measure these alone
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(crate) only: Vec<BenchPart>,
    /// Measure each contender so often and take the median
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) repeat: u32,
    /// Numbers of sites whose cost per row is compared, each in a data set of its own of half the rows
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000", value_name = "SITES")]
    pub(crate) flat: Vec<u32>,
}

/// What may be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchPart {
    /// This program's restore.
    Ours,
    /// The best procedure known by hand.
    Hand,
    /// COPY with foreign keys checked row by row, and no proof.
    Plain,
    /// Two large streams, nothing checked.
    Ceiling,
    /// Small sites on one connection.
    Small,
    /// Ours beside tenants in use.
    Live,
    /// Cost per row by number of sites.
    Flat,
}
