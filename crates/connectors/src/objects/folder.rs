//! A folder of this machine as a store: what object stores have no word for.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;

/// A folder and the store over it.
#[derive(Clone)]
pub(super) struct Folder {
    store: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(store: Arc<LocalFileSystem>, root: PathBuf) -> Self {
        Self { store, root }
    }

    /// Removes what killed writers of this object left beside it: the store writes `NAME#1`, `NAME#2`, ... and renames or
    /// links it when it is whole. A writer that still runs fails, which only makes its attempt fail.
    pub(super) fn sweep(&self, at: &Path) {
        let Ok(file) = self.store.path_to_filesystem(at) else { return };
        for number in 1_u32.. {
            let mut staged = file.clone().into_os_string();
            staged.push(format!("#{number}"));
            if std::fs::remove_file(&staged).is_err() {
                break;
            }
        }
    }

    /// Removes the folders below a prefix that hold nothing, the prefix's own and those above it too, and makes that
    /// durable; the store's own folder stays.
    pub(super) fn prune(&self, prefix: &Path) -> std::io::Result<()> {
        let Ok(below) = self.store.path_to_filesystem(prefix) else { return Ok(()) };
        prune(&below);
        let mut folder = below.parent();
        while let Some(above) = folder.filter(|above| above.starts_with(&self.root) && *above != self.root) {
            if std::fs::remove_dir(above).is_err() {
                break;
            }
            folder = above.parent();
        }
        // What stands now: the nearest folder that is left.
        let left = below.ancestors().find(|folder| folder.is_dir()).unwrap_or(&self.root);
        std::fs::File::open(left)?.sync_all()
    }
}

/// Removes a folder and those below it, as far as they are empty.
fn prune(folder: &FilePath) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prune(&entry.path());
        }
    }
    // A folder that holds something stays, without what was removed from it.
    if std::fs::remove_dir(folder).is_err() {
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
}
