//! Backups in format `sqlite-backup/v1`: manifest, base and log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Trouble;

/// Bytes of the end of a log that are read first.
const WINDOW: u64 = 64 * 1024;

/// A backup folder.
pub(super) struct Backup {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
}

/// `manifest.json`.
#[derive(Deserialize)]
pub(super) struct Manifest {
    format: String,
    base: String,
    pub(super) base_at: DateTime<Utc>,
    log: String,
    pub(super) store: String,
}

/// One line of the log.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    at: DateTime<Utc>,
    changes: Vec<Change>,
}

/// The time of a line of the log.
#[derive(Deserialize)]
struct End {
    at: DateTime<Utc>,
}

/// One change of a transaction.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Change {
    Put { table: String, key: Map<String, Value>, row: Map<String, Value> },
    Delete { table: String, key: Map<String, Value> },
}

/// What the log makes of the base up to a time: the last word on every row that it touched.
#[derive(Default)]
pub(super) struct Net {
    pub(super) tables: BTreeMap<String, Touched>,
    /// Time of the last transaction.
    pub(super) reached: Option<DateTime<Utc>>,
    /// Time of the first transaction that is left out.
    pub(super) until: Option<DateTime<Utc>>,
    /// Number of transactions.
    pub(super) transactions: u64,
}

/// Rows of one table that the log touched, by the JSON text of their key's values.
#[derive(Default)]
pub(super) struct Touched {
    /// Columns of the key.
    pub(super) key: Vec<String>,
    /// The last word on each.
    pub(super) rows: BTreeMap<String, LastWord>,
}

/// Values of the key, and the row, if it is there at the end.
pub(super) type LastWord = (Vec<Value>, Option<Map<String, Value>>);

/// Writes a time as the formats do.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Backup {
    /// Reads the manifest.
    ///
    /// # Errors
    /// If the folder or the manifest is missing, is no JSON, names another format or files outside of the folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Trouble> {
        let path = folder.join("manifest.json");
        let invalid = |why: String| Trouble::never("sqlite.backup_invalid", format!("{}: {why}", path.display()));
        let text = std::fs::read(&path).map_err(|error| {
            Trouble::retry("sqlite.backup_invalid", format!("{}: {error}", path.display()))
                .hint("is this the folder of a backup?")
        })?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if manifest.format != "sqlite-backup/v1" {
            return Err(invalid(format!("format is {:?}, sqlite-backup/v1 is known", manifest.format)));
        }
        for name in [&manifest.base, &manifest.log] {
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(invalid(format!("{name:?} is not the name of a file in the folder")));
            }
        }
        let store = &manifest.store;
        if store.is_empty() || !store.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(invalid(format!("store {store:?} may have letters, digits, - and _ only")));
        }
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    pub(super) fn base(&self) -> PathBuf {
        self.folder.join(&self.manifest.base)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(&self.manifest.log)
    }

    /// Proves from the base's time and the end of the log that a time lies between; returns the end of the log.
    ///
    /// Reads the end of the log only: gaps and damage before it are found when it is replayed.
    ///
    /// # Errors
    /// If the base is younger, or the log ends before or cannot be read.
    pub(super) fn covers(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, Trouble> {
        if at < self.manifest.base_at {
            return Err(self.too_young(at));
        }
        let path = self.log();
        let damaged = |why: String| Trouble::never("sqlite.log_damaged", format!("{}: {why}", path.display()));
        let line = last_line(&path)
            .map_err(|error| Trouble::retry("sqlite.backup_invalid", format!("{}: {error}", path.display())))?;
        let end = match line {
            Some(line) => Some(serde_json::from_slice::<End>(&line).map_err(|error| damaged(error.to_string()))?.at),
            None => None,
        };
        end.filter(|end| *end >= at).ok_or_else(|| too_short(&path, end, at))
    }

    fn too_young(&self, at: DateTime<Utc>) -> Trouble {
        let base_at = stamp(self.manifest.base_at);
        let message = format!("{}: the base is of {base_at}, after {}", self.folder.display(), stamp(at));
        Trouble::never("sqlite.before_base", message).hint("choose an older backup")
    }

    /// Reads the log up to a time and proves that it reaches it.
    ///
    /// # Errors
    /// If it ends before, has a gap, is out of order or damaged before its last line; if the base is younger.
    pub(super) fn net(&self, at: DateTime<Utc>) -> Result<Net, Trouble> {
        let (base_at, path) = (self.manifest.base_at, self.log());
        if at < base_at {
            return Err(self.too_young(at));
        }
        let file = File::open(&path)
            .map_err(|error| Trouble::retry("sqlite.backup_invalid", format!("{}: {error}", path.display())))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut net, mut line, mut number) = (Net::default(), Vec::new(), 0_u64);
        let mut last: Option<(u64, DateTime<Utc>)> = None;
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            let read =
                read.map_err(|error| Trouble::retry("sqlite.log_damaged", format!("{}: {error}", path.display())))?;
            number += 1;
            // A line without its end was being written when the copy was made.
            if read == 0 || line.last() != Some(&b'\n') {
                break;
            }
            let place = || format!("{}:{number}", path.display());
            let entry: Line = serde_json::from_slice(&line)
                .map_err(|error| Trouble::never("sqlite.log_damaged", format!("{}: {error}", place())))?;
            if let Some((seq, before)) = last {
                if entry.seq != seq + 1 {
                    let message = format!("{}: transaction {} follows {seq}", place(), entry.seq);
                    return Err(Trouble::never("sqlite.log_gap", message).hint("find the missing part of the log"));
                }
                if entry.at < before {
                    let message = format!("{}: {} follows {}", place(), stamp(entry.at), stamp(before));
                    return Err(Trouble::never("sqlite.log_damaged", message));
                }
            }
            last = Some((entry.seq, entry.at));
            if entry.at > at {
                net.until = Some(entry.at);
                return Ok(net);
            }
            if entry.at < base_at {
                continue;
            }
            net.reached = Some(entry.at);
            net.transactions += 1;
            for change in entry.changes {
                net.fold(change).map_err(|why| Trouble::never("sqlite.log_damaged", format!("{}: {why}", place())))?;
            }
        }
        match last {
            Some((_, end)) if end >= at => Ok(net),
            _ => Err(too_short(&path, last.map(|(_, end)| end), at)),
        }
    }
}

fn too_short(path: &Path, end: Option<DateTime<Utc>>, at: DateTime<Utc>) -> Trouble {
    let end = end.map_or_else(|| "its start".to_owned(), stamp);
    let message = format!("{}: the log ends at {end}, before {}", path.display(), stamp(at));
    Trouble::never("sqlite.log_too_short", message)
        .hint("wait for the log to arrive, or choose an earlier restore point; never take what happens to be there")
}

/// The last line of a log that has its end, read from the back; `None` if there is none.
fn last_line(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut window = WINDOW;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        Read::by_ref(&mut file).take(length - from).read_to_end(&mut tail)?;
        // A line without its end was being written when the copy was made.
        let end = tail.iter().rposition(|&byte| byte == b'\n').unwrap_or_default();
        match tail[..end].iter().rposition(|&byte| byte == b'\n') {
            Some(start) => return Ok(Some(tail[start + 1..end].to_vec())),
            None if from == 0 => return Ok((end > 0).then(|| tail[..end].to_vec())),
            None => window = window.saturating_mul(8),
        }
    }
}

impl Net {
    fn fold(&mut self, change: Change) -> Result<(), String> {
        let (table, key, row) = match change {
            Change::Put { table, key, row } => (table, key, Some(row)),
            Change::Delete { table, key } => (table, key, None),
        };
        if key.is_empty() {
            return Err(format!("a change of {table} has no key"));
        }
        let known = self.tables.contains_key(&table);
        let touched = self.tables.entry(table.clone()).or_default();
        if !known {
            touched.key = key.keys().cloned().collect();
        }
        let mut values = Vec::with_capacity(touched.key.len());
        for column in &touched.key {
            let value =
                key.get(column).ok_or_else(|| format!("a change of {table} has another key than those before"))?;
            if row.as_ref().is_some_and(|row| row.get(column) != Some(value)) {
                return Err(format!("a row of {table} has another {column} than its key"));
            }
            values.push(value.clone());
        }
        if key.len() != touched.key.len() {
            return Err(format!("a change of {table} has another key than those before"));
        }
        touched.rows.insert(Value::Array(values.clone()).to_string(), (values, row));
        Ok(())
    }
}
