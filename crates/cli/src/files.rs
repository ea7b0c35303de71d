//! Reading what people name, with bounds.

use std::io::Read;
use std::path::Path;

use runbook::{Diagnostic, Source};

use crate::failure::Failure;

/// Longest site list that is read, in bytes.
const SITES_MAX: u64 = 1 << 30;

/// Reads a text for the front end; one that is not text is a finding with its place.
pub(crate) fn source(path: &Path, what: &str) -> Result<Result<Source, Box<Diagnostic>>, Failure> {
    let bytes = bytes(path, what, runbook::MAX_TEXT as u64 + 1)?;
    Ok(Source::from_bytes(name(path), &bytes))
}

/// Reads a site list, from a file or from standard input (`-`).
pub(crate) fn sites(path: &Path) -> Result<Result<Source, Box<Diagnostic>>, Failure> {
    let bytes = bytes(path, "the site list", SITES_MAX)?;
    Ok(Source::from_bytes(name(path), &bytes))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// Reads at most `max` bytes; a longer text is left to the front end, which refuses it by its length.
pub(crate) fn bytes(path: &Path, what: &str, max: u64) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::input(
            "file-unreadable",
            format!("cannot read {what} {}: {error}", path.display()),
            "check the path and its permissions",
        )
    };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(max).read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(bytes);
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let kind = file.metadata().map_err(unreadable)?;
    if kind.is_dir() {
        return Err(Failure::input("file-unreadable", format!("{} is a folder", path.display()), "name a file"));
    }
    file.take(max).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Writes a file whole, or says why not.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::input("file-unwritable", format!("cannot write {}: {error}", path.display()), "name another file")
    })
}
