//! Stores by URL.

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
                Ok(Self { store: Arc::new(store.with_fsync(make)), prefix, shown: url.to_owned() })
            }
            other => Err(wrong(format!("scheme {other} is not supported; file is"))),
        }
    }

    /// Returns the place of an object with this name below the prefix.
    pub(super) fn at(&self, name: &str) -> Result<Path, Trouble> {
        let whole = if self.prefix.as_ref().is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Path::parse(&whole).map_err(|error| Trouble::never("objects.invalid", format!("{whole}: {error}")))
    }
}
