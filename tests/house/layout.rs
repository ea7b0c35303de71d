//! How files lie: none orphaned, none too long, each folder with its purpose, each crate under the same lints.

use std::collections::BTreeSet;

use crate::metadata::{Metadata, entries};
use crate::none;
use crate::source::Source;
use crate::workspace::{self, files, sources};

/// Lines that a Rust file may have.
const LINES_MAX: usize = 500;

/// Longer files, and why they may be.
const LONG: &[(&str, &str)] = &[];

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources("")
        .iter()
        .filter(|source| source.text.lines().count() > LINES_MAX && !LONG.iter().any(|(path, _)| *path == source.path))
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    none(&long, "Files of more than 500 lines (split them by idea, or give a reason in tests/house/layout.rs):");
}

#[test]
fn every_exception_is_still_needed() {
    let idle: Vec<String> = LONG
        .iter()
        .filter(|(path, reason)| reason.is_empty() || workspace::text(path).lines().count() <= LINES_MAX)
        .map(|(path, _)| (*path).to_owned())
        .collect();
    none(&idle, "Exceptions in tests/house/layout.rs that are no longer needed, or have no reason:");
}

#[test]
fn every_table_of_contents_says_its_purpose() {
    let silent: Vec<String> = sources("")
        .into_iter()
        .filter(|source| {
            let name = source.path.rsplit('/').next().unwrap_or_default();
            matches!(name, "lib.rs" | "mod.rs" | "main.rs") && !source.text.starts_with("//! ")
        })
        .map(|source| source.path)
        .collect();
    none(&silent, "Files that do not begin with `//!` and their purpose:");
}

#[test]
fn every_member_obeys_the_lints_of_the_workspace() {
    assert!(workspace::text("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let free: Vec<String> = files()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml"))
        .filter(|path| !workspace::text(path).contains("[lints]\nworkspace = true"))
        .collect();
    none(&free, "Members without `[lints] workspace = true`:");
}

/// Folder in which the parent of a module lies, as `mod.rs`, `lib.rs`, `main.rs` or the entry of a target.
fn folder_of_parent(path: &str) -> &str {
    let file = path.strip_suffix("/mod.rs").unwrap_or(path);
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a file may be the parent of a module whose parent lies in a folder.
fn may_be_parent(path: &str, folder: &str, entries: &BTreeSet<String>) -> bool {
    let (own, name) = path.rsplit_once('/').unwrap_or(("", path));
    let contents = matches!(name, "mod.rs" | "lib.rs" | "main.rs") || entries.contains(path);
    own == folder && contents || path.strip_suffix(".rs") == Some(folder)
}

fn declares(source: &Source, module: &str) -> bool {
    let wanted = format!("mod {module};");
    source.lines().iter().any(|(_, line)| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, rest)| rest));
        line.starts_with(&wanted)
    })
}

#[test]
fn every_rust_file_is_compiled() {
    let metadata = Metadata::read();
    let entries: BTreeSet<String> = metadata.members().into_values().flat_map(entries).collect();
    let all = sources("");
    let orphans: Vec<String> = all
        .iter()
        .filter(|source| !entries.contains(&source.path))
        .filter(|source| {
            let stem = source.path.strip_suffix("/mod.rs").or(source.path.strip_suffix(".rs")).unwrap_or_default();
            let module = stem.rsplit('/').next().unwrap_or_default();
            let folder = folder_of_parent(&source.path);
            !all.iter().any(|other| may_be_parent(&other.path, folder, &entries) && declares(other, module))
        })
        .map(|source| source.path.clone())
        .collect();
    none(&orphans, "Rust files that nothing compiles (declare the module, or the target in its Cargo.toml):");
}
