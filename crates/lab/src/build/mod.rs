//! Building a lab: population, product databases with their backups, service stores, objects, estate file.

mod estate;
mod objects;
mod products;
mod served;
mod services;
mod shard;
mod stores;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::clock::{self, BASE, WINDOW_START};
use crate::layout::{Backend, FORMAT, Layout, Passport, Stage, loopback, shard_name};
use crate::population;
use crate::postgres;
use crate::schema::SERVICES;
use crate::search;
use crate::sql::StoreError;
use crate::value::Row;

/// Appends an event to the event store: site, instant, name, delta.
pub(crate) const EVENT: &str = "INSERT INTO events (site_id, at, name, delta) VALUES (?, ?, ?, ?)";

/// How large a lab is made.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Number of sites, at least 1.
    pub sites: usize,
    /// Number of shards, 1 to 99; on PostgreSQL each is a server.
    pub shards: usize,
    /// What the shards are.
    pub backend: Backend,
    /// On PostgreSQL: rows over all shards, in all; the server adds what the sites' own content lacks. At most
    /// 1,000,000,000.
    pub rows: u64,
    /// The same seed and sizes give the same estate.
    pub seed: u64,
    /// Where `serve` will listen. Whoever reaches it may do to the lab whatever can be done to it.
    pub address: IpAddr,
    /// The port of `serve`; without it a free one is chosen and recorded.
    pub port: Option<u16>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            sites: 2_000,
            shards: 8,
            backend: Backend::Sqlite,
            rows: 0,
            seed: 20_220_405,
            address: loopback(),
            port: None,
        }
    }
}

/// What a build made.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BuildSummary {
    /// Number of sites.
    pub sites: usize,
    /// Number of shards.
    pub shards: usize,
    /// Rows over all shards at the full backup.
    pub shard_rows: usize,
    /// Rows over all service stores at the full backup.
    pub service_rows: usize,
    /// Objects in the media store.
    pub objects: usize,
    /// Business transactions between the full backup and the deletion window.
    pub transactions: usize,
    /// The estate file.
    pub estate: PathBuf,
}

/// Why a lab could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder holds something already.
    #[error("{} is not empty; hint: give a new folder", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Sizes outside of the allowed ranges.
    #[error("a lab needs at least 1 site and 1 to 99 shards, not {sites} and {shards}")]
    Sizes {
        /// Sites asked for.
        sites: usize,
        /// Shards asked for.
        shards: usize,
    },
    /// More rows than a lab can have, or rows for a backend that cannot make them.
    #[error("{rows} rows: {fact}")]
    Rows {
        /// Rows asked for.
        rows: u64,
        /// Why not, with a hint.
        fact: &'static str,
    },
    /// An address at which nobody can be called.
    #[error("{address} names no host that others could call; hint: give the address of an interface, or 127.0.0.1")]
    Address {
        /// The address that was given.
        address: IpAddr,
    },
    /// No free port on this host.
    #[error("no free port")]
    NoPort(#[source] std::io::Error),
    /// A store or file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            _ => "lab",
        }
    }
}

/// Builds a lab in `dir`, a new or empty folder: an estate up to 07:38Z of its clock, just before
/// the deletions. On PostgreSQL its history takes place in real time, and its servers are stopped at the end.
///
/// # Errors
/// [`BuildError`]; the folder is then of no use.
///
/// # Cancel safety
/// Not cancel safe: a folder without `lab.json` is left behind, which every other call refuses, and perhaps servers,
/// which end by themselves within a minute after their folder is removed.
pub async fn build(dir: &Path, options: &BuildOptions) -> Result<BuildSummary, BuildError> {
    if options.sites == 0 || options.shards == 0 || options.shards > 99 {
        return Err(BuildError::Sizes { sites: options.sites, shards: options.shards });
    }
    if options.rows > 1_000_000_000 {
        return Err(BuildError::Rows { rows: options.rows, fact: "hint: at most 1,000,000,000" });
    }
    if options.rows > 0 && options.backend == Backend::Sqlite {
        return Err(BuildError::Rows { rows: options.rows, fact: "files do not scale; hint: the PostgreSQL backend" });
    }
    // URLs of the estate file are made of it.
    if options.address.is_unspecified() {
        return Err(BuildError::Address { address: options.address });
    }
    let root = prepare(dir)?;
    let layout = Layout::new(&root);
    let port = match options.port {
        Some(port) => port,
        None => free_port().map_err(BuildError::NoPort)?,
    };
    let sites = Arc::new(population::draw(options.seed, options.sites, options.shards));

    let mut summary = BuildSummary {
        sites: options.sites,
        shards: options.shards,
        shard_rows: 0,
        service_rows: 0,
        objects: 0,
        transactions: 0,
        estate: root.join("estate.yaml"),
    };
    let mut objects = Vec::new();
    let mut documents = search::Documents::new();
    let (shards, era) = match options.backend {
        Backend::Sqlite => (files(&layout, options, &sites).await?, (BASE, WINDOW_START)),
        Backend::Postgres => {
            let (shards, base) = served::build(&layout, options, &sites).await?;
            (shards, (base, clock::now()))
        }
    };
    for built in shards {
        summary.shard_rows += built.rows;
        summary.transactions += built.transactions;
        objects.extend(built.objects);
        documents.extend(built.segments);
    }
    // Shards end in any order.
    objects.sort_by(|a, b| a.id.cmp(&b.id));
    summary.objects = objects.len();
    let mapping = Arc::new(objects::write(&layout, objects)?);
    let segments: Vec<Row> = sites
        .iter()
        .flat_map(|site| site.products.iter().map(move |product| (site.id.clone(), (*product).to_owned())))
        .map(|key| {
            let (count, terms) = search::segment(documents.get(&key).map_or(&[][..], Vec::as_slice));
            vec![key.0.into(), key.1.into(), count.into(), terms.into()]
        })
        .collect();
    let segments = Arc::new(segments);

    let mut tasks = JoinSet::new();
    for schema in SERVICES {
        let (layout, sites, seed) = (layout.clone(), Arc::clone(&sites), options.seed);
        let (mapping, segments) = (Arc::clone(&mapping), Arc::clone(&segments));
        tasks.spawn(async move {
            let rows = services::generate(schema, seed, &sites, &mapping, &segments);
            stores::build_service(&layout, schema, seed, &sites, rows, era).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (rows, transactions) = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        summary.service_rows += rows;
        summary.transactions += transactions;
    }

    let live: Vec<String> = (0..options.shards).map(|index| live(&layout, options.backend, index)).collect();
    let passport = Passport {
        format: FORMAT.to_owned(),
        seed: options.seed,
        sites: options.sites,
        shards: options.shards,
        backend: options.backend,
        address: options.address,
        port,
        base: era.0,
        stage: Stage::Built,
        deleted: BTreeMap::new(),
    };
    estate::write(&layout, &passport, &sites, &live)?;
    passport.write(&layout)?;
    Ok(summary)
}

/// Builds shards that are files; they end in any order.
async fn files(
    layout: &Layout,
    options: &BuildOptions,
    sites: &Arc<Vec<population::Site>>,
) -> Result<Vec<stores::BuiltShard>, StoreError> {
    let mut tasks = JoinSet::new();
    for index in 0..options.shards {
        let (layout, sites, seed) = (layout.clone(), Arc::clone(sites), options.seed);
        tasks.spawn(async move { stores::build_shard(&layout, seed, index, &sites).await });
    }
    let mut built = Vec::new();
    while let Some(done) = tasks.join_next().await {
        built.push(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?);
    }
    Ok(built)
}

/// Where a shard is in use: the path of a file, or the URL of a database.
fn live(layout: &Layout, backend: Backend, index: usize) -> String {
    match backend {
        Backend::Sqlite => layout.store(&shard_name(index)).display().to_string(),
        Backend::Postgres => postgres::url(layout, index),
    }
}

fn prepare(dir: &Path) -> Result<PathBuf, BuildError> {
    std::fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    let mut entries = std::fs::read_dir(dir).map_err(StoreError::io(dir))?;
    if entries.next().is_some() {
        return Err(BuildError::NotEmpty { path: dir.to_owned() });
    }
    let root = dir.canonicalize().map_err(StoreError::io(dir))?;
    for folder in ["stores", "backups/objects", "objects/media", "secrets"] {
        let path = root.join(folder);
        std::fs::create_dir_all(&path).map_err(StoreError::io(&path))?;
    }
    Ok(root)
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?.local_addr()?.port())
}
