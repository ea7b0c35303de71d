//! A store and a prefix in it.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use super::address::{Address, Store};
use super::cloud::{self, Cloud};
use super::folder::Folder;
use super::s3::Bucket;
use super::web::Web;
use crate::answer::Trouble;

/// A store and the prefix in it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// For messages.
    pub(super) shown: String,
    /// Requests that only S3 knows.
    pub(super) s3: Option<Arc<Bucket>>,
    /// The same store, if it is a folder of this machine.
    pub(super) folder: Option<Folder>,
    /// Equal for the same store.
    identity: String,
    /// Where the prefix is in what `identity` names.
    whole: Path,
    /// Never shown.
    hidden: Vec<String>,
}

impl Place {
    /// Opens a store; with `make`, its folder is made if missing. Stores in a network are not asked yet.
    ///
    /// # Errors
    /// Another scheme, a folder that is missing, a prefix with empty or dotted segments, credentials that cannot be ones.
    pub(super) fn open(address: &Address, prefix: &str, make: bool, web: &Web) -> Result<Self, Trouble> {
        let store = address.store();
        let shown = shown(&store.url);
        let wrong = |why: String| {
            Trouble::never("objects.invalid", format!("{shown}: {why}"))
                .hint("write a URL such as file:///srv/media, s3://bucket/prefix, gs://bucket or az://container")
        };
        let parsed = Url::parse(&store.url).map_err(|error| wrong(error.to_string()))?;
        check(&store).map_err(wrong)?;
        let prefix = Path::parse(prefix.trim_matches('/'))
            .map_err(|error| Trouble::never("objects.invalid", format!("prefix: {error}")))?;
        if parsed.scheme() == "file" {
            let folder = parsed.to_file_path().map_err(|()| wrong("not a path of this machine".to_owned()))?;
            return Self::of_folder(folder, shown, prefix, make);
        }
        if parsed.password().is_some() || !parsed.username().is_empty() || parsed.query().is_some() {
            return Err(wrong("a URL holds no credentials and no options; write a map with `url`".to_owned()));
        }
        let bucket = parsed.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| wrong("the bucket is missing".to_owned()))?;
        let Cloud { store: opened, s3, identity } = match parsed.scheme() {
            "s3" => cloud::s3(bucket, &store, web)?,
            "gs" => cloud::gcs(bucket, &store, web)?,
            "az" => cloud::azure(bucket, &store, web)?,
            other => return Err(wrong(format!("scheme {other} is not supported; file, s3, gs and az are"))),
        };
        let base = Path::from_url_path(parsed.path()).map_err(|error| wrong(error.to_string()))?;
        let prefix = below(&base, prefix.as_ref())?;
        let hidden = store.confidential().into_iter().map(|(_, value)| value.to_owned()).collect();
        Ok(Self { store: opened, whole: prefix.clone(), prefix, shown, s3, folder: None, identity, hidden })
    }

    fn of_folder(folder: PathBuf, shown: String, prefix: Path, make: bool) -> Result<Self, Trouble> {
        let open = |what: &str, error: &dyn std::fmt::Display| {
            Trouble::never("objects.open", format!("{shown} cannot be {what}: {error}"))
                .hint("does the folder exist on this machine?")
        };
        if make {
            std::fs::create_dir_all(&folder).map_err(|error| open("made", &error))?;
        }
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| open("opened", &error))?;
        let root = folder.canonicalize().map_err(|error| open("opened", &error))?;
        let above = Path::from_absolute_path(&root).map_err(|error| open("opened", &error))?;
        let whole = below(&above, prefix.as_ref())?;
        // Done means that it survives power loss.
        let store = Arc::new(store.with_fsync(make));
        Ok(Self {
            store: Arc::clone(&store) as _,
            prefix,
            shown,
            s3: None,
            folder: Some(Folder::new(store, folder)),
            identity: "file".to_owned(),
            whole,
            hidden: Vec::new(),
        })
    }

    /// Returns the place of an object with this name below the prefix.
    pub(super) fn at(&self, name: &str) -> Result<Path, Trouble> {
        below(&self.prefix, name)
    }

    /// Returns the name below the prefix of an object of the store; `None` if it is not below.
    pub(super) fn name<'k>(&self, key: &'k str) -> Option<&'k str> {
        let name = match self.prefix.as_ref() {
            "" => key,
            prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// Whether both are the same prefix of the same store.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.identity == other.identity && self.whole == other.whole
    }

    /// Whether one lies in the other, so that what is written to one is listed in the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.identity == other.identity
            && (self.whole.prefix_matches(&other.whole) || other.whole.prefix_matches(&self.whole))
    }

    /// Returns the bucket, if it can copy from the other place on its own.
    pub(super) fn copies_from(&self, other: &Self) -> Option<&Bucket> {
        let (ours, theirs) = (self.s3.as_deref()?, other.s3.as_deref()?);
        (self.identity == other.identity && ours.same_holder(theirs)).then_some(ours)
    }

    /// Whether the store checks what it is sent by itself: S3 refuses content that its signed SHA-256 does not fit, and
    /// a folder is synced. The others are read again.
    pub(super) fn checks_uploads(&self) -> bool {
        self.folder.is_some() || self.s3.as_ref().is_some_and(|bucket| bucket.signs())
    }

    /// Takes everything confidential out of a text.
    pub(super) fn redact(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), "***"))
    }
}

/// The URL without what may be a credential that somebody wrote into it.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match (bare.split_once("://"), bare.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) if scheme != "file" => format!("{scheme}://{rest}"),
        _ => bare.to_owned(),
    }
}

/// Joins names without touching their characters.
fn below(prefix: &Path, name: &str) -> Result<Path, Trouble> {
    let whole = match (prefix.as_ref(), name) {
        ("", name) => name.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}/{name}"),
    };
    Path::parse(&whole).map_err(|error| Trouble::never("objects.invalid", format!("{whole}: {error}")))
}

/// Finds what would only be noticed, or would panic, when the first request is made.
fn check(store: &Store) -> Result<(), String> {
    for (name, value) in store.confidential() {
        let one_line = name == "service_account_key" || value.bytes().all(|byte| byte.is_ascii_graphic());
        if value.is_empty() || !one_line {
            return Err(format!("{name} is empty, or holds a space, a line break or another character no key has"));
        }
    }
    if let Some(endpoint) = &store.endpoint {
        let url = Url::parse(endpoint).map_err(|error| format!("endpoint: {error}"))?;
        match url.scheme() {
            "https" => {}
            "http" if store.allow_http => {}
            "http" => return Err("endpoint: http is not encrypted; `allow_http: true` allows it".to_owned()),
            other => return Err(format!("endpoint: scheme {other} is not supported; https is")),
        }
        if url.password().is_some() || !url.username().is_empty() || url.query().is_some() {
            return Err("endpoint: holds credentials or options".to_owned());
        }
    }
    Ok(())
}
