//! `objects/remove@1`: takes back what `objects/copy@1` put below a prefix.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use runtime::Call;
use serde_json::{Value, json};

use super::input::{IfChanged, Remove};
use super::listing::{failed, hash, list, named};
use super::place::Place;
use crate::answer::{Trouble, revealed};

/// Removes the objects that equal their source. Everything else is found before the first one goes.
pub(super) async fn apply(call: &Call, concurrency: usize) -> Result<Value, Trouble> {
    let input: Remove = revealed(&call.with, &call.secrets)?;
    let to_prefix = input.to_prefix.as_deref().unwrap_or(&input.prefix);
    if to_prefix.trim_matches('/').is_empty() {
        return Err(Trouble::never("objects.invalid", "prefix: is empty, which means the whole store")
            .hint("give the prefix that the copy had"));
    }
    let from = Place::open(&input.from, &input.prefix, false)?;
    let to = Place::open(&input.to, to_prefix, true)?;
    let (source, target) = (list(&from).await?, list(&to).await?);
    to.sweep(source.keys())?;

    let (mut equal, mut others) = (Vec::new(), Vec::new());
    let mut looks = stream::iter(target.into_iter().map(|(name, size)| {
        let (from, to, there) = (&from, &to, source.get(&name).copied());
        async move {
            let why = match there {
                None => Some("only at the target"),
                Some(there) if there != size => Some("size differs"),
                Some(_) => {
                    let (source, target) = (from.at(&name)?, to.at(&name)?);
                    let (theirs, ours) = futures::try_join!(hash(from, &source), hash(to, &target))?;
                    (theirs != ours).then_some("content differs")
                }
            };
            Ok::<_, Trouble>((name, size, why))
        }
    }))
    .buffer_unordered(concurrency);
    while let Some((name, size, why)) = looks.try_next().await? {
        match why {
            None => equal.push((name, size)),
            Some(why) => others.push((name, size, why)),
        }
    }
    drop(looks);
    others.sort();
    if !others.is_empty() && input.if_changed == IfChanged::Fail {
        let names: Vec<String> = others.iter().map(|(name, _, why)| format!("{name} ({why})")).collect();
        let message = format!("{}: {} objects are not as they were copied: {}", to.shown, names.len(), named(&names));
        return Err(Trouble::never("objects.changed", message)
            .hint("nothing was removed; `if_changed: keep` leaves them, `if_changed: remove` removes them too"));
    }
    let mut kept = others.len();
    if input.if_changed == IfChanged::Remove {
        equal.extend(others.into_iter().map(|(name, size, _)| (name, size)));
        kept = 0;
    }
    let bytes: u64 = equal.iter().map(|(_, size)| size).sum();
    let objects = equal.len();
    let mut gone = stream::iter(equal.into_iter().map(|(name, _)| {
        let to = &to;
        async move {
            let at = to.at(&name)?;
            match to.store.delete(&at).await {
                // Somebody else was faster; gone is gone.
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(to, at.as_ref(), &error)),
            }
        }
    }))
    .buffer_unordered(concurrency);
    // From here on something may have been removed.
    while gone.try_next().await.map_err(Trouble::in_doubt)?.is_some() {}
    drop(gone);
    to.prune().map_err(Trouble::in_doubt)?;
    Ok(json!({ "objects": objects, "bytes": bytes, "kept": kept }))
}
