//! Base backups: what each says of itself, and which of several is the right one.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::input::{Bases, Evidence};
use super::place::stamp;
use super::programs::{Control, Programs};
use super::trouble::files;
use crate::answer::Trouble;
use crate::postgres::wal_dump::position;

/// A base backup, read but not copied.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) path: PathBuf,
    pub(super) label: Label,
    pub(super) control: Control,
    /// When it ended, to the second, or a time before which it cannot have ended.
    pub(super) end_at: Option<DateTime<Utc>>,
}

/// What `backup_label` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    label: String,
    start_lsn: String,
    /// First segment of WAL that the backup needs.
    pub(super) segment: String,
    timeline: u32,
    start_at: Option<DateTime<Utc>>,
}

impl Base {
    /// Reads what a base backup says of itself, and of its end what the archive says.
    ///
    /// # Errors
    /// `postgres.backup_invalid`, `postgres.version`, `postgres.programs`.
    pub(super) fn read(path: &Path, wal: Option<&Path>, bin: Option<&Path>) -> Result<Self, Trouble> {
        let programs = Programs::for_data(path, bin)?;
        let invalid = |why: &str| Trouble::never("postgres.backup_invalid", format!("{}: {why}", path.display()));
        let file = path.join("backup_label");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(invalid("there is no backup_label")
                    .hint("give what pg_basebackup made; the data folder of a server is no backup"));
            }
            Err(error) => return Err(files(&file, &error)),
        };
        if text.contains("INCREMENTAL FROM") {
            return Err(invalid("it is an incremental backup").hint("make a full one of it with pg_combinebackup"));
        }
        let label = Label::parse(&text)
            .ok_or_else(|| invalid("its backup_label is not understood").hint("is it a whole base backup?"))?;
        let control = programs.control(path)?;
        let end_at = match wal.and_then(|wal| stop_time(wal, &label, control.segment)) {
            Some(end) => Some(end),
            None => newest_file(path)?,
        };
        Ok(Self { path: path.to_owned(), label, control, end_at })
    }

    /// The time from which on it can be recovered, as far as it is known.
    fn usable_from(&self) -> Option<DateTime<Utc>> {
        self.end_at.or(self.label.start_at)
    }

    /// When it ended, or began if nobody says when it ended.
    pub(super) fn ended(&self) -> Option<DateTime<Utc>> {
        self.usable_from()
    }

    /// What is kept of it for an audit.
    pub(super) fn evidence(&self) -> Evidence {
        Evidence {
            label: self.label.label.clone(),
            system_identifier: self.control.system_identifier.clone(),
            timeline: self.label.timeline,
            start_lsn: self.label.start_lsn.clone(),
            end_at: self.end_at.map(stamp),
            path: Some(self.path.display().to_string()),
        }
    }
}

/// Chooses the latest backup that ended at or before a point.
///
/// # Errors
/// `postgres.backup_after_point` if all end later, `postgres.backup_invalid` if there is none.
pub(super) fn choose(
    bases: &Bases,
    wal: Option<&Path>,
    bin: Option<&Path>,
    at: Option<DateTime<Utc>>,
) -> Result<Base, Trouble> {
    let (mut found, mut passed_over) = (Vec::new(), None);
    match bases {
        Bases::List(list) => {
            for path in list {
                found.push(Base::read(path, wal, bin)?);
            }
        }
        Bases::Folder(folder) => {
            for entry in std::fs::read_dir(folder).map_err(|error| files(folder, &error))? {
                let path = entry.map_err(|error| files(folder, &error))?.path();
                // What else lies there, and a backup that is not finished, is no choice.
                if path.join("PG_VERSION").exists() && path.join("backup_label").exists() {
                    match Base::read(&path, wal, bin) {
                        Ok(base) => found.push(base),
                        Err(trouble) => passed_over = Some(trouble),
                    }
                }
            }
            // One of an older version, or one that is damaged, does not stand in the way of the others.
            match passed_over {
                Some(trouble) if found.is_empty() => return Err(trouble),
                Some(trouble) => tracing::warn!(%trouble, "a base backup is passed over"),
                None => {}
            }
        }
    }
    match at {
        Some(at) => best(found, at),
        // Of one the server is the judge.
        None if found.len() <= 1 => best(found, DateTime::<Utc>::MAX_UTC),
        None => Err(Trouble::never("inputs", "at: which of several base backups ended before it is not known")
            .hint("add `since`, a time before it, or name the backup as `base`")),
    }
}

fn best(mut found: Vec<Base>, at: DateTime<Utc>) -> Result<Base, Trouble> {
    let starts = |base: &Base| position(&base.label.start_lsn);
    found.sort_by(|a, b| (a.usable_from(), starts(a), &a.path).cmp(&(b.usable_from(), starts(b), &b.path)));
    let Some(earliest) = found.first() else {
        return Err(Trouble::never("postgres.backup_invalid", "there is no base backup")
            .hint("each lies in a folder of its own, with PG_VERSION and backup_label"));
    };
    let refused = Trouble::never(
        "postgres.backup_after_point",
        format!(
            "the backup {} ends at {}, after {}",
            earliest.path.display(),
            earliest.usable_from().map_or_else(|| "an unknown time".to_owned(), stamp),
            stamp(at)
        ),
    );
    // Ends are known to the second, rounded down: one that surely ended before is better than one that may have, and of
    // those that may have the earliest is the likeliest.
    let second = TimeDelta::seconds(1);
    let sure = found.iter().rposition(|base| base.usable_from().is_none_or(|end| end + second <= at));
    let fitting = sure.or_else(|| found.iter().position(|base| base.usable_from().is_some_and(|end| end <= at)));
    match fitting {
        Some(at) => Ok(found.swap_remove(at)),
        None => Err(refused.hint("give an earlier base backup, or a later point")),
    }
}

impl Label {
    /// Timeline on which the backup began.
    pub(super) fn timeline(&self) -> u32 {
        self.timeline
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        // START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
        let (start_lsn, file) = field("START WAL LOCATION")?.split_once(" (file ")?;
        let segment = file.strip_suffix(')')?;
        let hexadecimal = segment.len() == 24 && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
        let timeline = match field("START TIMELINE") {
            Some(number) => number.trim().parse().ok()?,
            None => u32::from_str_radix(segment.get(..8)?, 16).ok()?,
        };
        position(start_lsn)?;
        hexadecimal.then(|| Self {
            label: field("LABEL").unwrap_or_default().to_owned(),
            start_lsn: start_lsn.to_owned(),
            segment: segment.to_owned(),
            timeline,
            start_at: field("START TIME").and_then(log_time),
        })
    }
}

/// Reads the end of a backup from the history file that the server leaves in the archive.
fn stop_time(wal: &Path, label: &Label, segment: u64) -> Option<DateTime<Utc>> {
    let offset = position(&label.start_lsn)? % segment;
    let text = std::fs::read_to_string(wal.join(format!("{}.{offset:08X}.backup", label.segment))).ok()?;
    // Archives of several clusters in one folder would be a mistake, but not one of ours.
    if !text.contains(&format!("START WAL LOCATION: {} ", label.start_lsn)) {
        return None;
    }
    text.lines().find_map(|line| line.strip_prefix("STOP TIME: ")).and_then(log_time)
}

/// Reads a time as the server writes it, if its zone is one that cannot be misread.
fn log_time(text: &str) -> Option<DateTime<Utc>> {
    let (time, zone) = text.trim().rsplit_once(' ')?;
    let time = NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").ok()?;
    matches!(zone, "UTC" | "GMT" | "Etc/UTC").then(|| time.and_utc())
}

/// What is needed of `backup_manifest`.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "Files")]
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Last-Modified")]
    modified: String,
}

/// The newest file of the manifest: the backup cannot have ended before it was written.
fn newest_file(base: &Path) -> Result<Option<DateTime<Utc>>, Trouble> {
    let path = base.join("backup_manifest");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(files(&path, &error)),
    };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
        Trouble::never("postgres.backup_invalid", format!("{}: {error}", path.display()))
            .hint("pg_verifybackup says what is wrong with the backup")
    })?;
    Ok(manifest.files.iter().filter_map(|file| log_time(&file.modified)).max())
}

#[cfg(test)]
mod tests {
    use super::{Base, Control, Label, best, log_time};
    use crate::postgres::recover::place::point;

    const LABEL: &str = "START WAL LOCATION: 2/2000028 (file 000000030000000200000002)\n\
        CHECKPOINT LOCATION: 2/2000060\n\
        BACKUP METHOD: streamed\n\
        START TIME: 2026-11-26 13:04:05 UTC\n\
        LABEL: nightly: 3\n\
        START TIMELINE: 3\n";

    #[test]
    fn a_label_is_read_or_refused_as_a_whole() {
        let label = Label::parse(LABEL).expect("as the server writes it");
        assert_eq!((label.label.as_str(), label.start_lsn.as_str(), label.timeline), ("nightly: 3", "2/2000028", 3));
        assert_eq!(label.start_at, point("2026-11-26T13:04:05Z").ok());
        assert_eq!(Label::parse(&LABEL.replace(" UTC", " CEST")).map(|label| label.start_at), Some(None));
        for harmed in [LABEL.replace("START WAL", "WAL"), LABEL.replace("2/2000028", "zz"), LABEL.replace("0003", "X")]
        {
            assert!(Label::parse(&harmed).is_none(), "{harmed}");
        }
        assert_eq!(log_time("2026-11-26 13:04:05"), None);
    }

    #[test]
    fn the_latest_backup_that_ends_before_the_point_is_taken() {
        let base = |path: &str, end: Option<&str>| Base {
            path: path.into(),
            label: Label { start_at: None, ..Label::parse(LABEL).expect("a label") },
            control: Control { system_identifier: String::new(), segment: 1, floors: vec![] },
            end_at: end.map(|end| point(end).expect("a time")),
        };
        let all = || {
            vec![
                base("c", Some("2026-11-26T03:00:00Z")),
                base("a", Some("2026-11-26T01:00:00Z")),
                base("b", Some("2026-11-26T02:00:00Z")),
            ]
        };
        let chosen = |at: &str| best(all(), point(at).expect("a time")).map(|base| base.path).ok();
        assert_eq!(chosen("2026-11-26T02:59:59Z"), Some("b".into()));
        assert_eq!(chosen("2026-11-26T03:00:01Z"), Some("c".into()));
        assert_eq!(chosen("2026-11-26T03:00:00.5Z"), Some("b".into()), "c may have ended later in that second");
        assert_eq!(chosen("2026-11-26T01:00:00.5Z"), Some("a".into()), "there is no better one");
        assert_eq!(chosen("2026-11-26T00:59:59Z"), None);
        let mut later = base("a", Some("2026-11-26T01:00:00Z"));
        later.label.start_lsn = "2/9000028".to_owned();
        let of_one_second = vec![later, base("b", Some("2026-11-26T01:00:00Z"))];
        let chosen = best(of_one_second, point("2026-11-26T01:00:00.5Z").expect("a time")).expect("one of them");
        assert_eq!(chosen.path.to_str(), Some("b"), "who began first ended first");
        assert!(best(vec![], chrono::Utc::now()).is_err());
        assert!(best(vec![base("a", None)], chrono::Utc::now()).is_ok(), "then the server is the judge");
    }
}
