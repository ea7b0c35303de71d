//! When a drill is due: a cron pattern in the time of a place, right around changes of daylight-saving time.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use engine::Millis;

use crate::drill::model::{CatchUp, Overlap};

/// When a drill takes place by itself. Patterns and names of zones are kept, not offsets: what a place makes of its clocks
/// is looked up anew each time.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) cron: Cron,
    pub(crate) pattern: String,
    pub(crate) zone: Tz,
    pub(crate) overlap: Overlap,
    pub(crate) catch_up: CatchUp,
}

/// What is to be done about slots that have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Slots that take place, in their order.
    pub slots: Vec<Millis>,
    /// The newest slot up to now, whether it takes place or not; slots up to it need not be looked at again.
    pub handled: Option<Millis>,
    /// Slots that passed and do not take place; of more than a few thousand not all are counted.
    pub missed: u32,
}

/// A slot that is found within a minute is on time.
const ON_TIME_MS: Millis = 60_000;
/// Slots that are looked back for, at most.
const LOOKED_BACK: usize = 1_000;
/// More than any place has ever put its clocks back by.
const CLOCK_CHANGE_MS: Millis = 3 * 3_600_000;

impl Schedule {
    /// Returns the first slot after a time; `None` if none comes in the years that the calendar is known for.
    #[must_use]
    pub fn next_after(&self, time: Millis) -> Option<Millis> {
        let from = self.local(time)?;
        self.cron.find_next_occurrence(&from, false).ok().map(|slot| slot.timestamp_millis())
    }

    /// Says what is to be done now, after all slots up to `last_handled` have been seen to.
    ///
    /// A slot is on time for a minute. Of those that passed unseen `catch_up` says which still take place; that is so
    /// however long nobody looked.
    #[must_use]
    pub fn due(&self, last_handled: Millis, now: Millis) -> Due {
        let mut slots: VecDeque<Millis> = VecDeque::new();
        let mut at = last_handled.max(self.looked_back(now));
        while let Some(slot) = self.next_after(at).filter(|&slot| slot <= now && slot > at) {
            slots.push_back(slot);
            at = slot;
        }
        let keep = match self.catch_up {
            CatchUp::None => usize::from(slots.back().is_some_and(|&slot| now - slot < ON_TIME_MS)),
            CatchUp::Last => 1,
            CatchUp::All(most) => most as usize,
        };
        let handled = slots.back().copied();
        let missed = slots.len().saturating_sub(keep);
        slots.drain(..missed);
        Due { slots: slots.into(), handled, missed: u32::try_from(missed).unwrap_or(u32::MAX) }
    }

    /// Returns what becomes of a slot that comes while the drill goes on.
    #[must_use]
    pub fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the name of the time zone.
    #[must_use]
    pub fn time_zone(&self) -> &'static str {
        self.zone.name()
    }

    /// Shows a time as the clocks of the place do, with their distance from UTC.
    #[must_use]
    pub fn shown(&self, time: Millis) -> String {
        self.local(time).map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d %H:%M %:z").to_string())
    }

    fn local(&self, time: Millis) -> Option<DateTime<Tz>> {
        DateTime::<Utc>::from_timestamp_millis(time).map(|time| time.with_timezone(&self.zone))
    }

    /// A time before the oldest slot that is looked for. Slots themselves are only ever found forwards: backwards the
    /// hour that comes twice could give another.
    fn looked_back(&self, now: Millis) -> Millis {
        let Some(mut at) = self.local(now) else { return now };
        for _ in 0..LOOKED_BACK {
            match self.cron.find_previous_occurrence(&at, false) {
                Ok(slot) if slot < at => at = slot,
                _ => break,
            }
        }
        at.timestamp_millis().saturating_sub(CLOCK_CHANGE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::when;

    fn schedule(pattern: &str, zone: &str, catch_up: CatchUp) -> Schedule {
        let cron = when::cron(pattern).expect("a good pattern");
        let zone = zone.parse().expect("a zone");
        Schedule { cron, pattern: pattern.to_owned(), zone, overlap: Overlap::Skip, catch_up }
    }

    fn utc(text: &str) -> Millis {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    }

    fn slots(schedule: &Schedule, from: &str, until: &str) -> Vec<String> {
        let (mut at, until) = (utc(from), utc(until));
        let mut found = Vec::new();
        while let Some(slot) = schedule.next_after(at).filter(|&slot| slot <= until) {
            found.push(crate::time::show(slot));
            at = slot;
        }
        found
    }

    #[test]
    fn in_the_hour_that_spring_leaves_out_a_slot_comes_when_the_clocks_have_moved() {
        let daily = schedule("30 2 * * *", "Europe/Berlin", CatchUp::Last);
        assert_eq!(
            slots(&daily, "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z"),
            ["2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]
        );
    }

    #[test]
    fn in_the_hour_that_autumn_repeats_a_daily_slot_comes_once() {
        let daily = schedule("30 2 * * *", "Europe/Berlin", CatchUp::Last);
        assert_eq!(
            slots(&daily, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]
        );
        // Seen from every minute of the night, due and next say the same.
        let first = utc("2026-10-25T00:30:00Z");
        for minute in 0..300 {
            let now = first + minute * 60_000;
            let due = daily.due(first - 1, now);
            assert_eq!((due.slots, due.missed), (vec![first], 0), "{minute} minutes later");
        }
    }

    #[test]
    fn half_hours_go_on_evenly_through_both_changes() {
        let often = schedule("*/30 * * * *", "Europe/Berlin", CatchUp::Last);
        for (from, until) in
            [("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"), ("2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z")]
        {
            let found = slots(&often, from, until);
            let expected: Vec<String> = (1..=6).map(|half| crate::time::show(utc(from) + half * 1_800_000)).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_passed_unseen_is_caught_up_as_asked() {
        let (noon, now) = ("0 12 * * *", utc("2026-05-10T18:00:00Z"));
        let handled = utc("2026-05-05T12:00:00Z");
        let due = |catch_up| schedule(noon, "UTC", catch_up).due(handled, now);
        let newest = utc("2026-05-10T12:00:00Z");
        let day = 86_400_000;
        assert_eq!(due(CatchUp::None), Due { slots: vec![], handled: Some(newest), missed: 5 });
        assert_eq!(due(CatchUp::Last), Due { slots: vec![newest], handled: Some(newest), missed: 4 });
        assert_eq!(
            due(CatchUp::All(3)),
            Due { slots: vec![newest - 2 * day, newest - day, newest], handled: Some(newest), missed: 2 }
        );
        assert_eq!(schedule(noon, "UTC", CatchUp::Last).due(newest, now), Due::default());
    }

    #[test]
    fn a_slot_is_on_time_for_a_minute() {
        let noon = schedule("0 12 * * *", "UTC", CatchUp::None);
        let slot = utc("2026-05-10T12:00:00Z");
        assert_eq!(noon.due(slot - 1, slot).slots, [slot]);
        assert_eq!(noon.due(slot - 1, slot + 59_999).slots, [slot]);
        assert!(noon.due(slot - 1, slot + 60_000).slots.is_empty());
    }

    #[test]
    fn years_of_minutes_that_nobody_saw_do_not_take_long() {
        let minutely = schedule("* * * * *", "Europe/Berlin", CatchUp::All(5));
        let due = minutely.due(0, utc("2026-05-10T12:00:30Z"));
        assert_eq!(due.slots.len(), 5);
        assert_eq!(due.slots.last(), Some(&utc("2026-05-10T12:00:00Z")));
    }
}
