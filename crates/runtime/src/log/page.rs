//! Which lines of an attempt are kept: its beginning and its end.

use std::collections::VecDeque;

use engine::Millis;

use crate::ports::{LINE_WEIGHT, LogLine, LogPiece, LogTally, Voice};

/// Bytes of an attempt's beginning that are kept, and as many of its end: together 256 KiB.
const END: u64 = 128 * 1024;

/// What is known of an attempt's lines, and what of them is not stored yet.
#[derive(Debug, Default)]
pub(super) struct Page {
    tally: LogTally,
    /// Weight of the beginning, and the first line that did not fit there: all from there on are of the end.
    head_weight: u64,
    head_to: Option<u64>,
    /// Number and weight of the lines of the end, stored or not.
    tail: VecDeque<(u64, u64)>,
    tail_weight: u64,
    /// Not stored yet.
    fresh_head: Vec<LogLine>,
    fresh_tail: VecDeque<LogLine>,
    /// Numbers below were handed out to be stored.
    given: u64,
    /// Lines of the end below this number, and stored, are to be forgotten; whether that is news.
    forget_below: u64,
    forgets: bool,
}

impl Page {
    /// Takes a line, and says by how much the weight of what is not stored yet has grown or, for long output, shrunk.
    pub(super) fn write(&mut self, at: Millis, voice: Voice, text: String) -> i64 {
        let number = self.count(text.len());
        let line = LogLine { number, at, voice, text };
        let weight = line.weight();
        let mut grown = signed(weight);
        if self.head_to.is_none() && self.head_weight + weight <= END {
            self.head_weight += weight;
            self.fresh_head.push(line);
            return grown;
        }
        self.head_to.get_or_insert(number);
        self.tail.push_back((number, weight));
        self.tail_weight += weight;
        self.fresh_tail.push_back(line);
        while self.tail_weight > END {
            let Some((oldest, weight)) = self.tail.pop_front() else { break };
            self.tail_weight -= weight;
            self.tally.cut_lines += 1;
            self.tally.cut_bytes += weight - LINE_WEIGHT;
            if oldest < self.given {
                self.forget_below = oldest + 1;
                self.forgets = true;
            } else if self.fresh_tail.pop_front().is_some() {
                grown -= signed(weight);
            }
        }
        grown
    }

    /// Counts a line that nobody has room for.
    pub(super) fn lose(&mut self, text: &str) {
        self.count(text.len());
        self.tally.lost += 1;
    }

    fn count(&mut self, bytes: usize) -> u64 {
        let number = self.tally.lines;
        self.tally.lines += 1;
        self.tally.bytes += bytes as u64;
        number
    }

    /// Hands out what is new; with `beyond`, lines are only counted.
    pub(super) fn take(&mut self, unit: &str, attempt: u32, beyond: bool) -> (LogPiece, u64) {
        let mut lines = std::mem::take(&mut self.fresh_head);
        lines.extend(std::mem::take(&mut self.fresh_tail));
        let weight = lines.iter().map(LogLine::weight).sum();
        self.given = self.tally.lines;
        if beyond {
            self.tally.beyond += lines.len() as u64;
            self.disown(&lines);
            lines.clear();
        }
        let forget = std::mem::take(&mut self.forgets).then_some((self.head_to.unwrap_or(0), self.forget_below));
        (LogPiece { unit: unit.to_owned(), attempt, lines, forget, tally: self.tally }, weight)
    }

    /// Counts the lines of a piece that could not be stored as lost, but for those that were cut meanwhile.
    pub(super) fn failed(&mut self, piece: &LogPiece) {
        let end = self.head_to.unwrap_or(u64::MAX);
        let left = |line: &&LogLine| line.number < end || line.number >= self.forget_below;
        self.tally.lost += piece.lines.iter().filter(left).count() as u64;
        self.forgets |= piece.forget.is_some();
        self.disown(&piece.lines);
    }

    /// Takes lines out of the end: they are counted elsewhere, and must not be counted as cut as well.
    fn disown(&mut self, lines: &[LogLine]) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        let weight = &mut self.tail_weight;
        self.tail.retain(|&(number, heavy)| {
            let stays = number < first.number || number > last.number;
            *weight -= if stays { 0 } else { heavy };
            stays
        });
    }
}

fn signed(weight: u64) -> i64 {
    i64::try_from(weight).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Stores pieces as a store does.
    #[derive(Default)]
    struct Stored {
        lines: BTreeMap<u64, LogLine>,
        tally: LogTally,
    }

    impl Stored {
        fn keep(&mut self, piece: LogPiece) {
            if let Some((from, to)) = piece.forget {
                while let Some(number) = self.lines.range(from..to).next().map(|(number, _)| *number) {
                    self.lines.remove(&number);
                }
            }
            self.lines.extend(piece.lines.into_iter().map(|line| (line.number, line)));
            self.tally = piece.tally;
        }

        fn weight(&self) -> u64 {
            self.lines.values().map(LogLine::weight).sum()
        }

        fn accounts_for_all(&self) {
            let LogTally { lines, cut_lines, beyond, lost, .. } = self.tally;
            assert_eq!(self.lines.len() as u64 + cut_lines + beyond + lost, lines);
        }
    }

    fn write(page: &mut Page, lines: std::ops::Range<u64>) {
        for line in lines {
            page.write(7, Voice::Stdout, format!("line {line}"));
        }
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_however_often_it_is_stored() {
        for every in [1, 7, 1_000, 20_000] {
            let (mut page, mut stored) = (Page::default(), Stored::default());
            for from in (0..20_000).step_by(every) {
                write(&mut page, from..(from + every as u64).min(20_000));
                stored.keep(page.take("u", 1, false).0);
                if from % 1_000 == 0 {
                    assert!(stored.weight() <= 2 * END);
                }
            }
            stored.accounts_for_all();
            assert_eq!(stored.tally.lines, 20_000);
            assert!(stored.lines.contains_key(&0) && stored.lines.contains_key(&19_999));
            assert!(!stored.lines.contains_key(&10_000));
            assert!(stored.weight() > 2 * END - 100, "both ends are full");
            let kept: u64 = stored.lines.values().map(|line| line.text.len() as u64).sum();
            assert_eq!(kept + stored.tally.cut_bytes, stored.tally.bytes);
        }
    }

    #[test]
    fn what_waits_is_bounded_though_nothing_is_stored() {
        let mut page = Page::default();
        let waits: i64 = (0..100_000_u64).map(|line| page.write(0, Voice::Stderr, line.to_string())).sum();
        let (piece, weight) = page.take("u", 1, false);
        assert_eq!(weight, waits.unsigned_abs());
        assert!(weight <= 2 * END);
        assert_eq!(piece.lines.len() as u64 + piece.tally.cut_lines, 100_000);
    }

    #[test]
    fn lines_that_were_not_stored_are_counted_once() {
        let (mut page, mut stored) = (Page::default(), Stored::default());
        write(&mut page, 0..20_000);
        stored.keep(page.take("u", 1, false).0);
        write(&mut page, 20_000..20_500);
        let (piece, _) = page.take("u", 1, false);
        page.failed(&piece);
        write(&mut page, 20_500..21_000);
        stored.keep(page.take("u", 1, true).0);
        page.lose("no room");
        write(&mut page, 21_001..60_000);
        stored.keep(page.take("u", 1, false).0);
        stored.accounts_for_all();
        assert_eq!((stored.tally.lost, stored.tally.beyond), (501, 500));
    }
}
