//! One object from one store to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetResult, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, TagSet,
};
use tokio::sync::Semaphore;

use super::content::{changed, hash, open, pieces, unchanged};
use super::listing::{Entry, failed};
use super::place::Place;
use super::s3::Copied;
use super::tag::of_content;
use super::upload::{LeftBehind, Upload, part_of, parts_at_once};
use super::web::Tagged;
use crate::answer::Trouble;

/// Objects up to this size are written in one piece, which a store can refuse if another was there first.
const ONE_PIECE: u64 = 8 * 1024 * 1024;

/// Larger objects are not copied by S3 in one request.
const COPY_MAX: u64 = 5_000_000_000;

/// Bytes that all attempts together hold of objects on their way.
pub(super) const MEMORY: u64 = 256 * 1024 * 1024;

/// Units in which memory is counted.
const KIB: u64 = 1024;

/// The bytes in memory, shared by all attempts.
#[derive(Clone)]
pub(super) struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(MEMORY / KIB).unwrap_or(Semaphore::MAX_PERMITS))))
    }
}

/// Objects that one attempt copies.
pub(super) struct Transfer<'p> {
    pub(super) from: &'p Place,
    pub(super) to: &'p Place,
    memory: Memory,
    left_behind: LeftBehind,
    wrote: AtomicBool,
}

impl<'p> Transfer<'p> {
    pub(super) fn new(from: &'p Place, to: &'p Place, memory: &Memory) -> Self {
        let (memory, left_behind) = (memory.clone(), LeftBehind::default());
        Self { from, to, memory, left_behind, wrote: AtomicBool::new(false) }
    }

    /// Whether something may have been written.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    /// Says that something may be written from now on.
    pub(super) fn writes(&self) {
        self.wrote.store(true, Ordering::Relaxed);
    }

    /// Copies one object and returns its content hash, if this process has seen the content.
    ///
    /// With `replace`, what is at the target is overwritten; without, it is refused unless it is equal.
    ///
    /// # Cancel safety
    /// An object that is not whole is never seen under its name; parts of it are freed.
    pub(super) async fn copy(&self, entry: &Entry, replace: bool) -> Result<Option<blake3::Hash>, Trouble> {
        let (source, target) = (self.from.at(&entry.name)?, self.to.at(&entry.name)?);
        if entry.size < COPY_MAX && self.to.copies_from(self.from).is_some() {
            self.copy_inside(entry, &source, &target, replace).await?;
            return Ok(None);
        }
        let content = self.stream(entry, &source, &target, replace).await?;
        if !self.to.checks_uploads() {
            self.read_again(entry, &target, content).await?;
        }
        Ok(Some(content))
    }

    /// Lets the store copy inside of the bucket.
    async fn copy_inside(&self, entry: &Entry, source: &Path, target: &Path, replace: bool) -> Result<(), Trouble> {
        let Some(bucket) = self.to.copies_from(self.from) else { return Ok(()) };
        // A name is taken back by its version; without one, the ETag says that it is still what was listed.
        let (version, tag) = (entry.version.as_deref(), entry.e_tag.as_deref());
        self.writes();
        let copied = bucket.copy(source.as_ref(), version, tag, target.as_ref(), !replace).await;
        match copied.map_err(|trouble| trouble.at(&self.to.shown))? {
            Copied::Done(made) => {
                let (made, listed) = (made.as_deref().and_then(of_content), tag.and_then(of_content));
                match (made, listed) {
                    // The number of parts may differ, and then the tags do.
                    (Some(made), Some(listed)) if made != listed && !made.contains('-') && !listed.contains('-') => {
                        Err(mismatch(self.to, target))
                    }
                    _ => Ok(()),
                }
            }
            Copied::Refused => match self.to.store.head(target).await {
                Ok(there) if !replace => self.equal_or_conflict(entry, target, &there).await,
                Ok(_) | Err(Error::NotFound { .. }) => Err(changed(self.from, source)),
                Err(error) => Err(failed(self.to, target.as_ref(), &error)),
            },
        }
    }

    /// Reads here and writes there.
    async fn stream(
        &self,
        entry: &Entry,
        source: &Path,
        target: &Path,
        replace: bool,
    ) -> Result<blake3::Hash, Trouble> {
        let large = entry.size > ONE_PIECE;
        let bytes = if large { part_of(entry.size) * (parts_at_once(entry.size) + 1) } else { entry.size };
        let share = u32::try_from(bytes.clamp(KIB, MEMORY) / KIB).unwrap_or(u32::MAX);
        let _share = self.memory.0.acquire_many(share).await.map_err(|_| Trouble::retry("objects.failed", "closed"))?;
        let read = open(self.from, source, entry).await?;
        let tagged = read.extensions.get::<Tagged>().is_some_and(|tagged| tagged.0 > 0);
        let (attributes, tags) = self.described(source, entry, read.attributes.clone(), tagged).await?;
        let content = if large {
            self.in_parts(read, target, replace, attributes, tags).await?
        } else {
            self.in_one_piece(read, entry, target, replace, attributes, tags).await?
        };
        Ok(content)
    }

    async fn in_one_piece(
        &self,
        read: GetResult,
        entry: &Entry,
        target: &Path,
        replace: bool,
        attributes: Attributes,
        tags: TagSet,
    ) -> Result<blake3::Hash, Trouble> {
        let (source, meta) = (read.meta.location.clone(), read.meta.clone());
        let bytes = read.bytes().await.map_err(|error| failed(self.from, source.as_ref(), &error))?;
        if bytes.len() as u64 != entry.size {
            return Err(changed(self.from, &source));
        }
        unchanged(self.from, &source, &meta).await?;
        let content = blake3::hash(&bytes);
        let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
        let options = PutOptions { mode, attributes, tags, ..PutOptions::default() };
        self.writes();
        match self.to.store.put_opts(target, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(content),
            // Somebody wrote it since we looked, or our own request came through before it was lost; equal is fine.
            Err(Error::AlreadyExists { .. }) => {
                let there = self.to.store.head(target).await;
                let there = there.map_err(|error| failed(self.to, target.as_ref(), &error))?;
                if there.size == entry.size && hash(self.to, &now(entry, &there)).await? == content {
                    return Ok(content);
                }
                Err(conflict(self.to, target))
            }
            Err(error) => Err(failed(self.to, target.as_ref(), &error)),
        }
    }

    async fn in_parts(
        &self,
        read: GetResult,
        target: &Path,
        replace: bool,
        attributes: Attributes,
        tags: TagSet,
    ) -> Result<blake3::Hash, Trouble> {
        let meta = read.meta.clone();
        let (source, expected) = (meta.location.clone(), meta.size);
        self.left_behind.free(self.to, target).await;
        let options = PutMultipartOptions { tags, attributes, ..PutMultipartOptions::default() };
        self.writes();
        let mut upload = Upload::begin(self.to, target, expected, options).await?;
        let (mut size, mut hasher) = (0, blake3::Hasher::new());
        let mut pieces = pieces(read);
        let sent = async {
            while let Some(piece) =
                pieces.try_next().await.map_err(|error| failed(self.from, source.as_ref(), &error))?
            {
                size += piece.len() as u64;
                hasher.update(&piece);
                upload.put(piece).await?;
            }
            if size != expected {
                return Err(changed(self.from, &source));
            }
            unchanged(self.from, &source, &meta).await?;
            // No store completes parts only if nothing is there, so we look as late as we can.
            match self.to.store.head(target).await {
                Ok(_) if !replace => Err(conflict(self.to, target)),
                Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(self.to, target.as_ref(), &error)),
            }
        };
        if let Err(trouble) = sent.await {
            upload.abort().await;
            return Err(trouble);
        }
        upload.complete().await?;
        let there = self.to.store.head(target).await.map_err(|error| failed(self.to, target.as_ref(), &error))?;
        if there.size != expected {
            return Err(mismatch(self.to, target));
        }
        Ok(hasher.finalize())
    }

    /// What a store keeps beside the content, as far as the target can keep it.
    async fn described(
        &self,
        source: &Path,
        entry: &Entry,
        mut attributes: Attributes,
        tagged: bool,
    ) -> Result<(Attributes, TagSet), Trouble> {
        if self.to.folder.is_some() {
            return Ok((Attributes::default(), TagSet::default()));
        }
        // The class in which a backup lies says nothing about where the object should live.
        attributes.remove(&Attribute::StorageClass);
        let tags = match (&self.from.s3, &self.to.s3) {
            (Some(bucket), Some(_)) if tagged => {
                let tags = bucket.tags(source.as_ref(), entry.version.as_deref()).await;
                tags.map_err(|trouble| trouble.at(&self.from.shown))?
            }
            _ => TagSet::default(),
        };
        Ok((attributes, tags))
    }

    /// Reads what was written, where the store did not check it.
    async fn read_again(&self, entry: &Entry, target: &Path, content: blake3::Hash) -> Result<(), Trouble> {
        let there = self.to.store.get_opts(target, GetOptions { head: true, ..GetOptions::default() }).await;
        let there = there.map_err(|error| failed(self.to, target.as_ref(), &error))?;
        if there.meta.size == entry.size && hash(self.to, &now(entry, &there.meta)).await? == content {
            return Ok(());
        }
        Err(mismatch(self.to, target))
    }

    async fn equal_or_conflict(
        &self,
        entry: &Entry,
        target: &Path,
        there: &object_store::ObjectMeta,
    ) -> Result<(), Trouble> {
        if there.size == entry.size {
            let ours = now(entry, there);
            let (theirs, ours) = futures::try_join!(hash(self.from, entry), hash(self.to, &ours))?;
            if theirs == ours {
                return Ok(());
            }
        }
        Err(conflict(self.to, target))
    }
}

/// The entry of the same name as it is at the target now.
fn now(entry: &Entry, there: &object_store::ObjectMeta) -> Entry {
    Entry {
        name: entry.name.clone(),
        size: there.size,
        modified: there.last_modified,
        e_tag: there.e_tag.clone(),
        version: None,
    }
}

fn conflict(place: &Place, target: &Path) -> Trouble {
    Trouble::never("objects.conflict", format!("{}: {target} appeared meanwhile and differs", place.shown))
}

fn mismatch(place: &Place, target: &Path) -> Trouble {
    Trouble::retry("objects.mismatch", format!("{}: {target} is not what was sent", place.shown))
        .hint("with `on_conflict: replace` the next attempt writes it again; look at the store and the network first")
}
