//! Writing one store: its rows at the full backup, its backup and log, its life up to the deletions.

use std::collections::BTreeMap;

use super::shard;
use crate::clock::{BASE, Millis, WINDOW_START, rfc3339};
use crate::history::{Stretch, play};
use crate::layout::{Layout, shard_name};
use crate::log::{Change, Entry, Kind, LogFile, encode, record};
use crate::population::Site;
use crate::random::Random;
use crate::schema::{Owner, SHARD, Schema, Table};
use crate::search;
use crate::sql::{self, Mode, Session, StoreError};
use crate::value::{Row, Value};

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

const fn internal(name: &'static str, columns: &'static [(&'static str, &'static str)]) -> Table {
    Table { name, columns, key: 1, owner: Owner::Shared, constraints: &[], indexes: &[] }
}

const LOG: Table = internal("lab_log", &[("seq", ""), ("at", ""), ("site", ""), ("kind", ""), ("changes", "")]);
const RECORDED: Table = internal("events", &[("seq", ""), ("site_id", ""), ("at", ""), ("name", ""), ("delta", "")]);

/// What became of a shard.
pub(super) struct BuiltShard {
    pub(super) objects: Vec<shard::Object>,
    pub(super) segments: search::Documents,
    pub(super) rows: usize,
    pub(super) transactions: usize,
}

/// Builds one shard: full backup, live file with its life up to the deletions, log.
pub(super) async fn build_shard(
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
    fill(&mut conn, &SHARD, "", &content.rows).await.map_err(StoreError::sql(&base))?;
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
    LogFile::create(&layout.log(&name))?.catch_up(&mut conn).await?;
    conn.close().await.map_err(StoreError::sql(&live))?;

    Ok(BuiltShard { transactions, ..BuiltShard::new(content, sites) })
}

impl BuiltShard {
    pub(super) fn new(content: shard::Content, sites: &[Site]) -> Self {
        let owned = content.rows.iter().zip(&content.owners).enumerate().flat_map(|(table, (rows, owners))| {
            rows.iter().zip(owners).map(move |(row, owner)| (table, sites[*owner].id.as_str(), row))
        });
        let segments = search::documents(owned);
        let rows = content.rows.iter().map(Vec::len).sum();
        Self { objects: content.objects, segments, rows, transactions: 0 }
    }
}

pub(super) async fn fill(
    conn: &mut Session,
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

/// Builds one service store with its history from the full backup on; gives rows at the full backup and transactions since.
pub(super) async fn build_service(
    layout: &Layout,
    schema: &'static Schema,
    seed: u64,
    sites: &[Site],
    rows: Vec<Vec<Row>>,
    (from, to): (Millis, Millis),
) -> Result<(usize, usize), StoreError> {
    let path = layout.store(schema.name);
    let mut conn = sql::open(&path, Mode::Bulk).await?;
    fill(&mut conn, schema, SERVICE_DDL, &rows).await.map_err(StoreError::sql(&path))?;
    base_log(&mut conn, schema, sites, &rows, from).await.map_err(StoreError::sql(&path))?;
    if schema.name == "events" {
        base_events(&mut conn, &rows[0], from).await.map_err(StoreError::sql(&path))?;
    }
    if schema.name == "catalogue" {
        tombstones(&mut conn, seed, sites, from).await.map_err(StoreError::sql(&path))?;
    }
    conn.close().await.map_err(StoreError::sql(&path))?;

    let stretch = Stretch {
        schema,
        from,
        to,
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
    conn: &mut Session,
    schema: &Schema,
    sites: &[Site],
    rows: &[Vec<Row>],
    at: Millis,
) -> Result<(), sqlx::Error> {
    let mut by_site: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for (position, table) in schema.tables.iter().enumerate() {
        let column = table.column("site_id").unwrap_or(0);
        for row in &rows[position] {
            let site = row[column].as_text().unwrap_or("");
            by_site.entry(site).or_default().push(Change::Put { table: position, row: row.clone() });
        }
    }
    let entries: Vec<Row> = (1..)
        .zip(sites)
        .map(|(seq, site)| {
            let changes = by_site.remove(site.id.as_str()).unwrap_or_default();
            vec![
                Value::Int(seq),
                Value::Int(at),
                site.id.as_str().into(),
                Kind::Base.name().into(),
                encode(schema, &changes).into(),
            ]
        })
        .collect();
    bulk(conn, &LOG, &entries).await
}

/// Inserts many rows in one transaction.
async fn bulk(conn: &mut Session, table: &Table, rows: &[Row]) -> Result<(), sqlx::Error> {
    sql::script(conn, "BEGIN".to_owned()).await?;
    sql::insert(conn, table, rows).await?;
    sql::script(conn, "COMMIT".to_owned()).await
}

/// The events that led to the counters at the full backup: one opening event each.
async fn base_events(conn: &mut Session, counters: &[Row], at: Millis) -> Result<(), sqlx::Error> {
    let events: Vec<Row> = (1..)
        .zip(counters)
        .map(|(seq, row)| vec![Value::Int(seq), row[0].clone(), Value::Int(at), row[1].clone(), row[2].clone()])
        .collect();
    bulk(conn, &RECORDED, &events).await
}

/// Sites that were deleted for good long ago: known to the catalogue, restorable by nobody.
async fn tombstones(conn: &mut Session, seed: u64, sites: &[Site], at: Millis) -> Result<(), sqlx::Error> {
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
        record(conn, &Entry { seq, at, site: Some(id), kind: Kind::Base, changes }).await?;
    }
    Ok(())
}
