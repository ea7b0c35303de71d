//! `objects/copy@1`.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart};
use runtime::Call;
use serde_json::{Value, json};

use super::input::{Copy, OnConflict};
use super::listing::{Sum, failed, hash, list, named};
use super::place::Place;
use crate::answer::{Trouble, revealed};

/// Objects up to this size are written in one piece, which a store can refuse if another was there first.
const ONE_PIECE: u64 = 8 * 1024 * 1024;

/// Copies what is missing. Every conflict is found before the first write.
pub(super) async fn apply(call: &Call, concurrency: usize) -> Result<Value, Trouble> {
    let input: Copy = revealed(&call.with, &call.secrets)?;
    let from = Place::open(&input.from, &input.prefix, false)?;
    let to = Place::open(&input.to, input.to_prefix.as_deref().unwrap_or(&input.prefix), true)?;
    let (source, target) = (list(&from).await?, list(&to).await?);
    to.sweep(source.keys())?;

    let (mut sum, mut missing, mut differing) = (Sum::default(), Vec::new(), Vec::new());
    let mut looks = stream::iter(source.clone().into_iter().map(|(name, size)| {
        let (from, to, there) = (&from, &to, target.get(&name).copied());
        async move {
            let content = match there {
                Some(there) if there == size => {
                    let (source, target) = (from.at(&name)?, to.at(&name)?);
                    let (theirs, ours) = futures::try_join!(hash(from, &source), hash(to, &target))?;
                    (theirs == ours).then_some(ours.1)
                }
                _ => None,
            };
            Ok::<_, Trouble>((name, size, there.is_some(), content))
        }
    }))
    .buffer_unordered(concurrency);
    while let Some((name, size, there, content)) = looks.try_next().await? {
        match content {
            Some(content) => sum.add(name, size, content),
            None if there => differing.push(name),
            None => missing.push(name),
        }
    }
    drop(looks);
    differing.sort();
    if !differing.is_empty() && input.on_conflict == OnConflict::Fail {
        let message = format!(
            "{}: {} of {} objects are there and differ: {}",
            to.shown,
            differing.len(),
            source.len(),
            named(&differing)
        );
        return Err(
            Trouble::never("objects.conflict", message).hint("look at them; `on_conflict: replace` overwrites them")
        );
    }
    let already = source.len() - missing.len() - differing.len();
    let copied = missing.len() + differing.len();
    let writes: Vec<(String, bool)> =
        missing.into_iter().map(|name| (name, false)).chain(differing.into_iter().map(|name| (name, true))).collect();
    let mut written = stream::iter(writes.into_iter().map(|(name, replace)| {
        let (from, to) = (&from, &to);
        async move {
            let (size, content) = copy(from, &from.at(&name)?, to, &to.at(&name)?, replace).await?;
            Ok::<_, Trouble>((name, size, content))
        }
    }))
    .buffer_unordered(concurrency);
    // From here on something may have been written.
    while let Some((name, size, content)) = written.try_next().await.map_err(Trouble::in_doubt)? {
        sum.add(name, size, content);
    }
    Ok(
        json!({ "objects": source.len(), "copied": copied, "already": already, "bytes": sum.bytes(), "hash": sum.hash() }),
    )
}

/// Copies one object as a stream and returns its size and content hash.
async fn copy(
    from: &Place,
    source: &Path,
    to: &Place,
    target: &Path,
    replace: bool,
) -> Result<(u64, blake3::Hash), Trouble> {
    let read = from.store.get(source).await.map_err(|error| failed(from, source.as_ref(), &error))?;
    let expected = read.meta.size;
    if expected <= ONE_PIECE {
        let bytes = read.bytes().await.map_err(|error| failed(from, source.as_ref(), &error))?;
        let (size, content) = (bytes.len() as u64, blake3::hash(&bytes));
        let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
        let options = PutOptions { mode, ..PutOptions::default() };
        match to.store.put_opts(target, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => {}
            // Somebody wrote it since we looked; equal is fine.
            Err(object_store::Error::AlreadyExists { .. }) if hash(to, target).await? == (size, content) => {}
            Err(object_store::Error::AlreadyExists { .. }) => {
                let message = format!("{}: {target} appeared meanwhile and differs", to.shown);
                return Err(Trouble::never("objects.conflict", message));
            }
            Err(error) => return Err(failed(to, target.as_ref(), &error)),
        }
        return Ok((size, content));
    }
    let upload = to.store.put_multipart(target).await.map_err(|error| failed(to, target.as_ref(), &error))?;
    let mut upload = WriteMultipart::new(upload);
    let (mut size, mut hasher) = (0, blake3::Hasher::new());
    let mut bytes = read.into_stream();
    loop {
        let chunk = match bytes.try_next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                let _ = upload.abort().await;
                return Err(failed(from, source.as_ref(), &error));
            }
        };
        size += chunk.len() as u64;
        hasher.update(&chunk);
        upload.wait_for_capacity(4).await.map_err(|error| failed(to, target.as_ref(), &error))?;
        upload.put(chunk);
    }
    if size != expected {
        let _ = upload.abort().await;
        return Err(Trouble::retry("objects.failed", format!("{}: {source} changed while it was read", from.shown)));
    }
    upload.finish().await.map_err(|error| failed(to, target.as_ref(), &error))?;
    Ok((size, hasher.finalize()))
}
