//! `objects/copy@1`.

use std::collections::BTreeMap;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use runtime::Log;
use serde_json::{Map, Value, json};

use super::Context;
use super::compare::{Compared, compare};
use super::content::Sum;
use super::history::{self, History};
use super::input::{Content, Copy, OnConflict};
use super::listing::{self, Entry, named};
use super::transfer::Transfer;
use crate::answer::Trouble;

/// Objects whose versions are told one by one.
const TOLD: usize = 1_000;

/// Objects written between two lines of the log.
const OBJECTS_A_LINE: usize = 1_000;

/// How an object came to be at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Already,
    Copied,
    Undeleted,
}

/// An object that is at the target now.
struct There {
    entry: Entry,
    content: Option<blake3::Hash>,
    how: How,
}

/// What is to be done with an object.
enum Look {
    Equal(There),
    Missing(Entry),
    Differs(Entry),
}

/// Copies what is missing. Every conflict is found before the first write.
pub(super) async fn apply(input: Copy, context: &Context<'_>) -> Result<Value, Trouble> {
    let from = context.open(&input.from, &input.prefix, false)?;
    let to = context.open(&input.to, input.to_prefix.as_deref().unwrap_or(&input.prefix), true)?;
    let concurrency = context.concurrency(input.concurrency)?;
    let in_place = from.same(&to);
    context.apart(&from, &to, input.at.is_some())?;
    if input.undelete && !(in_place && input.at.is_some()) {
        return Err(Trouble::never("objects.invalid", "undelete: only with `at`, and `to` the same place as `from`"));
    }
    let history = match input.at {
        Some(at) => Some(history::read(&from, at, input.on_lost).await?),
        None => None,
    };
    let target = match &history {
        Some(history) if in_place => history.now.clone(),
        _ => listing::all(&to).await?,
    };
    let (there, at) = (target.len(), &to.shown);
    context.log.note(format_args!("{}: {there} objects at {at} already; looks at each, then writes", from.shown));
    let copy = Job {
        log: context.log,
        transfer: Transfer::new(&from, &to, context.memory),
        target,
        history: history.as_ref(),
        in_place,
        undelete: input.undelete,
        content: input.content.into(),
    };
    let source = match &history {
        Some(history) => stream::iter(history.then.values().cloned().map(Ok).collect::<Vec<_>>()).boxed(),
        None => listing::ahead(&from),
    };
    let done = copy.run(source, input.on_conflict, concurrency).await;
    let done = done.map_err(|trouble| if copy.transfer.wrote() { trouble.in_doubt() } else { trouble })?;
    Ok(outputs(&done, history.as_ref()))
}

struct Job<'j> {
    log: &'j Log,
    transfer: Transfer<'j>,
    target: BTreeMap<String, Entry>,
    history: Option<&'j History>,
    in_place: bool,
    undelete: bool,
    content: Content,
}

impl Job<'_> {
    async fn run(
        &self,
        source: BoxStream<'_, Result<Entry, Trouble>>,
        on_conflict: OnConflict,
        concurrency: usize,
    ) -> Result<Vec<There>, Trouble> {
        // Where nothing can be in conflict, copies begin while the source is still being listed.
        if self.target.is_empty() || on_conflict == OnConflict::Replace {
            let both = source.map_ok(|entry| async {
                match self.look(entry).await? {
                    Look::Equal(there) => Ok(there),
                    Look::Missing(entry) => self.write(entry, false).await,
                    Look::Differs(entry) => self.write(entry, true).await,
                }
            });
            return both.try_buffer_unordered(concurrency).try_collect().await;
        }
        let (mut done, mut missing, mut differing) = (Vec::new(), Vec::new(), Vec::new());
        let mut looks = source.map_ok(|entry| self.look(entry)).try_buffer_unordered(concurrency);
        while let Some(look) = looks.try_next().await? {
            match look {
                Look::Equal(there) => done.push(there),
                Look::Missing(entry) => missing.push(entry),
                Look::Differs(entry) => differing.push(entry.name),
            }
        }
        drop(looks);
        let (equal, more, differ) = (done.len(), missing.len(), differing.len());
        self.log.note(format_args!("{equal} are there and equal, {more} are missing, {differ} differ"));
        if !differing.is_empty() {
            return Err(self.conflict(differing, done.len() + missing.len()));
        }
        let writes = stream::iter(missing.into_iter().map(|entry| self.write(entry, false)));
        let mut written = writes.buffer_unordered(concurrency);
        while let Some(there) = written.try_next().await? {
            done.push(there);
            if (done.len() - equal) % OBJECTS_A_LINE == 0 {
                self.log.note(format_args!("{} of {more} are written", done.len() - equal));
            }
        }
        Ok(done)
    }

    async fn look(&self, entry: Entry) -> Result<Look, Trouble> {
        let to = self.transfer.to;
        if let Some(folder) = &to.folder {
            folder.sweep(&to.at(&entry.name)?);
        }
        let Some(there) = self.target.get(&entry.name) else { return Ok(Look::Missing(entry)) };
        let compared = if self.in_place && there.version == entry.version {
            Compared::Equal(None)
        } else {
            compare(self.transfer.from, &entry, to, there, self.content).await?
        };
        Ok(match compared {
            Compared::Equal(content) => Look::Equal(There { entry, content, how: How::Already }),
            Compared::SizeDiffers | Compared::ContentDiffers => Look::Differs(entry),
        })
    }

    async fn write(&self, entry: Entry, replace: bool) -> Result<There, Trouble> {
        let markers = self.history.filter(|_| self.undelete).and_then(|history| history.markers.get(&entry.name));
        if let (Some(markers), Some(bucket)) = (markers, &self.transfer.to.s3) {
            let key = self.transfer.to.at(&entry.name)?;
            self.transfer.writes();
            // The newest goes first: as long as one is left the object stays deleted.
            for marker in markers {
                let removed = bucket.remove_version(key.as_ref(), marker).await;
                removed.map_err(|trouble| trouble.at(&self.transfer.to.shown))?;
            }
            return Ok(There { entry, content: None, how: How::Undeleted });
        }
        let content = self.transfer.copy(&entry, replace).await?;
        Ok(There { entry, content, how: How::Copied })
    }

    fn conflict(&self, mut differing: Vec<String>, others: usize) -> Trouble {
        differing.sort();
        let message = format!(
            "{}: {} of {} objects are there and differ: {}",
            self.transfer.to.shown,
            differing.len(),
            differing.len() + others,
            named(&differing)
        );
        Trouble::never("objects.conflict", message).hint("look at them; `on_conflict: replace` overwrites them")
    }
}

fn outputs(done: &[There], history: Option<&History>) -> Value {
    let mut sum = Sum::default();
    let mut by_name: BTreeMap<&str, &There> = BTreeMap::new();
    for there in done {
        sum.add(there.entry.name.clone(), there.entry.size, there.content);
        by_name.insert(&there.entry.name, there);
    }
    let count = |how: How| done.iter().filter(|there| there.how == how).count();
    let (already, undeleted) = (count(How::Already), count(How::Undeleted));
    let mut outputs = json!({
        "objects": sum.objects(), "copied": count(How::Copied) + undeleted, "already": already, "bytes": sum.bytes(),
        "hash": sum.hash(),
    });
    if let Some(history) = history {
        let told: Vec<Value> = by_name.values().take(TOLD).map(|there| there.told()).collect();
        let more = by_name.len() - told.len();
        let versions = Map::from_iter([
            ("undeleted".to_owned(), undeleted.into()),
            ("versions".to_owned(), told.into()),
            ("versions_more".to_owned(), more.into()),
            ("lost".to_owned(), history.lost.iter().take(TOLD).cloned().collect()),
        ]);
        if let Some(outputs) = outputs.as_object_mut() {
            outputs.extend(versions);
        }
    }
    outputs
}

impl There {
    fn told(&self) -> Value {
        let how = match self.how {
            How::Already => "already",
            How::Copied => "copied",
            How::Undeleted => "undeleted",
        };
        let since = self.entry.modified.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        json!({ "name": self.entry.name, "version": self.entry.version, "since": since, "how": how })
    }
}
