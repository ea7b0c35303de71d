//! Comparing the estate with the truth: every row of every store, every object, every effect.

mod alike;
mod expect;
mod filled;
mod moved;
mod objects;
mod truth;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::clock::rfc3339;
use crate::layout::{Layout, OpenError, Passport, shard_name};
use crate::population::{self, Site};
use crate::schema::{SERVICES, Schema};
use crate::search::{self, Documents};
use crate::shards::Shards;
use crate::sql::{self, Mode, Session, StoreError};
use crate::value::{Row, Value};
use expect::{Expect, Expectations, expectations, moves};
use moved::Moves;
pub(crate) use objects::digest;
pub(crate) use truth::Owners;
use truth::Truth;

/// At most this many differences are listed; all are counted.
const LISTED: usize = 200;

/// What the comparison found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// Damaged sites that equal their state at the point they were restored to, in every store.
    pub sites_equal: usize,
    /// Of those, the ones that came back under another ID: equal but for that ID and the numbers of their rows.
    pub sites_moved: usize,
    /// Damaged sites that do not, also those that were not restored at all.
    pub sites_different: usize,
    /// Tenants that were never damaged, or the rows all tenants share, with any difference.
    pub bystanders_changed: usize,
    /// Effects (system, operation, site, item) that a service applied more than once.
    pub effects_applied_twice: usize,
    /// Nothing is different, nobody changed, nothing was applied twice.
    pub clean: bool,
    /// Number of all differences.
    pub differences_found: usize,
    /// The first 200 differences.
    pub differences: Vec<Difference>,
}

/// One place where the estate is not as it should be.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Difference {
    /// The site it belongs to; empty for rows that all share.
    pub site: String,
    /// The store: a shard, a service, or `objects`.
    pub store: String,
    /// The table, or `effects`.
    pub table: String,
    /// The row's key, or the object's path.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

/// Why a lab could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The folder is no usable lab.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store or file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DiffError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            _ => "lab",
        }
    }
}

/// Compares a lab with the truth: each damaged site with its state at the restore point that the
/// catalogue recorded, everything else with its state now.
///
/// Reads only, each store in one snapshot: other tenants may go on writing. While a restore runs, differences between
/// stores may be reported that are gone a moment later.
///
/// # Errors
/// [`DiffError`] if the folder is no lab or a store cannot be read; a wrong or absent row is never an error.
///
/// # Cancel safety
/// Cancel safe: nothing is written.
pub async fn diff(dir: &Path) -> Result<Diff, DiffError> {
    let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(&root);
    let passport = Passport::read(&layout)?;
    let shards = Arc::new(Shards::up(&layout, &passport).await?);
    let sites = Arc::new(population::draw(passport.seed, passport.sites, passport.shards));
    let moves = moves(&layout, &passport, &sites).await;
    let found = match &moves {
        Ok(moves) => compare(&layout, &passport, &shards, &sites, moves).await,
        Err(_) => Ok(Vec::new()),
    };
    shards.down().await?;
    Ok(summary(&passport, &*moves?, found?))
}

async fn compare(
    layout: &Layout,
    passport: &Passport,
    shards: &Arc<Shards>,
    sites: &Arc<Vec<Site>>,
    moves: &Arc<Moves>,
) -> Result<Vec<Difference>, StoreError> {
    let mut found = Vec::new();
    let expectations = Arc::new(expectations(layout, passport, moves, &mut found).await?);

    let mut tasks: JoinSet<Result<(Vec<Difference>, Documents), StoreError>> = JoinSet::new();
    for index in 0..passport.shards {
        let (layout, schema) = (layout.clone(), passport.shard_schema());
        let (shards, expectations, moves) = (Arc::clone(shards), Arc::clone(&expectations), Arc::clone(moves));
        tasks.spawn(async move { shard(&layout, &shards, schema, index, (&expectations, &moves)).await });
    }
    let mut documents = Documents::new();
    while let Some(done) = tasks.join_next().await {
        let (differences, some) = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        found.extend(differences);
        documents.extend(some);
    }

    let documents = Arc::new(documents);
    let mut tasks: JoinSet<Result<Vec<Difference>, StoreError>> = JoinSet::new();
    for schema in SERVICES {
        let (layout, expectations) = (layout.clone(), Arc::clone(&expectations));
        let (sites, documents, moves) = (Arc::clone(sites), Arc::clone(&documents), Arc::clone(moves));
        tasks.spawn(async move { service(&layout, schema, (&expectations, &moves), &sites, &documents).await });
    }
    while let Some(done) = tasks.join_next().await {
        found.extend(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?);
    }
    Ok(found)
}

/// Compares one shard; gives what differs, and what should be indexed of the restored sites.
async fn shard(
    layout: &Layout,
    shards: &Shards,
    schema: &'static Schema,
    index: usize,
    (expectations, moves): (&Expectations, &Moves),
) -> Result<(Vec<Difference>, Documents), StoreError> {
    let (name, place) = (shard_name(index), shards.place(index));
    let mut truth = Truth::new(schema, &name, expectations, moves);
    let mut session = shards.snapshot(index).await?;
    let base = if session.is_server() { layout.truth(&name) } else { layout.base(&name) };
    truth.load_base(&base).await?;
    truth.load_log(&mut session, &place).await?;
    let mut documents = search::documents(truth.rows_of(|site| expectations.contains_key(site)));
    let (mut found, moved) = truth.compare(&mut session).await.map_err(StoreError::sql(&place))?;
    documents.extend(search::documents(moved.rows_found()));
    if session.is_server() {
        let filled = filled::compare(&mut session, &name, expectations, moves).await;
        found.extend(filled.map_err(StoreError::sql(&place))?);
    }
    session.close().await.map_err(StoreError::sql(&place))?;
    Ok((found, documents))
}

fn summary(passport: &Passport, moves: &Moves, mut found: Vec<Difference>) -> Diff {
    let twice = found.iter().filter(|d| d.table == "effects").count();
    let mut different = BTreeSet::new();
    let mut bystanders = BTreeSet::new();
    for difference in found.iter().filter(|d| d.table != "effects") {
        if passport.deleted.contains_key(&difference.site) {
            different.insert(difference.site.as_str());
        } else {
            bystanders.insert(difference.site.as_str());
        }
    }
    let sites_moved = moves.iter().filter(|moved| !different.contains(moved.old.as_str())).count();
    let (sites_different, bystanders_changed) = (different.len(), bystanders.len());
    let differences_found = found.len();
    found.sort();
    found.truncate(LISTED);
    Diff {
        sites_equal: passport.deleted.len() - sites_different,
        sites_moved,
        sites_different,
        bystanders_changed,
        effects_applied_twice: twice,
        clean: differences_found == 0,
        differences_found,
        differences: found,
    }
}

/// Opens a service's store in a snapshot.
async fn snapshot(path: &Path) -> Result<Session, StoreError> {
    let mut session = sql::open(path, Mode::Read).await?;
    sql::snapshot(&mut session).await.map_err(StoreError::sql(path))?;
    Ok(session)
}

async fn service(
    layout: &Layout,
    schema: &'static Schema,
    (expectations, moves): (&Expectations, &Moves),
    sites: &[Site],
    documents: &Documents,
) -> Result<Vec<Difference>, StoreError> {
    let live = layout.store(schema.name);
    let mut truth = Truth::new(schema, schema.name, expectations, moves);
    let mut session = snapshot(&live).await?;
    truth.load_log(&mut session, &live).await?;
    if schema.name == "search" {
        truth.replace(&segments(sites, expectations, documents));
        for site in sites {
            if let Some(moved) = moves.of_old(&site.id) {
                truth.moved.replace(&moved.old, segments_of(site, &moved.new, documents));
            }
        }
    }
    let mut found = Vec::new();
    if schema.name == "media" {
        found.extend(objects::compare(layout, &truth.rows(0), sites, expectations)?);
        for moved in moves.iter() {
            found.extend(objects::compare_moved(layout, &truth.moved.rows(moved, 0), moved)?);
        }
    }
    found.extend(truth.compare(&mut session).await.map_err(StoreError::sql(&live))?.0);
    session.close().await.map_err(StoreError::sql(&live))?;
    let mut conn = sql::open(&live, Mode::Read).await?;
    let records = records(&mut conn, schema.name, expectations, moves).await.map_err(StoreError::sql(&live))?;
    found.extend(records);
    conn.close().await.map_err(StoreError::sql(&live))?;
    Ok(found)
}

/// The segments that the restored sites should have: what a rebuild from the true databases gives.
fn segments(sites: &[Site], expectations: &Expectations, documents: &Documents) -> Vec<(String, Vec<Row>)> {
    let restored = sites.iter().filter(|s| matches!(expectations.get(&s.id), Some(Expect::At(_))));
    restored.map(|site| (site.id.clone(), segments_of(site, &site.id, documents))).collect()
}

/// The segments of a site that is called `id`.
fn segments_of(site: &Site, id: &str, documents: &Documents) -> Vec<Row> {
    let row = |product: &&'static str| {
        let key = (id.to_owned(), (*product).to_owned());
        let (count, terms) = search::segment(documents.get(&key).map_or(&[][..], Vec::as_slice));
        vec![key.0.into(), key.1.into(), count.into(), terms.into()]
    };
    site.products.iter().map(row).collect()
}

/// Effects applied more than once, and restores to another point than the catalogue's.
async fn records(
    conn: &mut Session,
    store: &str,
    expectations: &Expectations,
    moves: &Moves,
) -> Result<Vec<Difference>, sqlx::Error> {
    const TWICE: &str = "SELECT site, operation, item, count FROM lab_effects WHERE count > 1";
    const POINTS: &str =
        "SELECT site, operation, item, restore_point FROM lab_restores WHERE restore_point IS NOT NULL";
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).unwrap_or("").to_owned();
    let int = |row: &Row| row.get(3).and_then(Value::as_int).unwrap_or(0);
    let mut out = Vec::new();
    for row in sql::rows(conn, TWICE, &[]).await? {
        out.push(Difference {
            site: text(&row, 0),
            store: store.to_owned(),
            table: "effects".to_owned(),
            key: format!("{} {}", text(&row, 1), text(&row, 2)).trim_end().to_owned(),
            what: format!("applied {} times", int(&row)),
        });
    }
    for row in sql::rows(conn, POINTS, &[]).await? {
        let (site, point) = (text(&row, 0), int(&row));
        let wanted = match (moves.of_new(&site), expectations.get(&site)) {
            (Some(moved), _) => Some((&moved.old, moved.point)),
            (None, Some(Expect::At(wanted))) => Some((&site, *wanted)),
            _ => None,
        };
        if let Some((old, wanted)) = wanted
            && wanted != point
        {
            out.push(Difference {
                site: old.clone(),
                store: store.to_owned(),
                table: "lab_restores".to_owned(),
                key: format!("{} {}", text(&row, 1), text(&row, 2)).trim_end().to_owned(),
                what: format!("restored to {}, the catalogue to {}", rfc3339(point), rfc3339(wanted)),
            });
        }
    }
    Ok(out)
}
