//! Which version of an object was the current one at a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::input::OnLost;
use super::listing::{Entry, named};
use super::place::Place;
use super::s3::Record;
use crate::answer::Trouble;

/// What a bucket held below a prefix at a time, and what became of it.
#[derive(Default)]
pub(super) struct History {
    /// Objects as they were then, by name, each with its version.
    pub(super) then: BTreeMap<String, Entry>,
    /// Those that are current now, by name, each with its version.
    pub(super) now: BTreeMap<String, Entry>,
    /// Delete markers that are all that lies over the version of then, by name.
    pub(super) markers: BTreeMap<String, Vec<String>>,
    /// Names of objects of which the bucket does not tell what they held then.
    pub(super) lost: Vec<String>,
}

/// Reads the history of a place.
///
/// # Errors
/// A store that keeps no versions (`objects.versions_unsupported`), objects whose history at that time is not kept
/// (`objects.history_lost`), and those of the store.
pub(super) async fn read(place: &Place, at: DateTime<Utc>, on_lost: OnLost) -> Result<History, Trouble> {
    let Some(bucket) = &place.s3 else {
        let fact = format!("{}: `at` needs the versions of an S3 bucket", place.shown);
        return Err(Trouble::never("objects.versions_unsupported", fact)
            .hint("for other stores, first let the store itself make a copy as of that time, then copy from there"));
    };
    if !bucket.keeps_versions().await? {
        let fact = format!("{}: the bucket keeps no versions", place.shown);
        return Err(Trouble::never("objects.versions_unsupported", fact)
            .hint("what was deleted from it is gone; restore from a backup in another bucket"));
    }
    let prefix = match place.prefix.as_ref() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let records = bucket.versions(&prefix).await?;
    let history = fold(records, at, |key| place.name(key).map(str::to_owned));
    let lost = &history.lost;
    if let Some(name) = history.then.keys().find(|name| place.at(name).is_err() || name.ends_with('/')) {
        let fact = format!("{}: {name} is a name that cannot be restored", place.shown);
        return Err(Trouble::never("objects.name", fact)
            .hint("it has an empty, `.` or `..` segment, or ends with `/`, which is a console's folder; remove it"));
    }
    if !lost.is_empty() && on_lost == OnLost::Fail {
        let fact = format!(
            "{}: of {} objects the bucket does not tell what they held at {at}: {}",
            place.shown,
            lost.len(),
            named(lost)
        );
        return Err(Trouble::never("objects.history_lost", fact)
            .hint("they were written before versions were kept, or their versions have expired; use a backup for them, and `on_lost: skip` here"));
    }
    Ok(history)
}

/// Puts the records of one key in order, newest first.
///
/// S3 lists them so, and its order is better than its times: a large object bears the time at which its upload began. Some
/// servers list versions and markers apart; where that shows, the two are merged by time.
fn in_order(records: Vec<Record>) -> Vec<Record> {
    let marker = |record: &Record| record.content.is_none();
    let kind = records.first().is_some_and(marker);
    let (first, rest) = records.split_at(records.iter().take_while(|record| marker(record) == kind).count());
    let apart = rest.iter().all(|record| marker(record) != kind);
    let newer = first.last().zip(rest.first()).is_some_and(|(oldest, next)| next.modified > oldest.modified);
    let late = rest.iter().any(|record| record.latest);
    if !(apart && (newer || late)) {
        return records;
    }
    let (mut first, mut rest) = (first.iter().cloned().peekable(), rest.iter().cloned().peekable());
    let mut merged = Vec::with_capacity(records.len());
    while let (Some(one), Some(other)) = (first.peek(), rest.peek()) {
        let other_goes_first = other.latest || !one.latest && other.modified > one.modified;
        merged.extend(if other_goes_first { rest.next() } else { first.next() });
    }
    merged.extend(first);
    merged.extend(rest);
    merged
}

/// Finds what was current at a time, from the records of a listing.
fn fold(records: Vec<Record>, at: DateTime<Utc>, name: impl Fn(&str) -> Option<String>) -> History {
    let mut keys: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in records {
        if let Some(name) = name(&record.key) {
            keys.entry(name).or_default().push(record);
        }
    }
    let mut history = History::default();
    for (name, records) in keys {
        let records = in_order(records);
        if let Some(entry) = records.first().and_then(|newest| entry(&name, newest)) {
            history.now.insert(name.clone(), entry);
        }
        let newer = records.iter().take_while(|record| record.modified > at).count();
        let (after, before) = records.split_at(newer);
        // Without versions a write replaces the one record with the ID `null`, and what it held is gone.
        let replaced = after.iter().any(|record| record.version == "null");
        // A marker over nothing: what was deleted was there, and its version has expired.
        let expired = before.is_empty() && after.last().is_some_and(|oldest| oldest.content.is_none());
        if replaced || expired {
            history.lost.push(name);
            continue;
        }
        let Some(entry) = before.first().and_then(|then| entry(&name, then)) else { continue };
        if !after.is_empty() && after.iter().all(|record| record.content.is_none()) {
            history.markers.insert(name.clone(), after.iter().map(|record| record.version.clone()).collect());
        }
        history.then.insert(name, entry);
    }
    history
}

/// The version as an entry; `None` for a delete marker.
fn entry(name: &str, record: &Record) -> Option<Entry> {
    let content = record.content.as_ref()?;
    Some(Entry {
        name: name.to_owned(),
        size: content.size,
        modified: record.modified,
        e_tag: content.e_tag.clone(),
        version: Some(record.version.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::s3::Content;

    fn time(hour: u32) -> DateTime<Utc> {
        format!("2022-04-05T{hour:02}:00:00Z").parse().expect("it is a time")
    }

    fn record(key: &str, version: &str, hour: u32, size: Option<u64>) -> Record {
        let content = size.map(|size| Content { size, e_tag: None });
        Record { key: key.into(), version: version.into(), modified: time(hour), latest: false, content }
    }

    /// Names with the version of then, names with the markers over it, names whose history is lost.
    fn folded(records: Vec<Record>) -> [Vec<String>; 3] {
        let history = fold(records, time(8), |key| Some(key.to_owned()));
        let then =
            history.then.iter().map(|(name, entry)| format!("{name}: {}", entry.version.as_deref().unwrap_or("-")));
        let markers = history.markers.iter().map(|(name, markers)| format!("{name}: {}", markers.join(" ")));
        [then.collect(), markers.collect(), history.lost.clone()]
    }

    #[test]
    fn the_newest_version_not_after_the_time_is_the_one() {
        let [then, markers, lost] = folded(vec![
            record("deleted", "m", 9, None),
            record("deleted", "v2", 7, Some(2)),
            record("deleted", "v1", 6, Some(1)),
            record("exactly", "v", 8, Some(1)),
            record("overwritten", "v2", 9, Some(2)),
            record("overwritten", "v1", 7, Some(1)),
            record("later", "v1", 9, Some(1)),
            record("gone before", "m", 7, None),
            record("gone before", "v1", 6, Some(1)),
            record("back and gone", "m2", 10, None),
            record("back and gone", "v2", 9, Some(1)),
            record("back and gone", "v1", 5, Some(1)),
        ]);
        assert_eq!(then, ["back and gone: v1", "deleted: v2", "exactly: v", "overwritten: v1"]);
        assert_eq!(markers, ["deleted: m"]);
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn markers_that_are_listed_apart_find_their_places() {
        let latest = |record: Record| Record { latest: true, ..record };
        let order = |records: Vec<Record>| in_order(records).iter().map(|r| r.version.clone()).collect::<Vec<_>>();
        let apart =
            vec![record("a", "v2", 7, Some(1)), record("a", "v1", 5, Some(1)), latest(record("a", "m2", 9, None))];
        assert_eq!(order([apart.clone(), vec![record("a", "m1", 6, None)]].concat()), ["m2", "v2", "m1", "v1"]);
        let current =
            vec![latest(record("a", "v2", 9, Some(1))), record("a", "v1", 5, Some(1)), record("a", "m", 7, None)];
        assert_eq!(order(current), ["v2", "m", "v1"]);
        let markers_first =
            vec![record("a", "m", 7, None), latest(record("a", "v2", 9, Some(1))), record("a", "v1", 5, Some(1))];
        assert_eq!(order(markers_first), ["v2", "m", "v1"]);
        // As S3 lists it: an upload that began at 5 was completed after the marker of 7.
        let begun_early =
            vec![latest(record("a", "m2", 9, None)), record("a", "v2", 5, Some(1)), record("a", "m1", 7, None)];
        assert_eq!(order(begun_early), ["m2", "v2", "m1"]);
    }

    #[test]
    fn what_the_bucket_does_not_tell_is_not_guessed() {
        let [then, _, lost] = folded(vec![
            record("replaced without versions", "null", 9, Some(2)),
            record("deleted without versions", "null", 9, None),
            record("deleted without versions", "v1", 6, Some(2)),
            record("expired", "m", 9, None),
            record("written before versions", "null", 7, Some(2)),
        ]);
        assert_eq!(then, ["written before versions: null"]);
        assert_eq!(lost, ["deleted without versions", "expired", "replaced without versions"]);
    }
}
