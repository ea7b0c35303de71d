//! `objects/verify@1`.

use futures::stream::{self, StreamExt};
use futures::{FutureExt, TryStreamExt};
use serde_json::{Value, json};

use super::Context;
use super::compare::{Compared, compare};
use super::content::{Sum, hash};
use super::history;
use super::input::{Content, Extra, Verify};
use super::listing::{self, named};
use crate::answer::Trouble;

/// Compares every object below two prefixes.
pub(super) async fn apply(input: Verify, context: &Context<'_>) -> Result<Value, Trouble> {
    let from = context.open(&input.from, &input.prefix, false)?;
    let to = context.open(&input.to, input.to_prefix.as_deref().unwrap_or(&input.prefix), false)?;
    let concurrency = context.concurrency(input.concurrency)?;
    let source = match input.at {
        Some(at) => history::read(&from, at, input.on_lost).map(|history| history.map(|history| history.then)).boxed(),
        None => listing::all(&from).boxed(),
    };
    let (source, target) = futures::try_join!(source, listing::all(&to))?;

    let mut differences = Vec::new();
    let extra: Vec<&String> = target.keys().filter(|name| !source.contains_key(*name)).collect();
    if input.extra == Extra::Fail {
        differences.extend(extra.iter().map(|name| format!("{name} (only at the target)")));
    }
    let mut sum = Sum::default();
    let mut looks = stream::iter(source.clone().into_values().map(|entry| {
        let (from, to, there) = (&from, &to, target.get(&entry.name));
        async move {
            let (difference, content) = match there {
                None => {
                    // A source that cannot be read is worth knowing, too.
                    let content = if input.content == Content::Full { Some(hash(from, &entry).await?) } else { None };
                    (Some("missing"), content)
                }
                Some(there) => match compare(from, &entry, to, there, input.content).await? {
                    Compared::Equal(content) => (None, content),
                    Compared::SizeDiffers => (Some("size differs"), None),
                    Compared::ContentDiffers => (Some("content differs"), None),
                },
            };
            Ok::<_, Trouble>((entry, difference, content))
        }
    }))
    .buffer_unordered(concurrency);
    while let Some((entry, difference, content)) = looks.try_next().await? {
        if let Some(difference) = difference {
            differences.push(format!("{} ({difference})", entry.name));
        }
        sum.add(entry.name, entry.size, content);
    }
    if differences.is_empty() {
        return Ok(json!({ "objects": source.len(), "bytes": sum.bytes(), "hash": sum.hash(), "extra": extra.len() }));
    }
    differences.sort();
    let message =
        format!("{}: {} objects differ from {}: {}", to.shown, differences.len(), from.shown, named(&differences));
    Err(Trouble::never("objects.differ", message).hint("restore them, then check again"))
}
