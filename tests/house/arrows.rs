//! Who may use whom among our own crates, dev- and build-dependencies included.

use crate::metadata::{Metadata, declared, text};
use crate::none;

/// A crate and those of ours that it may use; the picture is in `crates/README.md`.
const ARROWS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("runbook", &["engine"]),
    ("report", &["engine"]),
    ("runtime", &["engine"]),
    ("store", &["runtime", "engine"]),
    ("connectors", &["runtime", "engine"]),
    ("server", &["runtime", "runbook", "report", "engine"]),
    ("lab", &[]),
    ("cli", &["server", "store", "connectors", "lab", "report", "runbook", "runtime", "engine"]),
    ("xtask", &[]),
    ("tests", &["cli", "server", "store", "connectors", "lab", "report", "runbook", "runtime", "engine"]),
    ("benches", &["cli", "server", "store", "connectors", "lab", "report", "runbook", "runtime", "engine"]),
];

fn short(package: &str) -> &str {
    package.strip_prefix("reinstate-").unwrap_or(package)
}

#[test]
fn no_crate_uses_one_that_it_must_not_know() {
    let metadata = Metadata::read();
    let mut found = Vec::new();
    for (name, package) in metadata.members() {
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == short(name)) else {
            found.push(format!("{name} has no line in tests/house/arrows.rs"));
            continue;
        };
        for dependency in declared(package).iter().filter(|dependency| dependency.ours) {
            if !allowed.contains(&short(&dependency.package)) {
                found.push(format!("{name} -> {} ({})", dependency.package, dependency.kind));
            }
        }
    }
    none(&found, "Forbidden arrows (see crates/README.md for who may use whom, and why):");
}

#[test]
fn every_arrow_is_of_a_crate_that_exists() {
    let metadata = Metadata::read();
    let members: Vec<&str> = metadata.members().into_keys().map(short).collect();
    let gone: Vec<String> =
        ARROWS.iter().filter(|(name, _)| !members.contains(name)).map(|(name, _)| (*name).to_owned()).collect();
    none(&gone, "Lines in tests/house/arrows.rs without a crate:");
}

#[test]
fn store_and_connectors_never_see_each_other() {
    let metadata = Metadata::read();
    for (one, other) in [("store", "connectors"), ("connectors", "store"), ("lab", "engine"), ("engine", "runtime")] {
        let closure = metadata.closure(&format!("reinstate-{one}"));
        assert!(!closure.contains(format!("reinstate-{other}").as_str()), "{one} reaches {other}");
    }
}

#[test]
fn nothing_is_published_by_accident() {
    let metadata = Metadata::read();
    let open: Vec<String> = metadata
        .members()
        .into_values()
        .filter(|package| package["publish"].as_array().is_none_or(|registries| !registries.is_empty()))
        .map(|package| text(&package["name"]).to_owned())
        .collect();
    none(&open, "Members without `publish.workspace = true`:");
}
