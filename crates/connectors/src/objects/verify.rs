//! `objects/verify@1`.

use futures::{StreamExt, TryStreamExt, stream};
use runtime::Call;
use serde_json::{Value, json};

use super::input::{Extra, Verify};
use super::listing::{Sum, hash, list, named};
use super::place::Place;
use crate::answer::{Trouble, revealed};

/// Compares every object below two prefixes.
pub(super) async fn apply(call: &Call, concurrency: usize) -> Result<Value, Trouble> {
    let input: Verify = revealed(&call.with, &call.secrets)?;
    let from = Place::open(&input.from, &input.prefix, false)?;
    let to = Place::open(&input.to, input.to_prefix.as_deref().unwrap_or(&input.prefix), false)?;
    let (source, target) = (list(&from).await?, list(&to).await?);

    let mut differences = Vec::new();
    let extra: Vec<&String> = target.keys().filter(|name| !source.contains_key(*name)).collect();
    if input.extra == Extra::Fail {
        differences.extend(extra.iter().map(|name| format!("{name} (only at the target)")));
    }
    let mut sum = Sum::default();
    let mut looks = stream::iter(source.clone().into_iter().map(|(name, size)| {
        let (from, to, there) = (&from, &to, target.get(&name).copied());
        async move {
            let ours = hash(from, &from.at(&name)?).await?;
            let difference = match there {
                None => Some("missing"),
                Some(there) if there != size => Some("size differs"),
                Some(_) => (hash(to, &to.at(&name)?).await? != ours).then_some("content differs"),
            };
            Ok::<_, Trouble>((name, ours, difference))
        }
    }))
    .buffer_unordered(concurrency);
    while let Some((name, (size, content), difference)) = looks.try_next().await? {
        if let Some(difference) = difference {
            differences.push(format!("{name} ({difference})"));
        }
        sum.add(name, size, content);
    }
    if differences.is_empty() {
        return Ok(json!({ "objects": source.len(), "bytes": sum.bytes(), "hash": sum.hash(), "extra": extra.len() }));
    }
    differences.sort();
    let message =
        format!("{}: {} objects differ from {}: {}", to.shown, differences.len(), from.shown, named(&differences));
    Err(Trouble::never("objects.differ", message).hint("restore them, then check again"))
}
