//! The estate in a few numbers: what every table and the objects hold, whatever the order of rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::diff::{DiffError, Owners, digest};
use crate::layout::{Layout, Passport, shard_name};
use crate::schema::{SERVICES, Schema};
use crate::shards::Shards;
use crate::sql::{self, Mode, Session, StoreError};
use crate::value::{Row, Value};

/// What an estate holds. Two are equal if and only if (up to chance) every row and every object is.
///
/// Left out are what the lab writes for itself (`lab_*`) and an orchestrator's ledger (`reinstate_*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// Of everything, hexadecimal.
    pub hash: String,
    /// Every table of every store, and the objects, in order of their names.
    pub tables: Vec<Print>,
}

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Print {
    /// The store: a shard, a service, or `objects`.
    pub store: String,
    /// The table.
    pub table: String,
    /// Number of its rows or objects.
    pub rows: u64,
    /// Sum of the 64-bit hashes of its rows, hexadecimal.
    pub hash: String,
    /// Rows and sum by site; the empty text stands for rows that all share.
    #[serde(skip)]
    sites: BTreeMap<String, (u64, u64)>,
}

/// A table in which two estates differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The store.
    pub store: String,
    /// The table.
    pub table: String,
    /// Rows before.
    pub before: u64,
    /// Rows after.
    pub after: u64,
    /// The sites whose rows differ; the empty text stands for rows that all share.
    pub sites: Vec<String>,
}

impl Fingerprint {
    /// Names the tables in which a later estate differs from this one, and whose rows.
    #[must_use]
    pub fn differences(&self, later: &Self) -> Vec<Changed> {
        let by_name = |print: &Self| -> BTreeMap<(String, String), Print> {
            print.tables.iter().map(|table| ((table.store.clone(), table.table.clone()), table.clone())).collect()
        };
        let (ours, theirs) = (by_name(self), by_name(later));
        let none =
            Print { store: String::new(), table: String::new(), rows: 0, hash: String::new(), sites: BTreeMap::new() };
        let names: BTreeSet<&(String, String)> = ours.keys().chain(theirs.keys()).collect();
        let changed = names.into_iter().filter_map(|name| {
            let (before, after) = (ours.get(name).unwrap_or(&none), theirs.get(name).unwrap_or(&none));
            let sites: BTreeSet<&String> = before.sites.keys().chain(after.sites.keys()).collect();
            let differ = sites.into_iter().filter(|site| before.sites.get(*site) != after.sites.get(*site));
            let sites: Vec<String> = differ.cloned().collect();
            // An empty table that is new, or gone, is a difference of nobody's rows.
            let same = before.rows == after.rows && sites.is_empty() && before.table == after.table;
            (!same).then(|| Changed {
                store: name.0.clone(),
                table: name.1.clone(),
                before: before.rows,
                after: after.rows,
                sites,
            })
        });
        changed.collect()
    }
}

/// Reads every store, each in one snapshot, and every object.
///
/// While somebody writes to the estate, stores are read at slightly different moments.
///
/// # Errors
/// [`DiffError`] if the folder is no lab or a store cannot be read.
///
/// # Cancel safety
/// Cancel safe: nothing is written.
pub async fn fingerprint(dir: &Path) -> Result<Fingerprint, DiffError> {
    let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(&root);
    let passport = Passport::read(&layout)?;
    let shards = Arc::new(Shards::up(&layout, &passport).await?);
    let prints = stores(&layout, &passport, &shards).await;
    shards.down().await?;
    let mut tables = prints?;
    tables.push(objects(&layout)?);
    tables.sort_by(|a, b| (&a.store, &a.table).cmp(&(&b.store, &b.table)));
    let mut hasher = blake3::Hasher::new();
    for Print { store, table, rows, hash, .. } in &tables {
        hasher.update(format!("{store} {table} {rows} {hash}\n").as_bytes());
    }
    Ok(Fingerprint { hash: hasher.finalize().to_hex()[..32].to_owned(), tables })
}

/// Reads every store.
async fn stores(layout: &Layout, passport: &Passport, shards: &Arc<Shards>) -> Result<Vec<Print>, StoreError> {
    let mut tasks: JoinSet<Result<Vec<Print>, StoreError>> = JoinSet::new();
    for index in 0..passport.shards {
        let (shards, schema) = (Arc::clone(shards), passport.shard_schema());
        tasks.spawn(async move {
            let session = shards.snapshot(index).await?;
            store(session, &shard_name(index), &shards.place(index), schema).await
        });
    }
    for schema in SERVICES {
        let path = layout.store(schema.name);
        tasks.spawn(async move {
            let mut session = sql::open(&path, Mode::Read).await?;
            sql::snapshot(&mut session).await.map_err(StoreError::sql(&path))?;
            store(session, schema.name, &path, schema).await
        });
    }
    let mut prints = Vec::new();
    while let Some(done) = tasks.join_next().await {
        prints.extend(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?);
    }
    Ok(prints)
}

impl Print {
    fn new(store: &str, table: &str) -> Self {
        let (store, table) = (store.to_owned(), table.to_owned());
        Self { store, table, rows: 0, hash: String::new(), sites: BTreeMap::new() }
    }

    /// A sum and a count, not an exclusive or: a pair of equal rows must not vanish.
    fn add(&mut self, site: &str, content: &[u8]) {
        let mut first = [0; 8];
        first.copy_from_slice(&blake3::hash(content).as_bytes()[..8]);
        let (rows, sum) = self.sites.entry(site.to_owned()).or_default();
        *rows += 1;
        *sum = sum.wrapping_add(u64::from_le_bytes(first));
    }

    fn sealed(mut self) -> Self {
        self.rows = self.sites.values().map(|(rows, _)| rows).sum();
        self.hash = format!("{:016x}", self.sites.values().fold(0_u64, |all, (_, sum)| all.wrapping_add(*sum)));
        self
    }
}

async fn store(
    mut session: Session,
    name: &str,
    place: &Path,
    schema: &'static Schema,
) -> Result<Vec<Print>, StoreError> {
    let prints = tables(&mut session, name, schema).await.map_err(StoreError::sql(place))?;
    session.close().await.map_err(StoreError::sql(place))?;
    Ok(prints)
}

/// The tables of a store, and how all columns of one of them are read.
fn all(session: &Session) -> (&'static str, fn(&str) -> String) {
    const FILE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' \
        AND substr(name, 1, 4) <> 'lab_' AND substr(name, 1, 10) <> 'reinstate_' ORDER BY name";
    const SERVER: &str = "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n \
        ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relname !~ '^(lab|reinstate)_' \
        AND n.nspname !~ '^(pg_|information_schema|reinstate)' ORDER BY 1";
    match session {
        Session::Sqlite(_) => (FILE, |table| format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""))),
        // A name that the server gave is quoted where it must be; a row as text holds whatever types there are.
        Session::Postgres(_) => (SERVER, |table| format!("SELECT t::text FROM {table} AS t")),
    }
}

async fn tables(conn: &mut Session, store: &str, schema: &'static Schema) -> Result<Vec<Print>, sqlx::Error> {
    let (mut owners, mut names) = (Owners::new(schema), HashMap::new());
    let mut prints = Vec::new();
    // The lab's own tables first, parents before children: that is how rows find their site.
    for (position, table) in schema.tables.iter().enumerate() {
        let mut print = Print::new(store, table.name);
        sql::each(conn, &table.select(), &[], |row| {
            let site = owners.of(position, &row, &mut names);
            print.add(site.as_deref().unwrap_or(""), &content(&row));
        })
        .await?;
        prints.push(print.sealed());
    }
    let (list, read) = all(conn);
    for row in sql::rows(conn, list, &[]).await? {
        let Some(table) = row.first().and_then(Value::as_text).filter(|name| schema.position(name).is_none()) else {
            continue;
        };
        let mut print = Print::new(store, table);
        sql::each(conn, &read(table), &[], |row| print.add("", &content(&row))).await?;
        prints.push(print.sealed());
    }
    Ok(prints)
}

fn content(row: &Row) -> Vec<u8> {
    let mut text = String::new();
    for value in row {
        value.write_json(&mut text);
        text.push(',');
    }
    text.into_bytes()
}

/// Objects by the folder of their site.
fn objects(layout: &Layout) -> Result<Print, StoreError> {
    let mut print = Print::new("objects", "media");
    let root = layout.objects();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(StoreError::io(&folder))? {
            let path = entry.map_err(StoreError::io(&folder))?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let site = name.split_once('/').map_or("", |(site, _)| site);
            let digest = digest(&path)?.unwrap_or_default();
            print.add(site, format!("{name} {digest}").as_bytes());
        }
    }
    Ok(print.sealed())
}
