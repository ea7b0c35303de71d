//! What comes in from outside: each dependency with its reason, none that is banned, licences that go with ours.

use std::collections::BTreeSet;

use crate::licence;
use crate::metadata::{Metadata, declared, text};
use crate::none;
use crate::workspace::{self, files};

/// Texts in quotes between a line that starts with `open` and the next that starts with `]`.
fn quoted_list(toml: &str, open: &str) -> Vec<String> {
    let lines = toml.lines().skip_while(|line| !line.starts_with(open)).skip(1);
    lines
        .take_while(|line| !line.starts_with(']'))
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Lines of `[workspace.dependencies]` that name a package from outside.
fn outside_lines() -> Vec<String> {
    let manifest = workspace::text("Cargo.toml");
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains(" = ") && !line.starts_with('#') && !line.contains("path = "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let lines = outside_lines();
    assert!(lines.len() > 10, "the list must be found");
    let silent: Vec<String> = lines.into_iter().filter(|line| !line.contains(" # ")).collect();
    none(&silent, "Dependencies in the root Cargo.toml without a reason (`# why`) on their line:");
}

#[test]
fn members_take_every_dependency_from_the_workspace() {
    let mut found = Vec::new();
    for path in files().iter().filter(|path| path.ends_with("/Cargo.toml")) {
        let manifest = workspace::text(path);
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            } else if inside && line.contains('=') && !line.starts_with('#') && !line.contains("workspace = true") {
                found.push(format!("{path}: {line}"));
            }
        }
    }
    none(&found, "Dependencies with a version of their own (put it in the root Cargo.toml, with its reason):");
}

#[test]
fn every_dependency_of_the_workspace_is_used_by_a_member() {
    let metadata = Metadata::read();
    let used: BTreeSet<String> =
        metadata.members().into_values().flat_map(declared).map(|dependency| dependency.package).collect();
    let unused: Vec<String> = outside_lines()
        .into_iter()
        .filter(|line| {
            let renamed = line.split("package = \"").nth(1).and_then(|rest| rest.split('"').next());
            let name = renamed.or_else(|| line.split(" = ").next()).unwrap_or_default();
            !used.contains(name)
        })
        .collect();
    none(&unused, "Dependencies in the root Cargo.toml that no member uses (remove them):");
}

#[test]
fn no_banned_package_is_in_the_lock_file() {
    let rules = workspace::text("deny.toml");
    let lock = workspace::text("Cargo.lock");
    let banned: Vec<&str> =
        rules.lines().filter_map(|line| line.split("crate = \"").nth(1)?.split('"').next()).collect();
    assert!(banned.contains(&"serde_yml") && banned.contains(&"native-tls"), "the list must be found");
    let found: Vec<String> =
        banned.into_iter().filter(|name| lock.contains(&format!("\nname = \"{name}\"\n"))).map(str::to_owned).collect();
    none(&found, "Banned packages in Cargo.lock (deny.toml says why; cargo tree --invert NAME shows the way):");
}

#[test]
fn every_package_has_one_source_with_a_checksum() {
    let lock = workspace::text("Cargo.lock");
    let foreign: Vec<String> = lock
        .lines()
        .filter(|line| line.starts_with("source = ") && !line.starts_with("source = \"registry+"))
        .map(str::to_owned)
        .collect();
    none(&foreign, "Packages that do not come from the registry:");
}

#[test]
fn every_licence_goes_with_ours() {
    let allowed = quoted_list(&workspace::text("deny.toml"), "allow = [");
    assert!(allowed.iter().any(|licence| licence == "MIT"), "the list must be found");
    let metadata = Metadata::read();
    let found: Vec<String> = metadata
        .packages()
        .filter(|package| !licence::admits(text(&package["license"]), &allowed))
        .map(|package| format!("{}: {}", text(&package["name"]), package["license"]))
        .collect();
    none(&found, "Packages whose licence deny.toml does not allow:");
}

#[test]
fn the_licence_files_are_there() {
    let ours = workspace::text("Cargo.toml");
    assert!(ours.contains("license = \"Apache-2.0 OR MIT\""));
    assert!(workspace::text("LICENSE-APACHE").contains("Version 2.0, January 2004"));
    assert!(workspace::text("LICENSE-MIT").starts_with("MIT License"));
    assert!(workspace::text("LICENSE").contains("Apache-2.0 OR MIT"));
}
