//! What the servers are told: small, archiving, and able to say when each transaction was committed.

use std::fmt::Write as _;
use std::path::Path;

/// A setting of the server as it stands in its file.
fn setting(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{name} = '{}'", value.replace('\'', "''"));
}

/// The file of settings; `memory` is the size of the server's own cache in MiB.
pub(super) fn file(sockets: &Path, port: u16, wal: &Path, memory: u64) -> String {
    let mut out = String::from("# Written by `lab build`; kept outside of the data, so that backups do not hold it.\n");
    let (port, memory, sockets) = (port.to_string(), format!("{memory}MB"), sockets.display().to_string());
    let archive = archive_command(wal);
    for (name, value) in [
        ("listen_addresses", ""),
        ("unix_socket_directories", sockets.as_str()),
        ("port", &port),
        ("max_connections", "60"),
        ("shared_buffers", &memory),
        ("min_wal_size", "80MB"),
        ("max_wal_size", "1GB"),
        ("wal_level", "logical"),
        ("archive_mode", "on"),
        ("archive_command", &archive),
        ("archive_timeout", "5min"),
        // The truth that `diff` compares with asks when a transaction was committed, as recovery does.
        ("track_commit_timestamp", "on"),
        ("log_min_messages", "warning"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ] {
        setting(&mut out, name, value);
    }
    out
}

/// A segment is in the archive under its name only when it is whole; one that is there already must be the same.
fn archive_command(wal: &Path) -> String {
    let wal = quoted(wal);
    format!("if test -f {wal}/%f; then cmp -s %p {wal}/%f; else cp %p {wal}/%f.part && mv {wal}/%f.part {wal}/%f; fi")
}

/// What a server is told while it is filled for the first time: no promises, all speed.
pub(super) const FILLING: &str = "-c wal_level=minimal -c max_wal_senders=0 -c archive_mode=off -c fsync=off \
    -c full_page_writes=off -c autovacuum=off -c max_wal_size=8GB -c maintenance_work_mem=128MB -c work_mem=64MB \
    -c track_commit_timestamp=off -c checkpoint_timeout=1d";

/// A path as one word of the shell; `%` would be a placeholder of the server.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''").replace('%', "%%"))
}
