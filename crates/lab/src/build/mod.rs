//! Building a lab: population, product databases with their backups, service stores, objects, estate file.

mod estate;
mod services;
mod shard;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::task::JoinSet;

use crate::clock::{BASE, WINDOW_START, rfc3339};
use crate::history::{Stretch, play};
use crate::layout::{FORMAT, Layout, Passport, Stage, shard_name};
use crate::log::{Change, Entry, Kind, LogFile, encode, record};
use crate::population::{self, Site};
use crate::random::Random;
use crate::schema::{SERVICES, SHARD, Schema};
use crate::search;
use crate::sql::{self, Mode, StoreError};
use crate::value::{Row, Value};

/// Appends an event to the event store: site, instant, name, delta.
pub(crate) const EVENT: &str = "INSERT INTO events (site_id, at, name, delta) VALUES (?, ?, ?, ?)";

/// What every service store has beside its own tables: answers by idempotency key, applied effects,
/// restore points, jobs, and in the event store the events.
const SERVICE_DDL: &str = "\
CREATE TABLE lab_replies (key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, location TEXT, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE lab_effects (system TEXT NOT NULL, operation TEXT NOT NULL, site TEXT NOT NULL, item TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (site, system, operation, item)) WITHOUT ROWID;
CREATE TABLE lab_restores (site TEXT NOT NULL, operation TEXT NOT NULL, item TEXT NOT NULL, restore_point INTEGER, PRIMARY KEY (site, operation, item)) WITHOUT ROWID;
CREATE TABLE lab_jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, operation TEXT NOT NULL, restore_point INTEGER NOT NULL, state TEXT NOT NULL, body TEXT);
CREATE TABLE events (seq INTEGER PRIMARY KEY, site_id TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, delta INTEGER NOT NULL);
CREATE INDEX events_site ON events (site_id);
";

/// How large a lab is made.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Number of sites, at least 1.
    pub sites: usize,
    /// Number of shard files, 1 to 99.
    pub shards: usize,
    /// The same seed and sizes give the same estate.
    pub seed: u64,
    /// The port of `serve`; without it a free one is chosen and recorded.
    pub port: Option<u16>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            sites: 2_000,
            shards: 8,
            seed: 20_220_405,
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
    /// Number of shard files.
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
    /// No free port on the loopback interface.
    #[error("no free port on 127.0.0.1")]
    NoPort(#[source] std::io::Error),
    /// A store or file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct BuiltShard {
    objects: Vec<shard::Object>,
    segments: search::Documents,
    rows: usize,
    transactions: usize,
}

/// Builds a lab in `dir`, a new or empty folder: an estate up to 07:38Z of its clock, just before the deletions.
///
/// # Errors
/// [`BuildError`]; the folder is then of no use.
///
/// # Cancel safety
/// Not cancel safe: a folder without `lab.json` is left behind, which every other call refuses.
pub async fn build(dir: &Path, options: &BuildOptions) -> Result<BuildSummary, BuildError> {
    if options.sites == 0 || options.shards == 0 || options.shards > 99 {
        return Err(BuildError::Sizes {
            sites: options.sites,
            shards: options.shards,
        });
    }
    let root = prepare(dir)?;
    let layout = Layout::new(&root);
    let port = match options.port {
        Some(port) => port,
        None => free_port().map_err(BuildError::NoPort)?,
    };
    let sites = Arc::new(population::draw(
        options.seed,
        options.sites,
        options.shards,
    ));

    let mut tasks = JoinSet::new();
    for index in 0..options.shards {
        let (layout, sites, seed) = (layout.clone(), Arc::clone(&sites), options.seed);
        tasks.spawn(async move { build_shard(&layout, seed, index, &sites).await });
    }
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
    while let Some(done) = tasks.join_next().await {
        let built = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        summary.shard_rows += built.rows;
        summary.transactions += built.transactions;
        objects.extend(built.objects);
        documents.extend(built.segments);
    }
    // Shards end in any order.
    objects.sort_by(|a, b| a.id.cmp(&b.id));
    summary.objects = objects.len();
    let mapping = Arc::new(write_objects(&layout, objects)?);
    let segments: Vec<Row> = sites
        .iter()
        .flat_map(|site| {
            site.products
                .iter()
                .map(move |product| (site.id.clone(), (*product).to_owned()))
        })
        .map(|key| {
            let (count, terms) =
                search::segment(documents.get(&key).map_or(&[][..], Vec::as_slice));
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
            build_service(&layout, schema, seed, &sites, rows).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (rows, transactions) =
            done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        summary.service_rows += rows;
        summary.transactions += transactions;
    }

    estate::write(&layout, options, port, &sites)?;
    let passport = Passport {
        format: FORMAT.to_owned(),
        seed: options.seed,
        sites: options.sites,
        shards: options.shards,
        port,
        stage: Stage::Built,
        deleted: BTreeMap::new(),
    };
    passport.write(&layout)?;
    Ok(summary)
}

fn prepare(dir: &Path) -> Result<PathBuf, BuildError> {
    std::fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    let mut entries = std::fs::read_dir(dir).map_err(StoreError::io(dir))?;
    if entries.next().is_some() {
        return Err(BuildError::NotEmpty {
            path: dir.to_owned(),
        });
    }
    let root = dir.canonicalize().map_err(StoreError::io(dir))?;
    for folder in ["stores", "backups/objects", "objects/media", "secrets"] {
        let path = root.join(folder);
        std::fs::create_dir_all(&path).map_err(StoreError::io(&path))?;
    }
    Ok(root)
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

async fn build_shard(
    layout: &Layout,
    seed: u64,
    index: usize,
    sites: &[Site],
) -> Result<BuiltShard, StoreError> {
    let name = shard_name(index);
    let content = shard::generate(seed, index, sites);
    let (base, live) = (layout.base(&name), layout.store(&name));
    let folder = layout.backup(&name);
    std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;

    let mut conn = sql::open(&base, Mode::Bulk).await?;
    fill(&mut conn, &SHARD, "", &content.rows)
        .await
        .map_err(StoreError::sql(&base))?;
    conn.close().await.map_err(StoreError::sql(&base))?;
    std::fs::copy(&base, &live).map_err(StoreError::io(&live))?;
    let manifest = format!(
        "{{\"format\":\"sqlite-backup/v1\",\"store\":\"{name}\",\"base\":\"base.db\",\"base_at\":\"{}\",\"log\":\"log.jsonl\"}}\n",
        rfc3339(BASE)
    );
    let path = folder.join("manifest.json");
    std::fs::write(&path, manifest).map_err(StoreError::io(&path))?;

    let members: Vec<&Site> = sites.iter().filter(|s| s.shard == index).collect();
    let stretch = Stretch {
        schema: &SHARD,
        from: BASE,
        to: WINDOW_START,
        transactions: members.len() * 3 / 2,
        sites: members,
        deletions: Vec::new(),
    };
    let mut random = Random::new(seed, &format!("life {name}"));
    let mut conn = sql::open(&live, Mode::Live).await?;
    let transactions = play(&mut conn, &live, &stretch, &mut random).await?;
    LogFile::create(&layout.log(&name))?
        .catch_up(&mut conn)
        .await?;
    conn.close().await.map_err(StoreError::sql(&live))?;

    let owned = content
        .rows
        .iter()
        .zip(&content.owners)
        .enumerate()
        .flat_map(|(table, (rows, owners))| {
            rows.iter()
                .zip(owners)
                .map(move |(row, owner)| (table, sites[*owner].id.as_str(), row))
        });
    let segments = search::documents(owned);
    let rows = content.rows.iter().map(Vec::len).sum();
    Ok(BuiltShard {
        objects: content.objects,
        segments,
        rows,
        transactions,
    })
}

async fn fill(
    conn: &mut SqliteConnection,
    schema: &Schema,
    extra: &str,
    rows: &[Vec<Row>],
) -> Result<(), sqlx::Error> {
    sql::script(conn, format!("BEGIN;\n{}{extra}", schema.ddl())).await?;
    for (table, rows) in schema.tables.iter().zip(rows) {
        sql::insert(conn, table, rows).await?;
    }
    sql::script(conn, "COMMIT".to_owned()).await
}

async fn build_service(
    layout: &Layout,
    schema: &'static Schema,
    seed: u64,
    sites: &[Site],
    rows: Vec<Vec<Row>>,
) -> Result<(usize, usize), StoreError> {
    let path = layout.store(schema.name);
    let mut conn = sql::open(&path, Mode::Bulk).await?;
    fill(&mut conn, schema, SERVICE_DDL, &rows)
        .await
        .map_err(StoreError::sql(&path))?;
    base_log(&mut conn, schema, sites, &rows)
        .await
        .map_err(StoreError::sql(&path))?;
    if schema.name == "events" {
        base_events(&mut conn, &rows[0])
            .await
            .map_err(StoreError::sql(&path))?;
    }
    if schema.name == "catalogue" {
        tombstones(&mut conn, seed, sites)
            .await
            .map_err(StoreError::sql(&path))?;
    }
    conn.close().await.map_err(StoreError::sql(&path))?;

    let stretch = Stretch {
        schema,
        from: BASE,
        to: WINDOW_START,
        sites: sites.iter().collect(),
        deletions: Vec::new(),
        transactions: sites.len() / 2,
    };
    let mut random = Random::new(seed, &format!("life {}", schema.name));
    let mut conn = sql::open(&path, Mode::Live).await?;
    let transactions = play(&mut conn, &path, &stretch, &mut random).await?;
    conn.close().await.map_err(StoreError::sql(&path))?;
    Ok((rows.iter().map(Vec::len).sum(), transactions))
}

/// One log entry per site with all that the store holds of it at the full backup.
async fn base_log(
    conn: &mut SqliteConnection,
    schema: &Schema,
    sites: &[Site],
    rows: &[Vec<Row>],
) -> Result<(), sqlx::Error> {
    let mut by_site: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for (position, table) in schema.tables.iter().enumerate() {
        let column = table.column("site_id").unwrap_or(0);
        for row in &rows[position] {
            let site = row[column].as_text().unwrap_or("");
            by_site.entry(site).or_default().push(Change::Put {
                table: position,
                row: row.clone(),
            });
        }
    }
    sql::script(conn, "BEGIN".to_owned()).await?;
    for (seq, site) in (1..).zip(sites) {
        let changes = by_site.remove(site.id.as_str()).unwrap_or_default();
        let changes = encode(schema, &changes);
        record(
            conn,
            &Entry {
                seq,
                at: BASE,
                site: Some(site.id.clone()),
                kind: Kind::Base,
                changes,
            },
        )
        .await?;
    }
    sql::script(conn, "COMMIT".to_owned()).await
}

/// The events that led to the counters at the full backup: one opening event each.
async fn base_events(conn: &mut SqliteConnection, counters: &[Row]) -> Result<(), sqlx::Error> {
    sql::script(conn, "BEGIN".to_owned()).await?;
    for row in counters {
        let event = [
            row[0].clone(),
            Value::Int(BASE),
            row[1].clone(),
            row[2].clone(),
        ];
        sql::execute(conn, EVENT, &event).await?;
    }
    sql::script(conn, "COMMIT".to_owned()).await
}

/// Sites that were deleted for good long ago: known to the catalogue, restorable by nobody.
async fn tombstones(
    conn: &mut SqliteConnection,
    seed: u64,
    sites: &[Site],
) -> Result<(), sqlx::Error> {
    let mut random = Random::new(seed, "tombstones");
    let table = &crate::schema::CATALOGUE.tables[0];
    for (seq, i) in (sites.len() as i64 + 1..).zip(0..=sites.len() / 100) {
        let (id, day) = (random.uuid(), "2021-01-01T00:00:00.000Z");
        let row = vec![
            id.as_str().into(),
            format!("gone-{i}").into(),
            format!("gone-{i}.lab.example").into(),
            "shard-00".into(),
            "us-east".into(),
            "tombstone".into(),
            day.into(),
            day.into(),
        ];
        sql::put(conn, table, &row).await?;
        let changes = encode(&crate::schema::CATALOGUE, &[Change::Put { table: 0, row }]);
        record(
            conn,
            &Entry {
                seq,
                at: BASE,
                site: Some(id),
                kind: Kind::Base,
                changes,
            },
        )
        .await?;
    }
    Ok(())
}

/// Writes every object into the live store and the backup; gives the rows of the mapping.
fn write_objects(layout: &Layout, objects: Vec<shard::Object>) -> Result<Vec<Row>, StoreError> {
    let roots = [layout.objects(), layout.object_backups()];
    let mut mapping = Vec::with_capacity(objects.len());
    for object in objects {
        for root in &roots {
            let folder = root.join(&object.site);
            std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
            let path = folder.join(&object.id);
            std::fs::write(&path, &object.bytes).map_err(StoreError::io(&path))?;
        }
        mapping.push(vec![
            object.id.as_str().into(),
            object.site.as_str().into(),
            format!("{}/{}", object.site, object.id).into(),
            object.name.into(),
            Value::Int(object.bytes.len() as i64),
            blake3::hash(&object.bytes).to_hex().to_string().into(),
        ]);
    }
    Ok(mapping)
}
