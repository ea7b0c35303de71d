//! Stores by URL.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::answer::Trouble;

/// A store and the prefix in it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// For messages.
    pub(super) shown: String,
    /// The same store, if it is a folder of this machine.
    local: Option<(Arc<LocalFileSystem>, PathBuf)>,
}

impl Place {
    /// Opens a store; with `make`, its folder is made if missing.
    ///
    /// # Errors
    /// Another scheme, a folder that is missing, a prefix with empty or dotted segments.
    pub(super) fn open(url: &str, prefix: &str, make: bool) -> Result<Self, Trouble> {
        let wrong = |why: String| {
            Trouble::never("objects.invalid", format!("{url}: {why}"))
                .hint("write an absolute URL such as file:///srv/media")
        };
        let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        let prefix = Path::parse(prefix.trim_matches('/'))
            .map_err(|error| Trouble::never("objects.invalid", format!("prefix: {error}")))?;
        match parsed.scheme() {
            "file" => {
                let folder = parsed.to_file_path().map_err(|()| wrong("not a path of this machine".to_owned()))?;
                if make {
                    std::fs::create_dir_all(&folder)
                        .map_err(|error| Trouble::never("objects.open", format!("{url} cannot be made: {error}")))?;
                }
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| {
                    Trouble::never("objects.open", format!("{url} cannot be opened: {error}"))
                        .hint("does the folder exist on this machine?")
                })?;
                // Done means that it survives power loss.
                let store = Arc::new(store.with_fsync(make));
                Ok(Self { store: store.clone(), prefix, shown: url.to_owned(), local: Some((store, folder)) })
            }
            other => Err(wrong(format!("scheme {other} is not supported; file is"))),
        }
    }

    /// Returns the place of an object with this name below the prefix.
    pub(super) fn at(&self, name: &str) -> Result<Path, Trouble> {
        let whole = if self.prefix.as_ref().is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Path::parse(&whole).map_err(|error| Trouble::never("objects.invalid", format!("{whole}: {error}")))
    }

    /// Removes what killed writers of these objects left beside them: a folder's store writes `NAME#1`, `NAME#2`, ...
    /// and renames or links it when it is whole. A writer that still runs fails, which only makes its attempt fail.
    pub(super) fn sweep<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<(), Trouble> {
        let Some((local, _)) = &self.local else { return Ok(()) };
        for name in names {
            let at = self.at(name)?;
            let Ok(file) = local.path_to_filesystem(&at) else { continue };
            for number in 1_u32.. {
                let mut staged = file.clone().into_os_string();
                staged.push(format!("#{number}"));
                if std::fs::remove_file(&staged).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Removes the folders below the prefix that hold nothing, the prefix's own and those above it too, and makes that
    /// durable; the store's own folder stays.
    pub(super) fn prune(&self) -> Result<(), Trouble> {
        let Some((local, root)) = &self.local else { return Ok(()) };
        let open = |error: std::io::Error| Trouble::retry("objects.failed", format!("{}: {error}", self.shown));
        let Ok(below) = local.path_to_filesystem(&self.prefix) else { return Ok(()) };
        prune(&below);
        let mut folder = below.parent();
        while let Some(above) = folder.filter(|above| above.starts_with(root) && above != root) {
            if std::fs::remove_dir(above).is_err() {
                break;
            }
            folder = above.parent();
        }
        // What stands now: the nearest folder that is left.
        let left = below.ancestors().find(|folder| folder.is_dir()).unwrap_or(root);
        std::fs::File::open(left).and_then(|folder| folder.sync_all()).map_err(open)
    }
}

/// Removes a folder and those below it, as far as they are empty.
fn prune(folder: &std::path::Path) {
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
