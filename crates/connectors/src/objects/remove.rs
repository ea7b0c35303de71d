//! `objects/remove@1`: takes back what `objects/copy@1` put below a prefix.

use futures::stream::{self, StreamExt};
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};
use serde_json::{Value, json};

use super::Context;
use super::compare::{Compared, compare};
use super::history;
use super::input::{IfChanged, Remove};
use super::listing::{self, Entry, failed, named};
use super::place::Place;
use crate::answer::Trouble;

/// Removes the objects that equal their source. Everything else is found before the first one goes.
pub(super) async fn apply(input: Remove, context: &Context<'_>) -> Result<Value, Trouble> {
    let to_prefix = input.to_prefix.as_deref().unwrap_or(&input.prefix);
    if to_prefix.trim_matches('/').is_empty() {
        return Err(Trouble::never("objects.invalid", "prefix: is empty, which means the whole store")
            .hint("give the prefix that the copy had"));
    }
    let from = context.open(&input.from, &input.prefix, false)?;
    let to = context.open(&input.to, to_prefix, true)?;
    context.apart(&from, &to, input.at.is_some())?;
    let concurrency = context.concurrency(input.concurrency)?;
    let source = match input.at {
        Some(at) => history::read(&from, at, input.on_lost).map(|history| history.map(|history| history.then)).boxed(),
        None => listing::all(&from).boxed(),
    };
    let (source, target) = futures::try_join!(source, listing::all(&to))?;
    if let Some(folder) = &to.folder {
        for name in source.keys() {
            folder.sweep(&to.at(name)?);
        }
    }

    let (mut equal, mut others) = (Vec::new(), Vec::new());
    let content = input.content.into();
    let mut looks = stream::iter(target.into_values().map(|entry| {
        let (from, to, there) = (&from, &to, source.get(&entry.name));
        async move {
            let why = match there {
                None => Some("only at the target"),
                Some(there) => match compare(from, there, to, &entry, content).await? {
                    Compared::Equal(_) => None,
                    Compared::SizeDiffers => Some("size differs"),
                    Compared::ContentDiffers => Some("content differs"),
                },
            };
            Ok::<_, Trouble>((entry, why))
        }
    }))
    .buffer_unordered(concurrency);
    while let Some((entry, why)) = looks.try_next().await? {
        match why {
            None => equal.push(entry),
            Some(why) => others.push((entry, why)),
        }
    }
    drop(looks);
    if !others.is_empty() && input.if_changed == IfChanged::Fail {
        let mut names: Vec<String> = others.iter().map(|(entry, why)| format!("{} ({why})", entry.name)).collect();
        names.sort();
        let message = format!("{}: {} objects are not as they were copied: {}", to.shown, names.len(), named(&names));
        return Err(Trouble::never("objects.changed", message)
            .hint("nothing was removed; `if_changed: keep` leaves them, `if_changed: remove` removes them too"));
    }
    let mut kept = others.len();
    if input.if_changed == IfChanged::Remove {
        equal.extend(others.into_iter().map(|(entry, _)| entry));
        kept = 0;
    }
    let bytes: u64 = equal.iter().map(|entry| entry.size).sum();
    // From here on something may have been removed.
    remove(&to, &equal, concurrency).await.map_err(Trouble::in_doubt)?;
    Ok(json!({ "objects": equal.len(), "bytes": bytes, "kept": kept }))
}

async fn remove(place: &Place, entries: &[Entry], concurrency: usize) -> Result<(), Trouble> {
    let paths: Vec<Path> = entries.iter().map(|entry| place.at(&entry.name)).collect::<Result<_, _>>()?;
    let Some(folder) = &place.folder else {
        // Stores in a network remove many with one request.
        let mut gone = place.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        loop {
            match gone.try_next().await {
                Ok(None) => return Ok(()),
                // Somebody else was faster; gone is gone.
                Ok(Some(_)) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(place, "remove", &error)),
            }
        }
    };
    let mut gone = stream::iter(paths.into_iter().map(|path| async move {
        match place.store.delete(&path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(place, path.as_ref(), &error)),
        }
    }))
    .buffer_unordered(concurrency);
    while gone.try_next().await?.is_some() {}
    drop(gone);
    let open = |error: std::io::Error| Trouble::retry("objects.failed", format!("{}: {error}", place.shown));
    folder.prune(&place.prefix).map_err(open)
}
