//! The maintenance script of 5 April 2022: deletes sites one after another from every store.

mod served;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::clock::{DAMAGE_END, Millis, WINDOW_END, WINDOW_START, rfc3339};
use crate::history::{Stretch, play};
use crate::layout::{Backend, Layout, OpenError, Passport, Stage, shard_name};
use crate::log::LogFile;
use crate::population::{self, Site};
use crate::random::Random;
use crate::schema::{SERVICES, SHARD, Schema};
use crate::sql::{self, Mode, StoreError};

/// How much is damaged.
#[derive(Debug, Clone)]
pub struct DamageOptions {
    /// Number of sites to delete; at most those of the lab.
    pub sites: usize,
    /// On PostgreSQL: for how long customers work before the first deletion. As the history takes place in real time
    /// there, no restore point of a site can be surely earlier than this before its deletion.
    pub lead: Duration,
}

impl Default for DamageOptions {
    fn default() -> Self {
        Self { sites: 883, lead: Duration::from_secs(8) }
    }
}

/// What the damage did.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DamageSummary {
    /// Number of deleted sites.
    pub sites: usize,
    /// The first deletion, RFC 3339.
    pub first: String,
    /// The last deletion, RFC 3339.
    pub last: String,
    /// Business transactions of other tenants before, between and after the deletions.
    pub transactions: usize,
    /// The list of deleted sites.
    pub list: PathBuf,
}

/// Why a lab could not be damaged.
#[derive(Debug, thiserror::Error)]
pub enum DamageError {
    /// The folder is no usable lab.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The lab was damaged before.
    #[error("this lab is damaged already; hint: build a new one")]
    Already,
    /// More sites to delete than there are, or none.
    #[error("cannot delete {asked} of {present} sites")]
    Count {
        /// Sites asked for.
        asked: usize,
        /// Sites of the lab.
        present: usize,
    },
    /// A store or file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `sites.csv` could not be written.
    #[error("sites.csv could not be written")]
    List(#[from] csv::Error),
}

impl DamageError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            _ => "lab",
        }
    }
}

struct Deletions {
    sites: Vec<Site>,
    /// Position of the site and instant of its deletion in the catalogue, in the script's order.
    order: Vec<(usize, Millis)>,
    /// What is played around them, life before and after included.
    from: Millis,
    to: Millis,
}

impl Deletions {
    /// The catalogue is hit first; the other stores follow within half a second.
    fn at_store(&self, offset: Millis, in_shard: Option<usize>) -> Vec<(&Site, Millis)> {
        self.order
            .iter()
            .map(|(i, at)| (&self.sites[*i], at + offset))
            .filter(|(site, _)| in_shard.is_none_or(|shard| site.shard == shard))
            .collect()
    }
}

/// Deletes sites of an undamaged lab over 23 minutes of its clock and writes `sites.csv`. On PostgreSQL it takes 23 real
/// seconds (less for less than 883 sites), and the instants in the list are real.
///
/// No `serve` may be running on the lab.
///
/// # Errors
/// [`DamageError`]; after an error in a store the lab is of no use and says so.
///
/// # Cancel safety
/// Not cancel safe: an interrupted damage leaves a lab that every other call refuses.
pub async fn damage(dir: &Path, options: &DamageOptions) -> Result<DamageSummary, DamageError> {
    let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(&root);
    let mut passport = Passport::read(&layout)?;
    if passport.stage != Stage::Built {
        return Err(DamageError::Already);
    }
    if options.sites == 0 || options.sites > passport.sites {
        return Err(DamageError::Count { asked: options.sites, present: passport.sites });
    }
    passport.stage = Stage::Damaging;
    passport.write(&layout)?;

    let sites = population::draw(passport.seed, passport.sites, passport.shards);
    let mut chosen: Vec<usize> = (0..sites.len()).collect();
    Random::new(passport.seed, "script").shuffle(&mut chosen);
    chosen.truncate(options.sites);
    // The last store is hit within the window, too.
    let step = (WINDOW_END - WINDOW_START - 1_000) / options.sites as Millis;
    let order: Vec<(usize, Millis)> =
        chosen.into_iter().enumerate().map(|(n, i)| (i, WINDOW_START + n as Millis * step)).collect();
    let deletions = Arc::new(Deletions { sites, order, from: WINDOW_START, to: DAMAGE_END });

    let (transactions, deletions) = match passport.backend {
        Backend::Sqlite => (files(&layout, &passport, &deletions).await?, deletions),
        Backend::Postgres => {
            let (transactions, real) = served::delete(&layout, &passport, &deletions, options.lead).await?;
            (transactions, Arc::new(real))
        }
    };
    let transactions = transactions + services(&layout, &passport, &deletions).await?;
    for (i, _) in &deletions.order {
        let folder = layout.objects().join(&deletions.sites[*i].id);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io(&folder)(e).into());
            }
            _ => {}
        }
    }
    let list = write_list(&layout, &deletions)?;
    passport.deleted = deletions.order.iter().map(|(i, at)| (deletions.sites[*i].id.clone(), *at)).collect();
    passport.stage = Stage::Damaged;
    passport.write(&layout)?;
    let instant = |entry: Option<&(usize, Millis)>| entry.map_or_else(String::new, |(_, at)| rfc3339(*at));
    Ok(DamageSummary {
        sites: deletions.order.len(),
        first: instant(deletions.order.first()),
        last: instant(deletions.order.last()),
        transactions,
        list,
    })
}

/// Deletes from shards that are files.
async fn files(layout: &Layout, passport: &Passport, deletions: &Arc<Deletions>) -> Result<usize, StoreError> {
    let mut tasks = JoinSet::new();
    for index in 0..passport.shards {
        let (layout, deletions, seed) = (layout.clone(), Arc::clone(deletions), passport.seed);
        tasks.spawn(async move {
            let name = shard_name(index);
            store(&layout, &SHARD, &name, seed, &deletions, 450, Some(index)).await
        });
    }
    sum(tasks).await
}

/// Deletes from all services.
async fn services(layout: &Layout, passport: &Passport, deletions: &Arc<Deletions>) -> Result<usize, StoreError> {
    let mut tasks = JoinSet::new();
    for (n, schema) in SERVICES.into_iter().enumerate() {
        let (layout, deletions, seed) = (layout.clone(), Arc::clone(deletions), passport.seed);
        let offset = 40 * n as Millis;
        tasks.spawn(async move { store(&layout, schema, schema.name, seed, &deletions, offset, None).await });
    }
    sum(tasks).await
}

async fn sum(mut tasks: JoinSet<Result<usize, StoreError>>) -> Result<usize, StoreError> {
    let mut transactions = 0;
    while let Some(done) = tasks.join_next().await {
        transactions += done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
    }
    Ok(transactions)
}

async fn store(
    layout: &Layout,
    schema: &'static Schema,
    name: &str,
    seed: u64,
    deletions: &Deletions,
    offset: Millis,
    shard: Option<usize>,
) -> Result<usize, StoreError> {
    let path = layout.store(name);
    let members: Vec<&Site> = deletions.sites.iter().filter(|s| shard.is_none_or(|n| s.shard == n)).collect();
    let stretch = Stretch {
        schema,
        from: deletions.from,
        to: deletions.to,
        transactions: members.len(),
        sites: members,
        deletions: deletions.at_store(offset, shard),
    };
    let mut random = Random::new(seed, &format!("damage {name}"));
    let mut conn = sql::open(&path, Mode::Live).await?;
    let transactions = play(&mut conn, &path, &stretch, &mut random).await?;
    if shard.is_some() {
        LogFile::open(&layout.log(name))?.catch_up(&mut conn).await?;
    }
    conn.close().await.map_err(StoreError::sql(&path))?;
    Ok(transactions)
}

fn write_list(layout: &Layout, deletions: &Deletions) -> Result<PathBuf, DamageError> {
    let path = layout.root.join("sites.csv");
    let mut csv = csv::Writer::from_path(&path)?;
    csv.write_record(["id", "shard", "region", "products", "users", "apps", "deleted_at"])?;
    for (i, at) in &deletions.order {
        let site = &deletions.sites[*i];
        let apps: Vec<&str> = site.apps.iter().map(|app| app.id.as_str()).collect();
        csv.write_record([
            site.id.as_str(),
            &site.shard_name(),
            site.region,
            &site.products.join(";"),
            &site.users.len().to_string(),
            &apps.join(";"),
            &rfc3339(*at),
        ])?;
    }
    csv.flush().map_err(StoreError::io(&path))?;
    Ok(path)
}
