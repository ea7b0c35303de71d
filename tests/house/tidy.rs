//! Words that must not be in the code, each for its reason.

use crate::none;
use crate::source::places;
use crate::workspace::{self, files, sources};

/// Crates that are libraries: what they meet on disk, in the network or from users is no reason to panic.
const LIBRARIES: &[&str] = &["engine", "runbook", "runtime", "store", "connectors", "report", "server"];

#[test]
fn nothing_is_left_to_do() {
    let words = ["todo!", "unimplemented!", "dbg!", "#[ignore", "FIXME", "XXX"];
    let found: Vec<String> = sources("").iter().flat_map(|source| places(source, &source.lines(), &words)).collect();
    none(&found, "Unfinished work, or tests that do not run:");
}

#[test]
fn no_library_panics_on_what_it_meets() {
    let words = [".unwrap()", ".unwrap_err()", "panic!", "todo!"];
    let mut found = Vec::new();
    for name in LIBRARIES {
        for source in sources(&format!("crates/{name}/src/")).iter().filter(|source| !is_test(&source.path)) {
            found.extend(places(source, &source.library_lines(), &words));
        }
    }
    none(&found, "Library code that may panic (return an error; `expect(\"why it cannot\")` only for own invariants):");
}

/// Pauses between two looks at a condition, where what is watched gives no signal; how many, and what is watched.
const PAUSES: &[(&str, usize, &str)] = &[
    ("tests/cli/place.rs", 1, "what another process writes"),
    ("tests/connectors/exec.rs", 1, "processes that end"),
    ("tests/server/audited.rs", 1, "a run that a daemon deletes, which refuses those who ask too often"),
    ("tests/workers/place.rs", 1, "what other processes have done"),
    ("tests/server/drills.rs", 1, "drills of a daemon, which refuses those who ask too often"),
    ("tests/workers/chaos.rs", 1, "processes on several hosts, and when a fault is over"),
    ("tests/workers/place.rs", 1, "what other processes do"),
];

#[test]
fn no_test_waits_for_the_wall_clock() {
    let mut found = Vec::new();
    for source in sources("") {
        let lines = if is_test(&source.path) { source.lines() } else { source.test_lines() };
        let sleeps = places(&source, &lines, &["sleep(", "sleep_until(", "park_timeout("]);
        let allowed = PAUSES.iter().find(|(path, ..)| *path == source.path).map_or(0, |(_, count, _)| *count);
        if sleeps.len() != allowed {
            found.push(format!("{allowed} allowed in {}", source.path));
            found.extend(sleeps);
        }
    }
    none(
        &found,
        "Tests that sleep (wait for the condition; if it gives no signal, pause between looks and say so in PAUSES):",
    );
}

#[test]
fn no_file_tells_where_it_was_written() {
    // Put together here, so that this file does not hold them.
    let words = [["/wo", "rk/"], ["/.lib", "rary/"], ["/ro", "ot/"]].map(|parts| parts.concat());
    let mut found = Vec::new();
    for path in files().into_iter().filter(|path| path != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(workspace::root().join(&path)) else { continue };
        for (ix, line) in text.lines().enumerate() {
            found.extend(
                words.iter().filter(|word| line.contains(*word)).map(|word| format!("{path}:{}: {word}", ix + 1)),
            );
        }
    }
    none(&found, "Places of one machine in the project's files:");
}

#[test]
fn ci_runs_what_a_developer_runs() {
    let script = workspace::text(".ci/run");
    let commands: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(commands.iter().any(|line| line.contains("cargo xtask test <")), "{script}");
    assert_eq!(commands.iter().filter(|line| line.contains("cargo")).count(), 1, "one command, not two:\n{script}");
}

/// Whether a file is test code as a whole.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}
