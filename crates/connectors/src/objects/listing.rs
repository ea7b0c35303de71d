//! What is below a prefix, and what is in an object.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::place::Place;
use crate::answer::Trouble;

/// Differences that are named; the rest is counted.
const NAMED: usize = 8;

/// Lists name (below the prefix) and size of every object.
pub(super) async fn list(place: &Place) -> Result<BTreeMap<String, u64>, Trouble> {
    let prefix = (!place.prefix.as_ref().is_empty()).then_some(&place.prefix);
    let mut objects = BTreeMap::new();
    let mut listing = place.store.list(prefix);
    while let Some(meta) = listing.try_next().await.map_err(|error| failed(place, "listing", &error))? {
        let whole = meta.location.as_ref();
        let name = match prefix {
            Some(prefix) => whole.strip_prefix(prefix.as_ref()).map(|name| name.trim_start_matches('/')),
            None => Some(whole),
        };
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            objects.insert(name.to_owned(), meta.size);
        }
    }
    Ok(objects)
}

/// Reads an object and returns its size and content hash.
pub(super) async fn hash(place: &Place, path: &Path) -> Result<(u64, blake3::Hash), Trouble> {
    let mut bytes = place.store.get(path).await.map_err(|error| failed(place, path.as_ref(), &error))?.into_stream();
    let (mut size, mut hasher) = (0, blake3::Hasher::new());
    while let Some(chunk) = bytes.try_next().await.map_err(|error| failed(place, path.as_ref(), &error))? {
        size += chunk.len() as u64;
        hasher.update(&chunk);
    }
    Ok((size, hasher.finalize()))
}

/// Hash of a whole listing, from its sorted parts.
#[derive(Default)]
pub(super) struct Sum {
    parts: BTreeMap<String, (u64, blake3::Hash)>,
}

impl Sum {
    pub(super) fn add(&mut self, name: String, size: u64, hash: blake3::Hash) {
        self.parts.insert(name, (size, hash));
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parts.values().map(|(size, _)| size).sum()
    }

    pub(super) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, (size, hash)) in &self.parts {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
            hasher.update(&size.to_le_bytes()).update(hash.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// An error of a store.
pub(super) fn failed(place: &Place, what: &str, error: &object_store::Error) -> Trouble {
    Trouble::retry("objects.failed", format!("{}: {what}: {error}", place.shown))
}

/// Names the first few.
pub(super) fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
