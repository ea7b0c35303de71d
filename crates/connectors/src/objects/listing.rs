//! What is below a prefix.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;

use super::place::Place;
use crate::answer::Trouble;

/// Differences that are named; the rest is counted.
const NAMED: usize = 8;

/// Objects that are listed ahead.
const AHEAD: usize = 2_000;

/// An object, or one version of it, as its store lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below the prefix.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: DateTime<Utc>,
    pub(super) e_tag: Option<String>,
    /// The version, where it is not simply the current one.
    pub(super) version: Option<String>,
}

/// Lists every object below the prefix of a place, in the order of the store.
pub(super) fn stream(place: &Place) -> BoxStream<'static, Result<Entry, Trouble>> {
    let prefix = (!place.prefix.as_ref().is_empty()).then_some(&place.prefix);
    let listing = place.store.list(prefix);
    let place = place.clone();
    listing
        .filter_map(move |meta| {
            let entry = match meta {
                Ok(meta) => place.name(meta.location.as_ref()).map(|name| Ok(entry(name.to_owned(), &meta))),
                Err(error) => Some(Err(listed(&place, &error))),
            };
            std::future::ready(entry)
        })
        .boxed()
}

/// The same, listed ahead of whoever takes from it: a page is asked for while the objects of the last are at work.
pub(super) fn ahead(place: &Place) -> BoxStream<'static, Result<Entry, Trouble>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(AHEAD);
    let mut listing = stream(place);
    tokio::spawn(async move {
        while let Some(entry) = listing.next().await {
            // Nobody takes any more: the attempt has ended.
            if sender.send(entry).await.is_err() {
                break;
            }
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) }).boxed()
}

/// Lists every object below the prefix of a place, by name.
pub(super) async fn all(place: &Place) -> Result<BTreeMap<String, Entry>, Trouble> {
    stream(place).map_ok(|entry| (entry.name.clone(), entry)).try_collect().await
}

fn entry(name: String, meta: &ObjectMeta) -> Entry {
    Entry { name, size: meta.size, modified: meta.last_modified, e_tag: meta.e_tag.clone(), version: None }
}

fn listed(place: &Place, error: &object_store::Error) -> Trouble {
    match (error, status(error)) {
        (object_store::Error::InvalidPath { source }, _) => {
            Trouble::never("objects.name", format!("{}: {source}", place.shown))
                .hint("names with empty, `.` or `..` segments cannot be restored; rename the object in its store")
        }
        (object_store::Error::NotFound { .. }, _) | (_, Some(404)) => {
            Trouble::never("objects.open", format!("{}: {}", place.shown, said(place, error)))
                .hint("does the bucket exist, in this region and at this endpoint?")
        }
        _ => failed(place, "listing", error),
    }
}

/// An error of a store.
pub(super) fn failed(place: &Place, what: &str, error: &object_store::Error) -> Trouble {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let fact = format!("{}: {what}: {}", place.shown, said(place, error));
    match (error, status(error)) {
        (PermissionDenied { .. } | Unauthenticated { .. }, _) | (_, Some(401 | 403)) => {
            Trouble::never("objects.denied", fact)
                .hint("are these the credentials for this store, and may they do this?")
        }
        (NotFound { .. }, _) => Trouble::retry("objects.gone", fact)
            .hint("it was listed and is gone, or its name ends with `/`, which is no object but a console's folder"),
        _ if METADATA.iter().any(|service| fact.contains(service)) => Trouble::retry("objects.failed", fact)
            .hint("no credentials were found, so this machine's own were asked for; give them in the place"),
        _ => Trouble::retry("objects.failed", fact),
    }
}

/// Where a machine in a cloud asks for its credentials.
const METADATA: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// The status of an answer, where the error has no other word for it than its text.
fn status(error: &object_store::Error) -> Option<u16> {
    error.to_string().split_once("status code: ")?.1.get(..3)?.parse().ok()
}

/// What an error says; of an answer in XML its code and message only, since the rest repeats what was signed.
fn said(place: &Place, error: &object_store::Error) -> String {
    let text = place.redact(&error.to_string());
    let Some(start) = ["<?xml", "<Error>"].iter().filter_map(|open| text.find(open)).min() else { return text };
    let part = |open: &str, close: &str| Some(text.split_once(open)?.1.split_once(close)?.0);
    let code = part("<Code>", "</Code>").unwrap_or("an error");
    let message = part("<Message>", "</Message>").map(|message| format!(": {message}")).unwrap_or_default();
    format!("{} {code}{message}", text[..start].trim_end())
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
