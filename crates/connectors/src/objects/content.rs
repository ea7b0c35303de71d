//! What is in an object.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetResult, GetResultPayload, ObjectStoreExt};

use super::listing::{Entry, failed};
use super::place::Place;
use super::tag::Tagger;
use crate::answer::Trouble;

/// Bytes of a file that are read at a time.
const PIECE: u64 = 1024 * 1024;

/// Opens an object, or a version of it, for reading, and insists that it is the one that was listed.
pub(super) async fn open(place: &Place, path: &Path, entry: &Entry) -> Result<GetResult, Trouble> {
    let options = GetOptions { version: entry.version.clone(), ..GetOptions::default() };
    let read = place.store.get_opts(path, options).await.map_err(|error| failed(place, path.as_ref(), &error))?;
    let same = match (&entry.e_tag, &read.meta.e_tag) {
        (Some(listed), Some(found)) => listed == found,
        // A listing may tell fractions of a second that an answer does not.
        _ => entry.version.is_some() || entry.modified.timestamp() == read.meta.last_modified.timestamp(),
    };
    if read.meta.size != entry.size || !same {
        return Err(changed(place, path));
    }
    Ok(read)
}

/// Insists that a file did not change while it was read; other stores answer with one state of an object.
pub(super) async fn unchanged(place: &Place, path: &Path, read: &object_store::ObjectMeta) -> Result<(), Trouble> {
    if place.folder.is_none() {
        return Ok(());
    }
    match place.store.head(path).await {
        Ok(now) if now.e_tag == read.e_tag && now.size == read.size => Ok(()),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(changed(place, path)),
        Err(error) => Err(failed(place, path.as_ref(), &error)),
    }
}

/// An object changed between two looks of the same attempt.
pub(super) fn changed(place: &Place, path: &Path) -> Trouble {
    Trouble::retry("objects.changed_meanwhile", format!("{}: {path} changed while it was read", place.shown))
        .hint("somebody writes below this prefix; the next attempt begins with what is there then")
}

/// Returns the content in pieces. A store in a network decides their size.
pub(super) fn pieces(read: GetResult) -> BoxStream<'static, object_store::Result<Bytes>> {
    let (file, left) = match read.payload {
        GetResultPayload::File(file, _) => (file, read.range.end - read.range.start),
        GetResultPayload::Stream(stream) => return stream,
    };
    // The store's own stream reads 8 KiB at a time, each on another thread.
    futures::stream::try_unfold((file, left), |(file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (file, piece) = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(usize::try_from(left.min(PIECE)).unwrap_or_default());
            (&file).take(left.min(PIECE)).read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>((file, Bytes::from(piece)))
        })
        .await?
        .map_err(|error| object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) })?;
        // A file that became shorter: whoever counts notices.
        let left = if piece.is_empty() { 0 } else { left - piece.len() as u64 };
        Ok((!piece.is_empty()).then_some((piece, (file, left))))
    })
    .boxed()
}

/// Reads an object and returns its content hash.
pub(super) async fn hash(place: &Place, entry: &Entry) -> Result<blake3::Hash, Trouble> {
    let mut hasher = blake3::Hasher::new();
    each(place, entry, |piece| {
        hasher.update(piece);
    })
    .await?;
    Ok(hasher.finalize())
}

/// Reads an object and returns the ETag that S3 would give it, and its content hash.
pub(super) async fn tagged(
    place: &Place,
    entry: &Entry,
    mut tagger: Tagger,
) -> Result<(String, blake3::Hash), Trouble> {
    let mut hasher = blake3::Hasher::new();
    each(place, entry, |piece| {
        hasher.update(piece);
        tagger.update(piece);
    })
    .await?;
    Ok((tagger.finish(), hasher.finalize()))
}

async fn each(place: &Place, entry: &Entry, mut take: impl FnMut(&[u8])) -> Result<(), Trouble> {
    let path = place.at(&entry.name)?;
    let read = open(place, &path, entry).await?;
    let meta = read.meta.clone();
    let mut size = 0;
    let mut pieces = pieces(read);
    while let Some(piece) = pieces.try_next().await.map_err(|error| failed(place, path.as_ref(), &error))? {
        size += piece.len() as u64;
        take(&piece);
    }
    if size != entry.size {
        return Err(changed(place, &path));
    }
    unchanged(place, &path, &meta).await
}

/// Hash of a whole listing, from its sorted parts; there is none if the content of one of them was not read.
#[derive(Default)]
pub(super) struct Sum {
    parts: BTreeMap<String, (u64, Option<blake3::Hash>)>,
}

impl Sum {
    pub(super) fn add(&mut self, name: String, size: u64, hash: Option<blake3::Hash>) {
        self.parts.insert(name, (size, hash));
    }

    pub(super) fn objects(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parts.values().map(|(size, _)| size).sum()
    }

    pub(super) fn hash(&self) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        for (name, (size, hash)) in &self.parts {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
            hasher.update(&size.to_le_bytes()).update((*hash)?.as_bytes());
        }
        Some(hasher.finalize().to_hex().to_string())
    }
}
