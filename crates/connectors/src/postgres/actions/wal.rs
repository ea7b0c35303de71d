//! The WAL of a server, read for what our transactions wrote: independent of our code and of the server's counters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sqlx::PgConnection;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::bystanders::Ours;
use super::input::Audited;
use crate::answer::{Trouble, excerpt};
use crate::postgres::connect::said;
use crate::postgres::wal_dump::{Line, position};

/// What a transaction did to rows of tables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Did {
    records: u64,
    inserted: u64,
    /// Updates and deletions, by table file; our ledger's among them.
    others: BTreeMap<String, u64>,
}

/// Reads all records of our transactions; returns what they did, and what they should not have done.
pub(super) async fn audit(
    live: &mut PgConnection,
    folder: &Path,
    bin: Option<&Path>,
    ours: &[Ours],
) -> Result<(Audited, Vec<String>), Trouble> {
    let failed = |error: sqlx::Error| {
        Trouble::retry("postgres.failed", format!("cannot read the WAL's position: {}", said(&error)))
    };
    // What is read must have left the server's buffers. A switch would wait for nobody and cost a segment: it is not made.
    let (end, version): (String, i32) =
        sqlx::query_as("SELECT pg_current_wal_flush_lsn()::text, current_setting('server_version_num')::int4 / 10000")
            .fetch_one(&mut *live)
            .await
            .map_err(failed)?;
    // Files of our own schema and of the system catalogue: what is written there is no row of anybody.
    let own: Vec<(String,)> = sqlx::query_as(
        "SELECT pg_relation_filenode(oid)::text FROM pg_class WHERE relkind IN ('r', 't', 'm') AND pg_relation_filenode(oid) IS NOT NULL \
         AND (relnamespace IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace) OR relnamespace = to_regnamespace('reinstate'))",
    )
    .fetch_all(&mut *live)
    .await
    .map_err(failed)?;
    let own: std::collections::BTreeSet<String> = own.into_iter().map(|(node,)| node).collect();
    let begin = ours.iter().map(|one| &one.begun).min_by_key(|lsn| position(lsn)).cloned().unwrap_or_default();
    let xids: BTreeMap<u32, &Ours> = ours.iter().map(|one| (one.xid, one)).collect();
    let program = bin
        .map_or_else(|| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")), Path::to_owned)
        .join("pg_waldump");
    let mut child = tokio::process::Command::new(&program)
        .arg("--path")
        .arg(folder)
        .arg("--start")
        .arg(&begin)
        .arg("--end")
        .arg(&end)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Trouble::never("postgres.waldump", format!("{} cannot be started: {error}", program.display()))
                .hint("install the server's programs, or name their folder as `bin`")
        })?;
    let mut did: BTreeMap<u32, Did> = BTreeMap::new();
    let mut others = 0;
    if let Some(out) = child.stdout.take() {
        let mut lines = BufReader::with_capacity(1 << 20, out).lines();
        let broken = |error: std::io::Error| Trouble::retry("postgres.waldump", error.to_string());
        while let Some(line) = lines.next_line().await.map_err(broken)? {
            let Some(record) = Record::read(&line) else { continue };
            if own.contains(record.file) {
                continue;
            }
            if xids.contains_key(&record.xid) {
                did.entry(record.xid).or_default().add(&record);
            } else {
                others += record.rows;
            }
        }
    }
    let output =
        child.wait_with_output().await.map_err(|error| Trouble::retry("postgres.waldump", error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Trouble::retry(
            "postgres.waldump",
            format!("the WAL in {} cannot be read up to {end}: {}", folder.display(), excerpt(&said, 300)),
        )
        .hint("give the archive once the last segment is in it, or the server's own pg_wal"));
    }
    let mut found = Vec::new();
    let mut audited = Audited { from: begin, to: end, others, ..Audited::default() };
    for (xid, one) in &xids {
        let none = Did::default();
        let it = did.get(xid).unwrap_or(&none);
        audited.records += it.records;
        audited.inserted += it.inserted;
        let other: u64 = it.others.values().sum();
        if it.inserted != one.inserted || other != one.updated + one.deleted {
            found.push(format!(
                "by the WAL the transaction of {} inserted {} rows and changed or deleted {other}, and {} and {} were meant",
                one.whose(), it.inserted, one.inserted, one.updated + one.deleted
            ));
        }
    }
    Ok((audited, found))
}

/// A record about rows of a table.
#[derive(Debug, PartialEq, Eq)]
struct Record<'l> {
    xid: u32,
    /// Number of the table's file.
    file: &'l str,
    insert: bool,
    rows: u64,
}

impl<'l> Record<'l> {
    /// Reads a line of `pg_waldump`; `None` if it is about anything else than rows that are written.
    fn read(line: &'l str) -> Option<Self> {
        let Line { xid, what, .. } = Line::read(line).filter(|line| matches!(line.manager, "Heap" | "Heap2"))?;
        let (insert, rows) = if let Some(many) = what.strip_prefix("MULTI_INSERT") {
            // `MULTI_INSERT+INIT 57 tuples`, or `ntuples: 57`, by version.
            let digits = many.split_once("ntuples: ").map_or_else(
                || many.split_whitespace().find(|word| word.parse::<u64>().is_ok()),
                |(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next(),
            );
            (true, digits?.parse().ok()?)
        } else if what.starts_with("INSERT") {
            (true, 1)
        } else if ["UPDATE", "HOT_UPDATE", "DELETE"].iter().any(|word| what.starts_with(word)) {
            (false, 1)
        } else {
            // Locks, pruning, freezing, visibility: no row is another afterwards.
            return None;
        };
        let file = what.split_once("rel ")?.1.split_whitespace().next()?.rsplit('/').next()?;
        Some(Self { xid, file, insert, rows })
    }
}

impl Did {
    fn add(&mut self, record: &Record<'_>) {
        self.records += 1;
        if record.insert {
            self.inserted += record.rows;
        } else {
            *self.others.entry(record.file.to_owned()).or_insert(0) += record.rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_the_words_of_each_version() {
        let line = |rmgr: &str, what: &str| {
            format!(
                "rmgr: {rmgr}  len (rec/tot):     54/   150, tx:        745, lsn: 0/016B3748, prev 0/016B3710, desc: {what}, blkref #0: rel 1663/5/16385 blk 3 FPW"
            )
        };
        let read = |rmgr: &str, what: &str| {
            Record::read(&line(rmgr, what)).map(|it| (it.xid, it.file.to_owned(), it.insert, it.rows))
        };
        let file = || "16385".to_owned();
        assert_eq!(read("Heap       ", "INSERT off 1 flags 0x00"), Some((745, file(), true, 1)));
        assert_eq!(read("Heap       ", "INSERT+INIT off 1 flags 0x08"), Some((745, file(), true, 1)));
        assert_eq!(read("Heap2      ", "MULTI_INSERT+INIT 57 tuples flags 0x02"), Some((745, file(), true, 57)));
        assert_eq!(read("Heap2      ", "MULTI_INSERT ntuples: 12, flags: 0x02"), Some((745, file(), true, 12)));
        assert_eq!(read("Heap       ", "HOT_UPDATE off 1 xmax 745"), Some((745, file(), false, 1)));
        assert_eq!(read("Heap       ", "DELETE off 1 flags 0x00 KEYS_UPDATED"), Some((745, file(), false, 1)));
        for other in ["LOCK off 1", "PRUNE latestRemovedXid 0", "VISIBLE cutoff xid 0"] {
            assert_eq!(read("Heap       ", other), None, "{other}");
        }
        assert_eq!(read("Btree      ", "INSERT_LEAF off 1"), None);
    }
}
