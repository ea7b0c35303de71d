//! What the system says of processes: memory and CPU time.

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

/// Ticks of the system's clock of processes in a second (proc(5)).
const TICKS: f64 = 100.0;

/// CPU time of this process so far, in seconds; 0 where the system does not say.
pub(crate) fn cpu_s() -> f64 {
    // Fields 14 and 15 of /proc/PID/stat: user and system time.
    stat("self").iter().skip(11).take(2).sum::<f64>() / TICKS
}

/// CPU time of a process, of its children, and of its children that have ended, in seconds.
pub(crate) fn tree_cpu_s(pid: u32) -> f64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Field 4 is the parent, fields 14 to 17 are own times and those of ended children.
    let children: f64 = others
        .map(|other| stat(&other.to_string()))
        .filter(|fields| fields.get(1) == Some(&f64::from(pid)))
        .map(|fields| fields.iter().skip(11).take(2).sum::<f64>())
        .sum();
    (stat(&pid.to_string()).iter().skip(11).take(4).sum::<f64>() + children) / TICKS
}

/// CPU time of the whole machine that was not idle so far, in seconds.
pub(crate) fn machine_cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // User, nice and system; then idle and waiting for disks; then interrupts and what other machines stole.
    numbers.iter().enumerate().filter(|(at, _)| !matches!(at, 3 | 4 | 8..)).map(|(_, ticks)| ticks).sum::<f64>() / TICKS
}

/// Fields of /proc/PID/stat from the third on; what is no number is 0.
fn stat(pid: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program is in brackets and may hold anything.
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    after.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect()
}
