//! What the system says of this process.

/// Peak resident memory in bytes; `None` where the system does not say.
pub(crate) fn peak_rss() -> Option<u64> {
    status("VmHWM:")
}

/// Resident memory in bytes; `None` where the system does not say.
pub(crate) fn rss() -> Option<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
