//! The engine stays pure: its packages and its sources know no clock, no IO, no chance and no order but the given one.

use crate::metadata::Metadata;
use crate::source::places;
use crate::workspace::sources;
use crate::{none, workspace};

/// Packages that bring a clock, IO, a runtime, a format for people or randomness.
const FORBIDDEN_PACKAGES: &[&str] = &[
    "tokio",
    "mio",
    "futures",
    "async-trait",
    "sqlx",
    "sqlx-core",
    "reqwest",
    "hyper",
    "rustls",
    "serde_yaml",
    "yaml_serde",
    "serde-saphyr",
    "chrono",
    "time",
    "rand",
    "rand_core",
    "getrandom",
    "fastrand",
    "tempfile",
];

/// Words that stand for the same in the sources; hash maps because their order differs from run to run.
const FORBIDDEN_WORDS: &[&str] = &[
    "SystemTime",
    "Instant",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "HashMap",
    "HashSet",
    "RandomState",
];

#[test]
fn no_package_below_the_engine_does_io_or_tells_time() {
    let metadata = Metadata::read();
    let closure = metadata.closure("reinstate-engine");
    assert!(closure.contains("petgraph"), "the closure must not be empty");
    let found: Vec<String> =
        FORBIDDEN_PACKAGES.iter().filter(|name| closure.contains(**name)).map(|&name| name.to_owned()).collect();
    none(
        &found,
        "Packages that the engine must not reach (cargo tree -p reinstate-engine --invert NAME shows the way):",
    );
}

#[test]
fn no_source_of_the_engine_reaches_out() {
    let found: Vec<String> = sources("crates/engine/src/")
        .iter()
        .flat_map(|source| places(source, &source.lines(), FORBIDDEN_WORDS))
        .collect();
    none(&found, "Impure words in the engine (time, chance and order come in as data):");
}

#[test]
fn clippy_guards_the_engine_too() {
    let rules = workspace::text("crates/engine/clippy.toml");
    for path in ["std::time::SystemTime::now", "std::time::Instant::now", "std::collections::HashMap"] {
        assert!(rules.contains(path), "crates/engine/clippy.toml must disallow {path}");
    }
}
