//! How far archived WAL goes: by the names and sizes of its segments, and by the last transactions in it.
//!
//! Segments in the middle are not read: what is damaged inside of one shows when it is replayed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::base::Base;
use super::ends::End;
use super::place::stamp;
use super::programs::Programs;
use super::segments::{self, number, segments};
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
    let gap =
        known.range(next..).next().map(|(later, _)| (later, segments::name(segments::timeline(&last), next, size)));
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

/// When the last transaction of a segment ended; an error in words if it cannot be read.
fn last_end(programs: &Programs, path: &Path, name: &str) -> Result<Option<DateTime<Utc>>, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut command = std::process::Command::new(programs.path("pg_waldump"));
    command.env("LC_ALL", "C").env("TZ", "UTC").arg("--rmgr=Transaction").arg("--path").arg(folder).arg(name);
    let output = command.output().map_err(|error| format!("pg_waldump: {error}"))?;
    let last = String::from_utf8_lossy(&output.stdout).lines().filter_map(End::read).map(|end| end.at).max();
    // A record that goes on in the next segment ends the reading; what was read stands.
    match last {
        None if !output.status.success() => Err(excerpt(&String::from_utf8_lossy(&output.stderr), 200)),
        last => Ok(last),
    }
}
