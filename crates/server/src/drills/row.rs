//! A drill of the scheduler: what becomes of its slots, by its policy.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::Millis;
use runbook::Overlap;
use runtime::DrillEntry;
use tokio_util::sync::CancellationToken;

use crate::drills::LoadedDrill;
use crate::drills::shelf::OnShelf;

/// Slots that wait for the one before to end; the oldest go when there are more.
const QUEUED: usize = 100;

/// A drill that takes place here.
#[derive(Clone, Debug)]
pub(super) struct Going {
    pub(super) slot: Millis,
    pub(super) run: String,
    pub(super) since: Millis,
    pub(super) stop: CancellationToken,
}

/// How a drill stands.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) read: Arc<OnShelf>,
    /// The drill as it was read last without an error by this process.
    pub(super) drill: Option<Arc<LoadedDrill>>,
    pub(super) going: Option<Going>,
    /// Slots that take place next.
    pub(super) queue: VecDeque<Millis>,
    /// Its `alarm_after` as it was read last without an error, by whatever process: a file that is spoilt or gone does not
    /// silence it.
    pub(super) alarm_after_ms: Option<u64>,
    pub(super) last: Option<DrillEntry>,
    pub(super) last_good: Option<Millis>,
    /// When its history begins, if there is one.
    pub(super) oldest: Option<Millis>,
    /// Since when it is watched.
    pub(super) since: Millis,
    /// Slots up to it are seen to.
    pub(super) handled: Millis,
    /// Slots that came and did not take place, since the process began.
    pub(super) dropped: u32,
    /// Since when a good drill is missing.
    pub(super) alarm: Option<Millis>,
    /// Why its history cannot be read; nothing of it takes place until it can.
    pub(super) unread: Option<String>,
    /// What has to be cleaned up in its sandbox first.
    pub(super) blocked: Option<String>,
    /// Why a slot that came did not take place.
    pub(super) trouble: Option<String>,
    /// A slot that was put back is not begun before.
    pub(super) not_before: Millis,
}

/// What became of slots that have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// Slots that do not take place.
    pub(super) dropped: u32,
    /// Whether any does.
    pub(super) queued: bool,
}

impl Row {
    /// A drill of which nothing but its file is known yet.
    pub(super) fn of(read: Arc<OnShelf>) -> Self {
        Self {
            drill: None,
            read,
            going: None,
            queue: VecDeque::new(),
            alarm_after_ms: None,
            last: None,
            last_good: None,
            oldest: None,
            since: Millis::MAX,
            handled: Millis::MIN,
            dropped: 0,
            alarm: None,
            unread: None,
            blocked: None,
            trouble: None,
            not_before: Millis::MIN,
        }
    }

    /// Whether slots of it can take place.
    pub(super) fn is_sound(&self) -> bool {
        self.read.loaded.is_some()
    }

    /// Takes in the slots that have come; `elsewhere` says whether another process conducts the drill. `None` if none has.
    pub(super) fn take_in(&mut self, elsewhere: bool, now: Millis) -> Option<Came> {
        let drill = self.drill.clone()?;
        let schedule = drill.drill.schedule()?;
        let due = schedule.due(self.handled, now);
        self.handled = due.handled?;
        let came = u32::try_from(due.slots.len()).unwrap_or(u32::MAX);
        if !self.is_sound() {
            self.trouble = Some("a slot came while its file had errors".to_owned());
            return Some(Came { dropped: due.missed + came, queued: false });
        }
        let mut dropped = due.missed;
        let busy = self.going.is_some() || elsewhere || !self.queue.is_empty();
        match schedule.overlap() {
            Overlap::Skip if busy => dropped += came,
            Overlap::Cancel if busy => {
                if let Some(going) = &self.going {
                    going.stop.cancel();
                }
                dropped += u32::try_from(self.queue.len()).unwrap_or(u32::MAX) + came.saturating_sub(1);
                self.queue = due.slots.last().copied().into_iter().collect();
            }
            _ => self.queue.extend(due.slots),
        }
        while self.queue.len() > QUEUED {
            self.queue.pop_front();
            dropped += 1;
        }
        Some(Came { dropped, queued: !self.queue.is_empty() })
    }

    /// The slot that takes place now.
    pub(super) fn next(&mut self, elsewhere: bool, now: Millis) -> Option<Millis> {
        let rests = self.going.is_none() && !elsewhere && self.not_before <= now;
        if rests { self.queue.pop_front() } else { None }
    }

    /// Since when a good drill is waited for, if there never was one.
    fn watched_since(&self) -> Millis {
        self.oldest.map_or(self.since, |oldest| oldest.min(self.since))
    }

    /// Works out the alarm; says whether it was raised or put out.
    pub(super) fn watch(&mut self, now: Millis) -> bool {
        let since = self.watched_since();
        let alarm = self.alarm_after_ms.and_then(|after| runbook::overdue(after, self.last_good, since, now));
        let changed = alarm.is_some() != self.alarm.is_some();
        self.alarm = alarm;
        changed
    }

    /// When something is to be done about it, if nothing changes before.
    pub(super) fn wakes(&self, now: Millis) -> Option<Millis> {
        let schedule = self.drill.as_ref().and_then(|drill| drill.drill.schedule());
        let slot = schedule.and_then(|schedule| schedule.next_after(now.max(self.handled)));
        let after = self.alarm_after_ms.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
        let good = self.last_good.unwrap_or(self.watched_since());
        let late = after.map(|after| good.saturating_add(after).saturating_add(1));
        slot.into_iter().chain(late.filter(|&late| late > now)).min()
    }
}
