//! Ends of transactions in WAL, in the order in which they were written, as `pg_waldump` tells them.

use std::path::Path;
use std::process::Stdio;

use chrono::{DateTime, NaiveDateTime, Utc};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::programs::Programs;
use crate::postgres::wal_dump::Line;

/// A record with which a transaction ends, committed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) at: DateTime<Utc>,
    /// Where the record begins.
    pub(super) lsn: u64,
    /// Where the record before it begins.
    pub(super) prev: u64,
    /// As a server says it that stops there: `commit of transaction 745`.
    pub(super) what: String,
    /// Whether what servers keep of the catalogue is out of date by it.
    pub(super) is_of_catalog: bool,
}

impl End {
    /// Reads a line such as `... tx: 745, lsn: 0/01, prev 0/00, desc: COMMIT 2022-04-05 07:33:00.123456 UTC; ...`.
    pub(super) fn read(line: &str) -> Option<Self> {
        let Line { xid, lsn, prev, what, .. } = Line::read(line)?;
        let word = match what {
            _ if what.starts_with("COMMIT") => "commit",
            _ if what.starts_with("ABORT") => "abort",
            _ => return None,
        };
        let words: Vec<&str> = what.split_whitespace().collect();
        let at = words.windows(3).find_map(|words| {
            let [date, time, zone] = words else { return None };
            let utc = zone.trim_end_matches(';') == "UTC";
            let time = NaiveDateTime::parse_from_str(&format!("{date} {time}"), "%Y-%m-%d %H:%M:%S%.f").ok()?;
            utc.then(|| time.and_utc())
        })?;
        // The end of a prepared transaction is written by another one, or by none.
        let prepared = what.split_once("_PREPARED ").and_then(|(_, rest)| rest.split(':').next()?.trim().parse().ok());
        let xid = prepared.unwrap_or(xid);
        let is_of_catalog = what.contains("inval msgs");
        Some(Self { at, lsn, prev, what: format!("{word} of transaction {xid}"), is_of_catalog })
    }

    /// Says that a replay stands before this, in the words of a server that stopped there by itself.
    pub(super) fn stopped_by(&self) -> String {
        format!("before {}, time {}", self.what, self.at.format("%Y-%m-%d %H:%M:%S%.6f+00"))
    }
}

/// The ends of a folder's WAL from a position on, read once from first to last.
pub(super) struct Ends {
    lines: Lines<BufReader<ChildStdout>>,
    next: Option<End>,
    /// Whether an end that was passed changed the catalogue.
    is_catalog_passed: bool,
    _reader: Child,
}

impl Ends {
    /// Begins to read; `None` if the program cannot be started.
    pub(super) fn begin(programs: &Programs, wal: &Path, timeline: u32, from: &str) -> Option<Self> {
        let mut command = tokio::process::Command::new(programs.path("pg_waldump"));
        command.env("LC_ALL", "C").env("TZ", "UTC").arg("--rmgr=Transaction").arg("--path").arg(wal);
        command.arg("--timeline").arg(timeline.to_string()).arg("--start").arg(from);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut reader = command.spawn().ok()?;
        let lines = BufReader::new(reader.stdout.take()?).lines();
        Some(Self { lines, next: None, is_catalog_passed: false, _reader: reader })
    }

    /// Returns the first end that is later than a point; `None` if the WAL that is there has none. Points are asked in
    /// ascending order.
    pub(super) async fn first_after(&mut self, at: DateTime<Utc>) -> Option<End> {
        while self.next.as_ref().is_none_or(|end| end.at <= at) {
            let line = self.lines.next_line().await.ok()??;
            if let Some(end) = End::read(&line) {
                self.is_catalog_passed |= self.next.replace(end).is_some_and(|passed| passed.is_of_catalog);
            }
        }
        self.next.clone()
    }

    /// Returns whether the catalogue may have changed in what was passed since the last question.
    pub(super) fn is_catalog_passed(&mut self) -> bool {
        std::mem::take(&mut self.is_catalog_passed)
    }
}

#[cfg(test)]
mod tests {
    use super::End;

    #[test]
    fn ends_of_transactions_are_read_in_the_dumps_words() {
        let line = |what: &str| {
            let by = if what.contains("_PREPARED") { 0 } else { 745 };
            format!("rmgr: Transaction len (rec/tot): 34/ 34, tx: {by}, lsn: 1/0A000028, prev 0/FFFFFF08, desc: {what}")
        };
        let read = |what: &str| End::read(&line(what));
        let end = read("COMMIT 2022-04-05 07:33:00.123456 UTC").expect("an end");
        assert_eq!(end.at.to_rfc3339(), "2022-04-05T07:33:00.123456+00:00");
        assert_eq!((end.lsn, end.prev), (0x1_0A00_0028, 0xFFFF_FF08));
        assert!(!end.is_of_catalog);
        let inval = read("COMMIT 2022-04-05 07:33:00.123456 UTC; inval msgs: catcache 50 relcache 16385");
        assert!(inval.is_some_and(|end| end.is_of_catalog));
        assert_eq!(end.stopped_by(), "before commit of transaction 745, time 2022-04-05 07:33:00.123456+00");
        for (what, said) in [
            ("ABORT 2022-04-05 07:33:00.123456 UTC; rels: base/5/1", "abort of transaction 745"),
            ("COMMIT_PREPARED 745: 2022-04-05 07:33:00.123456 UTC; inval msgs", "commit of transaction 745"),
        ] {
            assert_eq!(read(what).map(|end| (end.at, end.what)), Some((end.at, said.to_owned())));
        }
        assert_eq!(read("COMMIT 2022-04-05 07:33:00.123456 CEST"), None);
        assert_eq!(read("ASSIGNMENT xtop 745: subxacts: 746"), None);
    }
}
