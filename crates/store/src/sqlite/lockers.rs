//! Which processes hold locks on the journal's files, for the text of an error.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Names the other processes that lock the file at `path` or its `-wal`/`-shm`; empty if the kernel does not tell.
pub(super) fn name(path: &Path) -> String {
    let inodes: Vec<u64> = ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            fs::metadata(file).ok().map(|metadata| metadata.ino())
        })
        .collect();
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut pids: Vec<u32> = locks.lines().filter_map(|line| locker(line, &inodes)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|&pid| pid != std::process::id());
    let named: Vec<String> = pids
        .iter()
        .map(|pid| match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(command) => format!("{} (pid {pid})", command.trim()),
            Err(_) => format!("pid {pid}"),
        })
        .collect();
    named.join(", ")
}

/// Reads `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 124 124`; a waiting one has `->` after its number.
fn locker(line: &str, inodes: &[u64]) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().filter(|field| *field != "->").collect();
    let inode: u64 = fields.get(5)?.rsplit(':').next()?.parse().ok()?;
    if !inodes.contains(&inode) {
        return None;
    }
    fields.get(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        assert_eq!(locker("1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 124 124", &[1234]), Some(4711));
        assert_eq!(locker("1: -> POSIX  ADVISORY  READ 4711 fe:00:1234 0 EOF", &[1234]), Some(4711));
        assert_eq!(locker("1: OFDLCK ADVISORY  READ -1 fe:00:1234 0 EOF", &[1234]), None);
        assert_eq!(locker("1: POSIX  ADVISORY  WRITE 4711 fe:00:1235 124 124", &[1234]), None);
        assert_eq!(locker("", &[1234]), None);
    }
}
