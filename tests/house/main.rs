//! The rules of the house: who may use whom, what the core must not know, which dependencies come in, what is tidy.
//!
//! Each rule reads the files and `cargo metadata` of this workspace and names every place that breaks it, with the way
//! out.
#![allow(clippy::unwrap_used)]

mod arrows;
mod dependencies;
mod layout;
mod licence;
mod metadata;
mod pure_core;
mod source;
mod tidy;
mod workspace;

/// Fails with all that was found, one per line.
#[track_caller]
fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n  {}\n", found.join("\n  "));
}
