//! The daemon's folder: what runs can be made of, and what it keeps.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

/// Files listed of a kind.
const LISTED: usize = 1_000;
/// Longest site list that is read from the folder.
const SITES_MAX: u64 = 256 << 20;

/// A folder with `runbooks/`, `estates/`, `sites/` and `drills/`, who may ask (tokens, `oidc.yaml`), and the audit log.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Runbooks,
    Estates,
    Sites,
}

/// Why a file of the home cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShelfError {
    #[error("`{name}` cannot be the name of a file in {folder}")]
    Name { name: String, folder: &'static str },
    #[error("there is no `{name}` in {folder}")]
    Missing { name: String, folder: &'static str },
    #[error("{folder}/{name} cannot be read: {source}")]
    File { name: String, folder: &'static str, source: std::io::Error },
    #[error("{folder}/{name} is too long")]
    TooLong { name: String, folder: &'static str },
}

/// What the home has to make runs of.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Shelves {
    /// Files in `runbooks/`.
    pub(crate) runbooks: Vec<String>,
    /// Files in `estates/`.
    pub(crate) estates: Vec<String>,
    /// Files in `sites/`.
    pub(crate) sites: Vec<String>,
}

impl Home {
    /// The folder at a path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folders that are missing.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn make(&self) -> std::io::Result<()> {
        for shelf in [Shelf::Runbooks, Shelf::Estates, Shelf::Sites] {
            std::fs::create_dir_all(self.path.join(shelf.folder()))?;
        }
        std::fs::create_dir_all(self.path.join("drills"))
    }

    /// Names of all files.
    pub(crate) fn list(&self) -> Shelves {
        let names = |shelf: Shelf| {
            let entries = std::fs::read_dir(self.path.join(shelf.folder())).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.path().is_file());
            let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.retain(|name| is_name(name));
            names.sort();
            names.truncate(LISTED);
            names
        };
        Shelves { runbooks: names(Shelf::Runbooks), estates: names(Shelf::Estates), sites: names(Shelf::Sites) }
    }

    /// Reads a file by its name.
    pub(crate) fn read(&self, shelf: Shelf, name: &str) -> Result<Vec<u8>, ShelfError> {
        let folder = shelf.folder();
        if !is_name(name) {
            return Err(ShelfError::Name { name: report::plain(name), folder });
        }
        let name = name.to_owned();
        let max = if shelf == Shelf::Sites { SITES_MAX } else { runbook::MAX_TEXT as u64 };
        let file = match std::fs::File::open(self.path.join(folder).join(&name)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ShelfError::Missing { name, folder });
            }
            Err(source) => return Err(ShelfError::File { name, folder, source }),
        };
        let mut bytes = Vec::new();
        match file.take(max + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > max => Err(ShelfError::TooLong { name, folder }),
            Ok(_) => Ok(bytes),
            Err(source) => Err(ShelfError::File { name, folder, source }),
        }
    }
}

impl Shelf {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Runbooks => "runbooks",
            Self::Estates => "estates",
            Self::Sites => "sites",
        }
    }
}

/// A name is one of a file in the folder itself: it leads nowhere else.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(plain)
}
