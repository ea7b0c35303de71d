//! The log of committed transactions: in every store as the table `lab_log`, of shards also as `log.jsonl`.
//!
//! `lab_log` is written in the transaction it records, so it is the truth. The file follows it
//! and may lag or end in a torn line after a crash; [`LogFile::open`] repairs that.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::clock::{Millis, rfc3339};
use crate::schema::Schema;
use crate::sql::{self, Session, StoreError};
use crate::value::{Row, Value, row_from_json};

pub(crate) const DDL: &str = "\
CREATE TABLE lab_log (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  site TEXT,
  kind TEXT NOT NULL,
  changes TEXT NOT NULL
);
CREATE INDEX lab_log_site ON lab_log (site);
";

/// What a transaction did to one row; `table` is a position in the schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Put { table: usize, row: Row },
    Delete { table: usize, key: Row },
}

/// Why a transaction happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state at the full backup.
    Base,
    /// A customer at work.
    Life,
    /// The script's deletion of a site.
    Deletion,
    /// Nothing changed; the log reaches this instant.
    Heartbeat,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Life => "life",
            Self::Deletion => "deletion",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// One committed transaction, its changes encoded.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) seq: i64,
    pub(crate) at: Millis,
    pub(crate) site: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) changes: String,
}

impl Entry {
    /// The line of `log.jsonl`, with its newline.
    pub(crate) fn line(&self) -> String {
        line(self.seq, self.at, &self.changes)
    }
}

fn line(seq: i64, at: Millis, changes: &str) -> String {
    format!("{{\"seq\":{seq},\"at\":\"{}\",\"changes\":{changes}}}\n", rfc3339(at))
}

/// The JSON array of changes, as in `log.jsonl`.
pub(crate) fn encode(schema: &Schema, changes: &[Change]) -> String {
    let mut out = String::with_capacity(2 + changes.len() * 120);
    out.push('[');
    for (i, change) in changes.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let (op, table, values) = match change {
            Change::Put { table, row } => ("put", &schema.tables[*table], row),
            Change::Delete { table, key } => ("delete", &schema.tables[*table], key),
        };
        out.push_str(&format!("{{\"op\":\"{op}\",\"table\":\"{}\",\"key\":{{", table.name));
        write_columns(&mut out, &table.columns[..table.key], values);
        if op == "put" {
            out.push_str("},\"row\":{");
            write_columns(&mut out, table.columns, values);
        }
        out.push_str("}}");
    }
    out.push(']');
    out
}

fn write_columns(out: &mut String, columns: &[(&str, &str)], values: &[Value]) {
    for (i, ((name, _), value)) in columns.iter().zip(values).enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        value.write_json(out);
    }
}

/// The changes of an encoded array; `place` names it in the error.
pub(crate) fn parse(schema: &Schema, changes: &str, place: &str) -> Result<Vec<Change>, StoreError> {
    let corrupt = |fact: &str| StoreError::Corrupt { place: place.to_owned(), fact: fact.to_owned() };
    let json: Vec<Json> = serde_json::from_str(changes).map_err(|e| corrupt(&e.to_string()))?;
    let mut out = Vec::with_capacity(json.len());
    for change in &json {
        let field = |name: &str| change.get(name);
        let name = field("table").and_then(Json::as_str).ok_or_else(|| corrupt("no table"))?;
        let position = schema.position(name).ok_or_else(|| corrupt("unknown table"))?;
        let table = &schema.tables[position];
        let names = table.names();
        let object = |name: &str, columns: &[&str]| {
            field(name)
                .and_then(Json::as_object)
                .and_then(|o| row_from_json(columns, o))
                .ok_or_else(|| corrupt("a key or row is incomplete"))
        };
        out.push(match field("op").and_then(Json::as_str) {
            Some("put") => Change::Put { table: position, row: object("row", &names)? },
            Some("delete") => Change::Delete { table: position, key: object("key", &names[..table.key])? },
            _ => return Err(corrupt("unknown op")),
        });
    }
    Ok(out)
}

/// Writes what the caller's transaction did into a server's `lab_log`; it must be the last thing before the commit.
///
/// The server numbers the entry: of two transactions that touch one row, the later one's number is higher, since it
/// waited for the other's commit. When it was committed the server tells, see [`history`].
pub(crate) async fn append(
    session: &mut Session,
    site: Option<&str>,
    kind: Kind,
    changes: &str,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO lab_log (site, kind, changes) VALUES (?, ?, ?)";
    sql::execute(session, SQL, &[site.into(), kind.name().into(), changes.into()]).await.map(drop)
}

/// The query for all that happened to sites, in order: instant in milliseconds, site, changes, number.
///
/// A server's instants are those of the commits, rounded up: so `at <= T` is what recovery to `T` goes by.
pub(crate) const fn history(session: &Session) -> &'static str {
    match session {
        Session::Sqlite(_) => "SELECT at, site, changes, seq FROM lab_log WHERE site IS NOT NULL ORDER BY seq",
        Session::Postgres(_) => {
            "SELECT ceil(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::bigint, site, changes, seq \
             FROM lab_log WHERE site IS NOT NULL ORDER BY seq"
        }
    }
}

/// Writes the entry into a file's `lab_log`, in the caller's transaction.
pub(crate) async fn record(conn: &mut Session, entry: &Entry) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO lab_log (seq, at, site, kind, changes) VALUES (?, ?, ?, ?, ?)";
    let values = [
        Value::Int(entry.seq),
        Value::Int(entry.at),
        entry.site.clone().into(),
        entry.kind.name().into(),
        entry.changes.clone().into(),
    ];
    sql::execute(conn, SQL, &values).await.map(drop)
}

/// Sequence number and instant of the newest entry; `(0, 0)` of an empty log.
pub(crate) async fn tail(conn: &mut Session) -> Result<(i64, Millis), sqlx::Error> {
    let last = sql::row(conn, "SELECT seq, at FROM lab_log ORDER BY seq DESC LIMIT 1", &[]).await?;
    let number = |r: &Row, i: usize| r.get(i).and_then(Value::as_int).unwrap_or(0);
    Ok(last.map_or((0, 0), |r| (number(&r, 0), number(&r, 1))))
}

/// `log.jsonl` of one shard, open for appending.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    /// The newest transaction in the file.
    pub(crate) seq: i64,
}

impl LogFile {
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let file = File::create(path).map_err(StoreError::io(path))?;
        Ok(Self { path: path.to_owned(), file, seq: 0 })
    }

    /// Opens the file for appending and cuts off a torn last line.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(StoreError::io(path))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(StoreError::io(path))?;
        let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let start = text[..end.saturating_sub(1)].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let seq = if end == 0 {
            0
        } else {
            let last: Json = serde_json::from_slice(&text[start..end])
                .map_err(|e| StoreError::Corrupt { place: path.display().to_string(), fact: e.to_string() })?;
            last.get("seq").and_then(Json::as_i64).unwrap_or(0)
        };
        file.set_len(end as u64).map_err(StoreError::io(path))?;
        file.seek(SeekFrom::End(0)).map_err(StoreError::io(path))?;
        Ok(Self { path: path.to_owned(), file, seq })
    }

    /// Appends every entry of the store's `lab_log` that the file lacks.
    pub(crate) async fn catch_up(&mut self, conn: &mut Session) -> Result<(), StoreError> {
        const SQL: &str = "SELECT seq, at, changes FROM lab_log WHERE seq > ? ORDER BY seq";
        let missing = sql::rows(conn, SQL, &[Value::Int(self.seq)]).await.map_err(StoreError::sql(&self.path))?;
        let mut text = String::new();
        let mut seq = self.seq;
        for row in &missing {
            if let [Value::Int(n), Value::Int(at), Value::Text(changes)] = row.as_slice() {
                text.push_str(&line(*n, *at, changes));
                seq = *n;
            }
        }
        self.append(&text, seq)
    }

    /// Appends whole lines whose last has this sequence number.
    pub(crate) fn append(&mut self, lines: &str, seq: i64) -> Result<(), StoreError> {
        self.file.write_all(lines.as_bytes()).map_err(StoreError::io(&self.path))?;
        self.seq = seq;
        Ok(())
    }
}
