//! How far archived WAL goes: by the names and sizes of its segments, and by the last transactions in it.
//!
//! Segments in the middle are not read: what is damaged inside of one shows when it is replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::base::Base;
use super::place::stamp;
use super::programs::Programs;
use super::trouble::files;
use crate::answer::{Trouble, excerpt};

/// Segments at the end that are read at most: on an idle server the last ones hold no transaction.
const READ: usize = 8;

/// How far it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A transaction after the point is in it.
    Proven { first: String, last: String, commit: DateTime<Utc> },
    /// Nothing that was read says so.
    Unproven { first: String, last: String, why: String },
}

impl Reach {
    /// The last segment.
    pub(super) fn last(&self) -> &str {
        match self {
            Self::Proven { last, .. } | Self::Unproven { last, .. } => last,
        }
    }
}

/// Follows the segments from the beginning of a base backup on.
///
/// # Errors
/// `postgres.wal_too_short` if the WAL ends before the point, `postgres.wal_damaged` for a segment of wrong size,
/// `postgres.files`.
pub(super) fn reach(
    base: &Base,
    archive: &Path,
    timeline: &str,
    programs: &Programs,
    at: DateTime<Utc>,
) -> Result<Reach, Trouble> {
    let highest = match timeline {
        "latest" => u32::MAX,
        "current" => base.label.timeline(),
        number => number.parse().unwrap_or(u32::MAX),
    };
    let size = base.control.segment;
    let (begin, first) = (number(&base.label.segment, size).unwrap_or(0), base.label.segment.clone());
    // What the backup brought along is replayed too; the archive's own segment is the better one.
    let mut known = segments(&base.path.join("pg_wal"), size, highest).unwrap_or_default();
    known.extend(segments(archive, size, highest)?);
    let too_short = |text: String| Trouble::retry("postgres.wal_too_short", text);
    let mut chain: Vec<(&String, &PathBuf)> = Vec::new();
    for expected in begin.. {
        let Some((name, path)) = known.get(&expected) else { break };
        let bytes = std::fs::metadata(path).map_err(|error| files(path, &error))?.len();
        if bytes != size {
            let text = format!("{} has {bytes} bytes instead of {size}", path.display());
            return Err(Trouble::retry("postgres.wal_damaged", text)
                .hint("segments must lie in the archive whole and not compressed; else give a `wal_command`"));
        }
        chain.push((name, path));
    }
    let Some((last, _)) = chain.last() else {
        return Err(too_short(format!("{} holds no segment {first}, at which the backup begins", archive.display()))
            .hint("give the archive of this backup's cluster; compressed segments need a `wal_command`"));
    };
    let last = (*last).clone();
    let next = begin + chain.len() as u64;
    let gap = known.range(next..).next().map(|(later, _)| (later, segment_after(&last, next, size)));
    let mut said = None;
    for (name, path) in chain.iter().rev().take(READ) {
        match last_end(programs, path, name) {
            Ok(Some(commit)) if commit > at => return Ok(Reach::Proven { first, last, commit }),
            Ok(Some(commit)) => {
                let mut text =
                    format!("the WAL does not reach {}: its last transaction ended at {}", stamp(at), stamp(commit));
                if let Some((_, missing)) = gap {
                    text.push_str(&format!("; {missing} is missing, later ones are there"));
                    return Err(too_short(text).hint("bring the missing segment into the archive"));
                }
                return Err(too_short(text).hint(
                    "is later WAL archived yet (pg_switch_wal)? on an idle server only a later transaction, such as a \
                     heartbeat, proves that the point was reached",
                ));
            }
            Ok(None) => {}
            Err(why) => said = said.or(Some(why)),
        }
    }
    let why = match (said, gap) {
        (Some(why), _) => format!("which cannot be read: {why}"),
        (None, Some((_, missing))) => format!("with no transaction at its end, and {missing} is missing after it"),
        (None, None) => format!("with no transaction in its last {} segments", chain.len().min(READ)),
    };
    Ok(Reach::Unproven { first, last, why })
}

/// Segments of a folder by their number; of two timelines the later one's.
pub(super) fn segments(folder: &Path, size: u64, highest: u32) -> Result<BTreeMap<u64, (String, PathBuf)>, Trouble> {
    let mut found: BTreeMap<u64, (String, PathBuf)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| files(folder, &error))? {
        let entry = entry.map_err(|error| files(folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(number) = number(&name, size) else { continue };
        let timeline = u32::from_str_radix(&name[..8], 16).unwrap_or(0);
        let better = found.get(&number).is_none_or(|(other, _)| *other < name);
        if timeline <= highest && better {
            found.insert(number, (name, entry.path()));
        }
    }
    Ok(found)
}

/// Number of a segment in its timeline; `None` if a name is not that of a segment.
fn number(name: &str, size: u64) -> Option<u64> {
    if name.len() != 24 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |range| u64::from_str_radix(name.get(range)?, 16).ok();
    Some(part(8..16)? * (0x1_0000_0000 / size.max(1)) + part(16..24)?)
}

/// Name of a segment on the timeline of another.
fn segment_after(last: &str, number: u64, size: u64) -> String {
    let per_log = (0x1_0000_0000 / size.max(1)).max(1);
    format!("{}{:08X}{:08X}", &last[..8], number / per_log, number % per_log)
}

/// When the last transaction of a segment ended; an error in words if it cannot be read.
fn last_end(programs: &Programs, path: &Path, name: &str) -> Result<Option<DateTime<Utc>>, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut command = std::process::Command::new(programs.path("pg_waldump"));
    command.env("LC_ALL", "C").env("TZ", "UTC").arg("--rmgr=Transaction").arg("--path").arg(folder).arg(name);
    let output = command.output().map_err(|error| format!("pg_waldump: {error}"))?;
    let last = String::from_utf8_lossy(&output.stdout).lines().filter_map(end_of).max();
    // A record that goes on in the next segment ends the reading; what was read stands.
    match last {
        None if !output.status.success() => Err(excerpt(&String::from_utf8_lossy(&output.stderr), 200)),
        last => Ok(last),
    }
}

/// The time in `... desc: COMMIT 2022-04-05 07:33:00.123456 UTC; ...`, of commits and rollbacks.
fn end_of(line: &str) -> Option<DateTime<Utc>> {
    let (_, what) = line.split_once("desc: ")?;
    if !(what.starts_with("COMMIT") || what.starts_with("ABORT")) {
        return None;
    }
    let words: Vec<&str> = what.split_whitespace().collect();
    words.windows(3).find_map(|words| {
        let [date, time, zone] = words else { return None };
        let utc = zone.trim_end_matches(';') == "UTC";
        let time = NaiveDateTime::parse_from_str(&format!("{date} {time}"), "%Y-%m-%d %H:%M:%S%.f").ok()?;
        utc.then(|| time.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::{end_of, number, segment_after};

    #[test]
    fn segments_are_numbered_across_logs() {
        let size = 16 << 20;
        assert_eq!(number("0000000100000000000000FF", size), Some(255));
        assert_eq!(number("000000020000000100000000", size), Some(256));
        assert_eq!(segment_after("0000000100000000000000FF", 256, size), "000000010000000100000000");
        for none in ["00000002.history", "000000010000000000000002.00000028.backup", "00000001000000000000000G"] {
            assert_eq!(number(none, size), None);
        }
    }

    #[test]
    fn ends_of_transactions_are_read_in_the_dumps_words() {
        let line = |what: &str| {
            format!("rmgr: Transaction len (rec/tot): 34/ 34, tx: 745, lsn: 0/01, prev 0/00, desc: {what}")
        };
        let read = |what: &str| end_of(&line(what)).map(|at| at.to_rfc3339());
        let at = Some("2022-04-05T07:33:00.123456+00:00".to_owned());
        assert_eq!(read("COMMIT 2022-04-05 07:33:00.123456 UTC"), at);
        assert_eq!(read("ABORT 2022-04-05 07:33:00.123456 UTC; rels: base/5/1"), at);
        assert_eq!(read("COMMIT_PREPARED 745: 2022-04-05 07:33:00.123456 UTC; inval msgs"), at);
        assert_eq!(read("COMMIT 2022-04-05 07:33:00.123456 CEST"), None);
        assert_eq!(read("ASSIGNMENT xtop 745: subxacts: 746"), None);
    }
}
