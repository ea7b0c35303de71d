//! Ends of transactions in WAL, in the order in which they were written, as `pg_waldump` tells them.

use std::path::Path;
use std::process::Stdio;

use chrono::{DateTime, NaiveDateTime, Utc};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::base::position;
use super::programs::Programs;

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
}

impl End {
    /// Reads a line such as `... tx: 745, lsn: 0/01, prev 0/00, desc: COMMIT 2022-04-05 07:33:00.123456 UTC; ...`.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (head, desc) = line.split_once("desc: ")?;
        let word = match desc {
            _ if desc.starts_with("COMMIT") => "commit",
            _ if desc.starts_with("ABORT") => "abort",
            _ => return None,
        };
        let words: Vec<&str> = desc.split_whitespace().collect();
        let at = words.windows(3).find_map(|words| {
            let [date, time, zone] = words else { return None };
            let utc = zone.trim_end_matches(';') == "UTC";
            let time = NaiveDateTime::parse_from_str(&format!("{date} {time}"), "%Y-%m-%d %H:%M:%S%.f").ok()?;
            utc.then(|| time.and_utc())
        })?;
        let after = |name: &str| {
            let rest = head.split_once(name)?.1.trim_start();
            rest.split([',', ' ']).next().map(str::to_owned)
        };
        Some(Self {
            at,
            lsn: position(&after("lsn: ")?)?,
            prev: position(&after("prev ")?)?,
            what: format!("{word} of transaction {}", after("tx: ")?),
        })
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
        Some(Self { lines, next: None, _reader: reader })
    }

    /// Returns the first end that is later than a point; `None` if the WAL that is there has none. Points are asked in
    /// ascending order.
    pub(super) async fn first_after(&mut self, at: DateTime<Utc>) -> Option<End> {
        while self.next.as_ref().is_none_or(|end| end.at <= at) {
            let line = self.lines.next_line().await.ok()??;
            self.next = End::read(&line).or(self.next.take());
        }
        self.next.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::End;

    #[test]
    fn ends_of_transactions_are_read_in_the_dumps_words() {
        let line = |what: &str| {
            format!("rmgr: Transaction len (rec/tot): 34/ 34, tx: 745, lsn: 1/0A000028, prev 0/FFFFFF08, desc: {what}")
        };
        let read = |what: &str| End::read(&line(what));
        let end = read("COMMIT 2022-04-05 07:33:00.123456 UTC").expect("an end");
        assert_eq!(end.at.to_rfc3339(), "2022-04-05T07:33:00.123456+00:00");
        assert_eq!((end.lsn, end.prev), (0x1_0A00_0028, 0xFFFF_FF08));
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
