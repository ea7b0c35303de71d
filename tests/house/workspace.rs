//! The files of the workspace, read from disk, so that a change counts before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// Folders that are not part of the project's text.
const SKIPPED: [&str; 4] = ["target", ".git", ".tmp", "node_modules"];

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Text of a file, by its path from the root.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths of all files from the root, with `/`, in order.
pub(crate) fn files() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file() && name != ".git" {
            found.push(path);
        }
    }
}

/// Every Rust file below a folder; the empty text is the root.
pub(crate) fn sources(below: &str) -> Vec<Source> {
    files()
        .into_iter()
        .filter(|path| path.starts_with(below) && Path::new(path).extension().is_some_and(|kind| kind == "rs"))
        .map(|path| Source::new(text(&path), path))
        .collect()
}
