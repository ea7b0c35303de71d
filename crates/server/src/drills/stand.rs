//! How drills stand: by their files, by their history, and without either by what is remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Millis;
use runtime::JournalError;

use crate::drills::row::Row;
use crate::drills::scheduler::{Shared, State};
use crate::drills::shelf::OnShelf;

impl Shared {
    /// Takes over what was read. A drill whose file is gone is forgotten, unless it goes on or has an alarm: to retire one,
    /// `alarm_after` goes first.
    pub(super) fn shelve(&self, found: Vec<Arc<OnShelf>>) {
        let mut state = self.state();
        let State { rows, watched, .. } = &mut *state;
        let mut named = BTreeSet::new();
        for read in found {
            // A file that was never read without an error stands under its own name.
            let known = rows.iter().find(|(_, row)| row.read.file == read.file).map(|(name, _)| name.as_str());
            let name = match &read.loaded {
                Some(loaded) => loaded.drill.name(),
                None => known.or_else(|| watched.name_of(&read.file)).unwrap_or(&read.file),
            };
            let (name, read) = if named.contains(name) {
                let first = Some(format!("another file has a drill `{name}`"));
                (read.file.clone(), Arc::new(OnShelf { loaded: None, first, ..(*read).clone() }))
            } else {
                (name.to_owned(), read)
            };
            named.insert(name.clone());
            let row = rows.entry(name).or_insert_with(|| Row::of(read.clone()));
            if let Some(loaded) = &read.loaded {
                row.drill = Some(loaded.clone());
                row.alarm_after_ms = loaded.drill.alarm_after_ms();
            }
            row.read = read;
        }
        for (name, watch) in watched.alarmed() {
            let row = match rows.get_mut(name) {
                Some(row) => row,
                None => rows.entry(name.to_owned()).or_insert_with(|| Row::of(OnShelf::gone(&watch.file))),
            };
            if row.read.loaded.is_none() {
                row.alarm_after_ms = watch.alarm_after_ms;
            }
            if named.insert(name.to_owned()) {
                row.read = OnShelf::gone(&watch.file);
            }
        }
        rows.retain(|name, row| named.contains(name) || row.going.is_some());
    }

    /// Reads how a drill stands, or takes what is remembered of it.
    ///
    /// # Errors
    /// If the history cannot be read: it is not known which slots were seen to.
    pub(super) async fn stand(&self, name: &str, now: Millis) -> Result<(), JournalError> {
        let read = self.stand_read(name, now).await;
        let mut state = self.state();
        let State { rows, watched, .. } = &mut *state;
        let Some(row) = rows.get_mut(name) else { return Ok(()) };
        row.unread = None;
        match &read {
            Ok(()) => watched.of_known(name, |watch| {
                watch.last_good = row.last_good;
                if row.read.loaded.is_some() {
                    (watch.file, watch.alarm_after_ms) = (row.read.file.clone(), row.alarm_after_ms);
                }
            }),
            Err(error) => {
                let watch = watched.of_drill(name, now, now);
                row.unread = Some(format!("its history cannot be read: {error}"));
                row.since = watch.since;
                row.last_good = row.last_good.or(watch.last_good).filter(|&ended| ended <= now);
            }
        }
        if row.watch(now) {
            match row.alarm {
                Some(since) => {
                    tracing::error!(drill = name, since = report::stamp(since), "ALARM: a good drill is missing")
                }
                None => tracing::info!(drill = name, "a good drill has passed: the alarm is over"),
            }
        }
        read
    }

    async fn stand_read(&self, name: &str, now: Millis) -> Result<(), JournalError> {
        let store = &self.kit.store;
        let unknown = self.state().rows.get(name).is_some_and(|row| row.last.is_none());
        let last = store.drills(Some(name), 1).await?.pop();
        let first = if unknown { store.first_drill(name).await? } else { None };
        let good = store.last_good_drill(name, now).await?.and_then(|entry| entry.result).map(|result| result.ended_at);
        let mut state = self.state();
        let State { rows, watched, .. } = &mut *state;
        let Some(row) = rows.get_mut(name) else { return Ok(()) };
        if unknown {
            row.oldest = first.map(|entry| entry.claim.at);
        }
        // A slot to come was claimed by a clock that was ahead: those before it were not seen to.
        let claimed = last.as_ref().map(|entry| entry.claim.slot).filter(|&slot| slot <= now);
        // What passed before anybody knew of the drill was never missed.
        let watch = watched.of_drill(name, now, claimed.unwrap_or(now));
        row.since = watch.since;
        row.handled = row.handled.max(watch.handled).max(claimed.unwrap_or(Millis::MIN));
        row.last = last;
        row.last_good = good;
        Ok(())
    }
}
