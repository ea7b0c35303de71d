//! Taking tenants out of a recovered server into files, so that the server can move on to the next point.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, PgConnection};

use super::back;
use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Fields, Form};
use super::error::{RestoreError, failed};
use super::extracted::{Described, Extracted, FORMAT, Manifest, file};
use super::named::named;
use super::pair::{Pair, Scope};
use super::session;
use super::source;
use super::tally::Tally;
use super::{large_objects, sequences};
use crate::postgres::catalog::TableKind;

/// Bytes of a table that a tenant's file waits for before it is written to.
const PART: usize = 64 * 1024;
/// Files that are synced at the same time.
const SYNCS: usize = 16;

/// What was taken out at a point.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Tenants, as the root's key is written, with their rows.
    pub(crate) tenants: Vec<(String, u64)>,
    /// Tenants that the server does not hold at this point, as they were asked for.
    pub(crate) unknown: Vec<String>,
}

/// A server from which tenants are taken out, and what its catalogue says.
pub(crate) struct Taking {
    server: PgConnection,
    pair: Pair,
    /// Name of the file that holds the catalogue.
    catalog: String,
}

impl Taking {
    /// Connects to a server that stands still, and keeps its catalogue in the folder.
    ///
    /// # Errors
    /// If the server cannot be read, the tables cannot be classed, or the file cannot be written.
    pub(crate) async fn begin(url: &str, scope: &Scope, folder: &Path) -> Result<Self, RestoreError> {
        let mut server = session::backup(url).await?;
        let described = Pair::describe(&mut server, scope).await?;
        let catalog = keep(folder, &described)?;
        let pair = Pair::alone(described, scope)?;
        Ok(Self { server, pair, catalog })
    }

    /// Takes tenants out where the server stands; what is there of them already is made anew.
    ///
    /// When it returns, everything is on disk, and nothing keeps the server from moving on.
    ///
    /// # Errors
    /// If the server cannot be read, or the files cannot be written.
    ///
    /// # Cancel safety
    /// A tenant is complete or not there.
    pub(crate) async fn extract(
        &mut self,
        tenants: &[String],
        folder: &Path,
        (point, stands): (&str, &serde_json::Value),
    ) -> Result<Taken, RestoreError> {
        let Self { server, pair, catalog } = self;
        session::snapshot(server).await?;
        let named = named(server, pair, tenants).await?;
        let sequences = sequences::stand(server, pair).await?;
        let known = &named.known;
        for tenant in known {
            if pair.has_large_objects() && large_objects::has_any(server, pair, tenant).await? {
                return Err(RestoreError::Extract {
                    path: folder.to_owned(),
                    why: format!(
                        "{tenant} has large objects, which an extract cannot hold: restore it from the server"
                    ),
                });
            }
        }
        let scratch: Vec<PathBuf> =
            known.iter().map(|tenant| Extracted::of(folder, tenant).with_extension("part")).collect();
        for path in &scratch {
            let _ = std::fs::remove_dir_all(path);
            std::fs::create_dir_all(path).map_err(trouble(path))?;
        }
        let tallies = rows(server, pair, known, &scratch).await?;
        let partitions = partitions(server, pair, known).await?;
        session::run(server, "ROLLBACK", "end the snapshot").await?;
        let mut taken = Taken { tenants: Vec::with_capacity(known.len()), unknown: named.unknown };
        for ((tenant, scratch), tallies) in known.iter().zip(&scratch).zip(&tallies) {
            let text = pair.sheets.all.iter().filter(|sheet| sheet.form == Form::Text).map(|sheet| sheet.label.clone());
            let manifest = Manifest {
                format: FORMAT.to_owned(),
                tenant: tenant.clone(),
                point: point.to_owned(),
                stands: stands.clone(),
                tables: back::named(pair, tallies),
                text: text.collect(),
                partitions: partitions.get(tenant).cloned().unwrap_or_default(),
                sequences: sequences.clone(),
                catalog: catalog.clone(),
            };
            let path = scratch.join("manifest.json");
            let json = serde_json::to_vec(&manifest).map_err(|error| wrong(&path, error.to_string()))?;
            std::fs::write(&path, json).map_err(trouble(&path))?;
            sync_all(scratch)?;
            let place = Extracted::of(folder, tenant);
            let _ = std::fs::remove_dir_all(&place);
            std::fs::rename(scratch, &place).map_err(trouble(&place))?;
            taken.tenants.push((tenant.clone(), tallies.iter().map(|tally| tally.rows).sum()));
        }
        sync(folder)?;
        Ok(taken)
    }
}

/// Reads each table once for all tenants and writes each row into its tenant's file.
async fn rows(
    server: &mut PgConnection,
    pair: &Pair,
    tenants: &[String],
    folders: &[PathBuf],
) -> Result<Vec<Vec<Tally>>, RestoreError> {
    let places: HashMap<&[u8], usize> = tenants.iter().enumerate().map(|(at, id)| (id.as_bytes(), at)).collect();
    let mut tallies = vec![vec![Tally::default(); pair.sheets.all.len()]; tenants.len()];
    let wanted = pair.wanted(tenants.iter().map(String::as_str));
    let mut fields = Fields::default();
    for (table, sheet) in pair.sheets.all.iter().enumerate() {
        let mut files: Vec<Option<Out>> = tenants.iter().map(|_| None).collect();
        source::read(server, &source::copy_out(pair, sheet, &wanted), sheet, |row| {
            fields.find(sheet.form, row)?;
            let owner = fields.value(row, 0).ok_or(RestoreError::Stream("a row is nobody's"))?;
            let at = *places.get(owner).ok_or(RestoreError::Stream("a row is of a tenant that was not asked for"))?;
            tallies[at][table].add(fields.span(row, 1, fields.len()));
            let out = files[at].get_or_insert_with(|| Out::new(folders[at].join(file(&sheet.label)), sheet.form));
            out.row(row)
        })
        .await?;
        for out in files.into_iter().flatten() {
            out.finish()?;
        }
    }
    Ok(tallies)
}

/// A file of rows. It is open only while it is written to: there may be thousands.
struct Out {
    path: PathBuf,
    form: Form,
    waiting: Vec<u8>,
}

impl Out {
    fn new(path: PathBuf, form: Form) -> Self {
        let head: &[u8] = if form == Form::Binary { BINARY_HEAD } else { &[] };
        Self { path, form, waiting: head.to_vec() }
    }

    fn row(&mut self, row: &[u8]) -> Result<(), RestoreError> {
        self.waiting.extend_from_slice(row);
        if self.form == Form::Text {
            self.waiting.push(b'\n');
        }
        if self.waiting.len() >= PART { self.write() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), RestoreError> {
        if self.form == Form::Binary {
            self.waiting.extend_from_slice(BINARY_TAIL);
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), RestoreError> {
        let open = std::fs::OpenOptions::new().create(true).append(true).open(&self.path);
        let mut open = open.map_err(trouble(&self.path))?;
        open.write_all(&self.waiting).map_err(trouble(&self.path))?;
        self.waiting.clear();
        Ok(())
    }
}

/// Finds in which partitions tenants' rows lie.
async fn partitions(
    server: &mut PgConnection,
    pair: &Pair,
    tenants: &[String],
) -> Result<BTreeMap<String, Vec<String>>, RestoreError> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let wanted = pair.wanted(tenants.iter().map(String::as_str));
    for sheet in &pair.sheets.all {
        let table = &pair.backup.tables[sheet.place];
        if table.kind != TableKind::Partitioned {
            continue;
        }
        let Some(rows) = pair.closure.rows(&pair.backup, sheet.place, &wanted) else { continue };
        let select = format!(
            "SELECT DISTINCT r.tenant::text, n.nspname::text, c.relname::text FROM ({}) AS r \
             JOIN pg_class AS c ON c.oid = r.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace",
            rows.select("{tenant} AS tenant, t.tableoid AS relation")
        );
        let those: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(select))
            .fetch_all(&mut *server)
            .await
            .map_err(failed(format!("look for partitions of {}", sheet.label)))?;
        for (tenant, schema, name) in those {
            found.entry(tenant).or_default().push(format!("{schema}.{name}"));
        }
    }
    Ok(found)
}

/// Writes a catalogue under a name made of its contents.
fn keep(folder: &Path, described: &Described) -> Result<String, RestoreError> {
    std::fs::create_dir_all(folder).map_err(trouble(folder))?;
    let json = serde_json::to_vec(described).map_err(|error| wrong(folder, error.to_string()))?;
    let name = format!("catalog-{}.json", blake3::hash(&json).to_hex());
    let path = folder.join(&name);
    if !path.exists() {
        let part = path.with_extension("part");
        synced(&part, &json)?;
        std::fs::rename(&part, &path).map_err(trouble(&path))?;
    }
    Ok(name)
}

fn synced(path: &Path, bytes: &[u8]) -> Result<(), RestoreError> {
    let mut open = std::fs::File::create(path).map_err(trouble(path))?;
    open.write_all(bytes).and_then(|()| open.sync_all()).map_err(trouble(path))
}

/// Brings a folder's files and the folder itself to disk; files at the same time, so that the disk waits once for many.
fn sync_all(folder: &Path) -> Result<(), RestoreError> {
    let paths = std::fs::read_dir(folder).map_err(trouble(folder))?.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>().map_err(trouble(folder))?;
    let each = paths.len().div_ceil(SYNCS).max(1);
    std::thread::scope(|scope| {
        let sync = |paths: &[PathBuf]| paths.iter().try_for_each(|path| self::sync(path));
        let tasks: Vec<_> = paths.chunks(each).map(|paths| scope.spawn(move || sync(paths))).collect();
        let failed = |_| Err(wrong(folder, "it was not synced".to_owned()));
        tasks.into_iter().try_for_each(|task| task.join().unwrap_or_else(failed))
    })?;
    sync(folder)
}

fn sync(path: &Path) -> Result<(), RestoreError> {
    std::fs::File::open(path).and_then(|open| open.sync_all()).map_err(trouble(path))
}

fn trouble(path: &Path) -> impl FnOnce(std::io::Error) -> RestoreError {
    let path = path.to_owned();
    move |error| RestoreError::Extract { path, why: error.to_string() }
}

fn wrong(path: &Path, why: String) -> RestoreError {
    RestoreError::Extract { path: path.to_owned(), why }
}
