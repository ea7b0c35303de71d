//! What the server's log proves: that it stopped at the point, or why it did not get there.

use std::path::Path;

use super::segments;
use crate::answer::{Trouble, excerpt};
use crate::postgres::wal_dump::position;

/// The record at which the replay stopped, in the server's words; `None` if it stopped for another reason.
pub(super) fn stopped_by(log: &str) -> Option<String> {
    let told = "recovery stopping ";
    log.lines().rev().find_map(|line| line.split_once(told)).map(|(_, rest)| rest.trim().to_owned())
}

/// Whether a setting is lower than the live server has raised it to since the backup.
pub(super) fn is_too_small(log: &str) -> bool {
    log.contains("because of insufficient parameter settings")
}

/// Says why a server ended before it stood at the point.
pub(super) fn ended(log: &str, at: &str, wal: Option<&Path>, segment: u64) -> Trouble {
    // First, because a segment for which there is no room looks like one that is not there.
    if let Some(full) = log.lines().rev().find(|line| line.contains("No space left on device")) {
        return Trouble::retry("postgres.disk", excerpt(full, 300))
            .hint("make space on that volume: the next attempt goes on from there");
    }
    if log.contains("recovery ended before configured recovery target was reached")
        || log.contains("WAL ends before")
        || log.contains("could not locate required checkpoint record")
    {
        return too_short(log, at, wal, segment);
    }
    if log.contains("requested recovery stop point is before consistent recovery point") {
        return Trouble::never("postgres.backup_after_point", format!("the backup ends after {at}"))
            .hint("give an earlier base backup, or a later point");
    }
    let said = last_words(log);
    if log.contains("has wrong size") {
        return Trouble::retry("postgres.wal_damaged", said)
            .hint("segments must lie in the archive whole and not compressed; else give a `wal_command`");
    }
    Trouble::retry("postgres.start", format!("the server ended before it stood at {at}: {said}"))
        .hint("server.log in the instance's folder has all that it said")
}

fn too_short(log: &str, at: &str, wal: Option<&Path>, segment: u64) -> Trouble {
    let after = |mark: &str| {
        let rest = log.lines().rev().find_map(|line| line.split_once(mark)).map(|(_, rest)| rest.trim());
        rest.map(str::to_owned)
    };
    let mut text = format!("the WAL does not reach {at}");
    let end = after("redo done at ").and_then(|rest| rest.split(' ').next().map(str::to_owned));
    if let Some(end) = &end {
        text.push_str(&format!(": it ends at {end}"));
    }
    if let Some(last) = after("last completed transaction was at log time ") {
        text.push_str(&format!(", its last transaction is of {last}"));
    }
    if let Some(foreign) = log.lines().find(|line| line.contains("WAL file is from different database system")) {
        text.push_str(&format!("; {}", excerpt(foreign, 200)));
    }
    let gap = end.as_deref().zip(wal).and_then(|(end, wal)| missing(wal, position(end)?, segment));
    match gap {
        Some(name) => {
            Trouble::retry("postgres.wal_too_short", format!("{text}; {name} is missing, later ones are there"))
                .hint("bring the missing segment into the archive; after it nothing can be replayed")
        }
        None => {
            let refused = log.lines().rev().find(|line| line.contains("Permission denied"));
            if let Some(refused) = refused {
                text.push_str(&format!("; {}", excerpt(refused, 200)));
            }
            Trouble::retry("postgres.wal_too_short", text).hint(
                "is later WAL archived yet (pg_switch_wal), and may the server's user read it? on an idle server only \
                 a later transaction, such as a heartbeat, proves that the point was reached; for an earlier point \
                 drop the instance first",
            )
        }
    }
}

/// The first segment after a position that is not in the archive although a later one is.
fn missing(wal: &Path, end: u64, segment: u64) -> Option<String> {
    let names = std::fs::read_dir(wal).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let there: std::collections::BTreeSet<String> =
        names.filter(|name| name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).collect();
    let newest = there.iter().map(|name| name[8..].to_owned()).max()?;
    let number = end / segment;
    // The position may be the very end of a segment that is there.
    [number, number + 1].into_iter().find_map(|number| {
        // Of whichever timeline.
        let name = segments::name(0, number, segment).split_off(8);
        (name < newest && !there.iter().any(|found| found[8..] == name)).then(|| format!("segment *{name}"))
    })
}

/// The last errors of a log, or its last lines.
fn last_words(log: &str) -> String {
    let grave = |line: &&str| ["FATAL: ", "PANIC: ", "ERROR: ", "HINT: "].iter().any(|word| line.contains(word));
    let mut lines: Vec<&str> = log.lines().rev().filter(grave).take(3).collect();
    if lines.is_empty() {
        lines = log.lines().rev().take(3).collect();
    }
    lines.reverse();
    excerpt(&lines.join(" | "), 500)
}

#[cfg(test)]
mod tests {
    use super::{ended, is_too_small, stopped_by};

    const STOP: &str = "2026-11-26 13:04:05.123 UTC [7] LOG:  recovery stopping before commit of transaction 741, \
        time 2026-11-26 13:04:06.5+00\n2026-11-26 13:04:05.124 UTC [7] LOG:  pausing at the end of recovery\n";

    #[test]
    fn only_the_servers_own_words_prove_a_stop() {
        let found = stopped_by(STOP).expect("it says so");
        assert_eq!(found, "before commit of transaction 741, time 2026-11-26 13:04:06.5+00");
        assert_eq!(stopped_by("LOG:  recovery has paused\n"), None);
        assert!(is_too_small("WARNING:  hot standby is not possible because of insufficient parameter settings"));
    }

    #[test]
    fn each_end_has_its_code() {
        let at = "2026-11-26T13:04:05.000000Z";
        for (log, said) in [
            ("FATAL:  recovery ended before configured recovery target was reached", "postgres.wal_too_short: "),
            ("PANIC:  could not locate required checkpoint record", "postgres.wal_too_short: "),
            (
                "FATAL:  requested recovery stop point is before consistent recovery point",
                "postgres.backup_after_point",
            ),
            ("FATAL:  could not write: No space left on device", "postgres.disk: FATAL"),
            (
                "cp: No space left on device\nFATAL:  recovery ended before configured recovery target",
                "postgres.disk: cp",
            ),
            ("FATAL:  archive file \"0\" has wrong size: 1 instead of 16777216", "postgres.wal_damaged: FATAL"),
            ("FATAL:  invalid value", "postgres.start: "),
            ("", "postgres.start: "),
        ] {
            let trouble = ended(log, at, None, 1 << 24).to_string();
            assert!(trouble.starts_with(said), "{log}: {trouble}");
        }
    }
}
