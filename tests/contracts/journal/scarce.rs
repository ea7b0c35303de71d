//! Disks that are full or read-only: real file systems of a few hundred kilobytes, in a mount namespace of their own.

use std::path::Path;
use std::process::Command;

use crate::child_process::PROGRAM;
use crate::format_1;

/// Runs a script with `$child` and an empty folder `$disk`, where it may mount; `None` if this host forbids mounting.
fn with_mounts(script: &str) -> Option<Vec<String>> {
    with_mounts_and(script, Path::new("/"))
}

/// The same, with one more path, `$given`.
fn with_mounts_and(script: &str, given: &Path) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let trial = "mount -t tmpfs -o size=64k tmpfs \"$disk\"";
    if !unshared(folder.path(), given, trial)?.status.success() {
        eprintln!("skipped: this host does not let a test mount a file system in a namespace of its own");
        return None;
    }
    let ran = unshared(folder.path(), given, &format!("set -e\n{script}"))?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn unshared(disk: &Path, given: &Path, script: &str) -> Option<std::process::Output> {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .env("child", PROGRAM)
        .env("disk", disk)
        .env("given", given);
    command.output().ok()
}

#[test]
fn a_full_disk_is_named_and_the_journal_goes_on_when_there_is_space() {
    let script = r#"
        mount -t tmpfs -o size=900k tmpfs "$disk"
        head -c 400000 /dev/zero > "$disk/runs.ballast"
        "$child" fill "$disk/runs.db""#;
    if let Some(said) = with_mounts(script) {
        assert_eq!(said, ["journal-full", "journal-full", "recovered"]);
    }
}

#[test]
fn a_journal_cannot_be_made_on_a_full_disk_but_later() {
    let script = r#"
        mount -t tmpfs -o size=400k tmpfs "$disk"
        head -c 400000 /dev/zero > "$disk/ballast" || true
        "$child" new-on-full "$disk/runs.db"
        rm "$disk/ballast"
        "$child" new-on-full "$disk/runs.db""#;
    if let Some(said) = with_mounts(script) {
        assert_eq!(said, ["journal-full", "made"]);
    }
}

#[test]
fn a_read_only_disk_is_named_and_still_read() {
    let script = r#"
        mount -t tmpfs -o size=4m tmpfs "$disk"
        printf '\n\n\n' | "$child" step "$disk/runs.db"
        mount -o remount,ro "$disk"
        "$child" read-only "$disk/runs.db"
        mount -o remount,rw "$disk"
        printf '\n' | "$child" step "$disk/runs.db""#;
    if let Some(said) = with_mounts(script) {
        let expected = ["driving", "1", "2", "3", "3", "journal-read-only", "journal-read-only", "driving", "4"];
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn a_file_of_format_1_on_a_read_only_disk_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("runs.db");
    format_1::sample(&old).await;
    let script = r#"
        mount -t tmpfs -o size=4m tmpfs "$disk"
        cp "$given" "$disk/runs.db"
        mount -o remount,ro "$disk"
        "$child" read-only "$disk/runs.db""#;
    if let Some(said) = with_mounts_and(script, &old) {
        assert_eq!(said, ["5", "journal-read-only", "journal-read-only"]);
    }
}
