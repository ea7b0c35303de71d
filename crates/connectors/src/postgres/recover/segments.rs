//! Segments of WAL: files of one size, named by timeline and number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::trouble::files;
use crate::answer::Trouble;

/// Segments of a folder by their number; of two timelines the later one's.
///
/// # Errors
/// `postgres.files` if the folder cannot be read.
pub(super) fn segments(folder: &Path, size: u64, highest: u32) -> Result<BTreeMap<u64, (String, PathBuf)>, Trouble> {
    let mut found: BTreeMap<u64, (String, PathBuf)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| files(folder, &error))? {
        let entry = entry.map_err(|error| files(folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(number) = number(&name, size) else { continue };
        let timeline = timeline(&name);
        let better = found.get(&number).is_none_or(|(other, _)| *other < name);
        if timeline <= highest && better {
            found.insert(number, (name, entry.path()));
        }
    }
    Ok(found)
}

/// Number of a segment in its timeline; `None` if a name is not that of a segment.
pub(super) fn number(name: &str, size: u64) -> Option<u64> {
    if name.len() != 24 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |range| u64::from_str_radix(name.get(range)?, 16).ok();
    Some(part(8..16)? * per_log(size) + part(16..24)?)
}

/// Timeline in a segment's name.
pub(super) fn timeline(name: &str) -> u32 {
    name.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// Name of a segment.
pub(super) fn name(timeline: u32, number: u64, size: u64) -> String {
    format!("{timeline:08X}{:08X}{:08X}", number / per_log(size), number % per_log(size))
}

fn per_log(size: u64) -> u64 {
    (0x1_0000_0000 / size.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::{name, number};

    #[test]
    fn segments_are_numbered_across_logs() {
        let size = 16 << 20;
        assert_eq!(number("0000000100000000000000FF", size), Some(255));
        assert_eq!(number("000000020000000100000000", size), Some(256));
        assert_eq!(name(1, 256, size), "000000010000000100000000");
        for none in ["00000002.history", "000000010000000000000002.00000028.backup", "00000001000000000000000G"] {
            assert_eq!(number(none, size), None);
        }
    }
}
