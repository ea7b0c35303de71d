//! Large objects in parts, and what becomes of parts that nobody completes.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{PutMultipartOptions, PutResult, WriteMultipart};
use tokio::sync::OnceCell;

use super::listing::failed;
use super::place::Place;
use crate::answer::Trouble;

/// Parts of a large object that are on their way at the same time, as long as they are small.
const PARTS_AT_ONCE: u64 = 3;

/// Bytes of one object that are held, unless two parts are more.
const ON_THEIR_WAY: u64 = 64 * 1024 * 1024;

/// Smallest part; S3 asks for 5 MiB at least.
const PART: u64 = 8 * 1024 * 1024;

/// S3 takes 10,000 parts of an object.
const PARTS_MAX: u64 = 9_500;

/// Returns the size of the parts of an object: the same for the same size, so that equal objects get equal ETags.
pub(super) fn part_of(size: u64) -> u64 {
    const MIB: u64 = 1024 * 1024;
    PART.max(size.div_ceil(PARTS_MAX).div_ceil(MIB) * MIB)
}

/// Returns how many parts of an object are on their way at the same time.
pub(super) fn parts_at_once(size: u64) -> u64 {
    // One more is being filled.
    (ON_THEIR_WAY / part_of(size)).saturating_sub(1).clamp(1, PARTS_AT_ONCE)
}

/// An upload that is aborted unless it is completed, also if whoever uploads is dropped.
pub(super) struct Upload<'p> {
    place: &'p Place,
    at: Path,
    parts: Option<WriteMultipart>,
    at_once: usize,
}

impl<'p> Upload<'p> {
    pub(super) async fn begin(
        place: &'p Place,
        at: &Path,
        size: u64,
        options: PutMultipartOptions,
    ) -> Result<Self, Trouble> {
        let upload = place.store.put_multipart_opts(at, options).await;
        let upload = upload.map_err(|error| failed(place, at.as_ref(), &error))?;
        let part = usize::try_from(part_of(size)).unwrap_or(usize::MAX);
        let parts = Some(WriteMultipart::new_with_chunk_size(upload, part));
        let at_once = usize::try_from(parts_at_once(size)).unwrap_or(1);
        Ok(Self { place, at: at.clone(), parts, at_once })
    }

    /// Takes the next bytes; waits while enough parts are on their way.
    pub(super) async fn put(&mut self, piece: Bytes) -> Result<(), Trouble> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.put(piece);
        parts.wait_for_capacity(self.at_once).await.map_err(|error| failed(self.place, self.at.as_ref(), &error))
    }

    /// Makes the object whole.
    pub(super) async fn complete(mut self) -> Result<Option<PutResult>, Trouble> {
        let Some(parts) = self.parts.take() else { return Ok(None) };
        let done = parts.finish().await.map_err(|error| failed(self.place, self.at.as_ref(), &error))?;
        Ok(Some(done))
    }

    /// Gives it up.
    pub(super) async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            // What cannot be freed now is freed by the next attempt.
            let _ = parts.abort().await;
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.parts.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let _ = parts.abort().await;
            });
        }
    }
}

/// Uploads that killed attempts left at a place; asked for when the first large object is copied.
#[derive(Default)]
pub(super) struct LeftBehind {
    uploads: OnceCell<Vec<(String, String)>>,
}

impl LeftBehind {
    /// Frees what earlier attempts sent of this object. An attempt that still runs fails, which changes nothing.
    pub(super) async fn free(&self, place: &Place, at: &Path) {
        let Some(bucket) = &place.s3 else { return };
        let uploads = self
            .uploads
            .get_or_init(|| async {
                // Not every server tells, and not everybody may ask; then a rule of the bucket has to clean up.
                bucket.uploads(place.prefix.as_ref()).await.unwrap_or_else(|error| {
                    tracing::debug!("{}: uploads left behind are not known: {error}", place.shown);
                    Vec::new()
                })
            })
            .await;
        for (key, id) in uploads.iter().filter(|(key, _)| key == at.as_ref()) {
            if let Err(error) = bucket.abort_upload(key, id).await {
                tracing::debug!("{}: an upload left behind stays: {error}", place.shown);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{part_of, parts_at_once};

    #[test]
    fn every_object_fits_into_the_parts_that_s3_takes() {
        const TIB: u64 = 1024 * 1024 * 1024 * 1024;
        assert_eq!(part_of(64 * 1024 * 1024), 8 * 1024 * 1024);
        for size in [1, TIB / 16, TIB / 8, TIB / 4, TIB, 5 * TIB] {
            assert!(size.div_ceil(part_of(size)) <= 10_000, "{size}");
            let memory = part_of(size) * (parts_at_once(size) + 1);
            assert!(memory <= (64 << 20) || parts_at_once(size) == 1, "{size}: {memory}");
        }
    }
}
