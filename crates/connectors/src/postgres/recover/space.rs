//! Is there room for the copy, before the first byte of it is written?

use std::path::{Path, PathBuf};

use super::base::Base;
use super::trouble::files;
use crate::answer::Trouble;

/// WAL is allowed for by what the archive holds since the backup, but by no more than this, or the size of the base.
const WAL_MAX: u64 = 1 << 30;

/// Refuses a copy for which there is no room.
///
/// # Errors
/// `postgres.disk` with the figures.
pub(super) fn check(into: &Path, base: &Base, wal: Option<&Path>, reserve: u64) -> Result<(), Trouble> {
    let (size, wal) = needed(base, wal)?;
    room(into, size, wal, reserve)
}

/// Bytes that an instance takes at most: those of its base, and of its WAL.
///
/// # Errors
/// `postgres.files`.
pub(super) fn needed(base: &Base, wal: Option<&Path>) -> Result<(u64, u64), Trouble> {
    let mut size = 0;
    for folder in std::iter::once(base.path.clone()).chain(tablespaces(&base.path)?.into_iter().map(|(_, path)| path)) {
        size += measure(&folder)?;
    }
    // Replay makes the data grow by about what the WAL holds, and keeps some of the WAL itself.
    let wal = wal.map_or(0, |wal| archived(wal, &base.label.segment)).min(size.max(WAL_MAX));
    Ok((size, wal))
}

/// Refuses if less is free in a folder, or the nearest one above it, than is needed.
///
/// # Errors
/// `postgres.disk` with the figures.
pub(super) fn room(into: &Path, size: u64, wal: u64, reserve: u64) -> Result<(), Trouble> {
    let there = into.ancestors().find(|folder| folder.exists()).unwrap_or(into);
    let found = rustix::fs::statvfs(there).map_err(|error| files(there, &error.into()))?;
    // What is free for a server that is not root, as `df` shows it.
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = size.saturating_add(wal).saturating_add(reserve);
    if needed <= free {
        return Ok(());
    }
    let text = format!(
        "{} has {} free, {} are needed: {} of the backup, {} for WAL, {} to be left free",
        into.display(),
        shown(free),
        shown(needed),
        shown(size),
        shown(wal),
        shown(reserve)
    );
    Err(Trouble::retry("postgres.disk", text).hint("make space, give another folder as `into`, or lower `reserve`"))
}

/// Bytes of all files of a folder, links within it not followed.
fn measure(folder: &Path) -> Result<u64, Trouble> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder).map_err(|error| files(folder, &error))? {
        let entry = entry.map_err(|error| files(folder, &error))?;
        let data = entry.metadata().map_err(|error| files(&entry.path(), &error))?;
        size += if data.is_dir() { measure(&entry.path())? } else { data.len() };
    }
    Ok(size)
}

/// Bytes of the archived segments from one on.
fn archived(wal: &Path, first: &str) -> u64 {
    let entries = std::fs::read_dir(wal).into_iter().flatten().flatten();
    let later = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.len() == 24 && name.get(8..) >= first.get(8..)
    });
    later.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}

/// Number and place of each tablespace that does not lie in the data folder itself.
pub(super) fn tablespaces(data: &Path) -> Result<Vec<(String, PathBuf)>, Trouble> {
    let folder = data.join("pg_tblspc");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(files(&folder, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| files(&folder, &error))?;
        if entry.file_type().map_err(|error| files(&entry.path(), &error))?.is_symlink() {
            let target = std::fs::canonicalize(entry.path()).map_err(|error| files(&entry.path(), &error))?;
            found.push((entry.file_name().to_string_lossy().into_owned(), target));
        }
    }
    Ok(found)
}

/// Reads a size such as `10GB`: bytes, or with a unit of 1,000 (`MB`) or 1,024 (`MiB`).
///
/// # Errors
/// `inputs` if it is none.
pub(super) fn size(name: &str, text: &str) -> Result<u64, Trouble> {
    let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
    let (number, unit) = text.trim().split_at(digits);
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        unit => {
            let base: u64 = if unit.ends_with("ib") { 1_024 } else { 1_000 };
            let short = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit);
            ["k", "m", "g", "t", "p"].iter().position(|known| *known == short).map(|at| base.pow(at as u32 + 1))
        }
    };
    let bytes = number.parse::<u64>().ok().zip(power).and_then(|(number, power)| number.checked_mul(power));
    bytes.ok_or_else(|| {
        Trouble::never("inputs", format!("{name}: {text:?} is not a size")).hint("write it like `500MB` or `10GiB`")
    })
}

/// Writes a size for people.
fn shown(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut left = bytes;
    while left >= 100_000 && unit + 1 < units.len() {
        left /= 1_000;
        unit += 1;
    }
    format!("{left} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::{room, shown, size};

    #[test]
    fn sizes_are_read_and_shown() {
        let read = |text| size("reserve", text).ok();
        assert_eq!(
            [read("7"), read("3 kB"), read("10GB"), read("1TiB"), read("2m")],
            [Some(7), Some(3_000), Some(10_000_000_000), Some(1 << 40), Some(2_000_000)]
        );
        assert_eq!([read(""), read("GB"), read("-1"), read("1.5GB"), read("9XB"), read("99999999PB")], [None; 6]);
        assert_eq!([shown(99_999), shown(1 << 30), shown(u64::MAX)], ["99999 B", "1073 MB", "18446 PB"]);
    }

    #[test]
    fn too_little_room_is_refused_with_the_figures() {
        let temp = std::env::temp_dir();
        assert!(room(&temp.join("not/there/yet"), 0, 0, 0).is_ok());
        let refused = room(&temp, 1, 2, 1 << 62).expect_err("no volume has that").to_string();
        assert!(refused.starts_with("postgres.disk: ") && refused.contains("4611 PB to be left free"), "{refused}");
    }
}
