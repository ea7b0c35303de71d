//! Where everything lies on the screen.

use engine::Millis;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ink::{line, put};
use super::{Ink, body, foot, head, over, waits};
use crate::watch::desk::{Desk, Page};
use server::live::Snapshot;

/// Smallest screen on which everything has a place.
const SMALLEST: (u16, u16) = (60, 16);
/// Lines of the head.
const HEAD: u16 = 4;

/// Whether a screen has no place for prompts, so that it must not take verbs.
pub(in crate::watch) fn is_small(width: u16, height: u16) -> bool {
    width < SMALLEST.0 || height < SMALLEST.1
}

/// Draws a snapshot as of a time.
pub(in crate::watch) fn draw(frame: &mut Frame<'_>, seen: &Snapshot, desk: &Desk, now: Millis, ink: Ink) {
    let area = frame.area();
    paint(frame.buffer_mut(), area, seen, desk, now, ink);
}

/// The same on a buffer.
pub(super) fn paint(buffer: &mut Buffer, area: Rect, seen: &Snapshot, desk: &Desk, now: Millis, ink: Ink) {
    if is_small(area.width, area.height) {
        small(buffer, area, seen, ink);
        return;
    }
    let foot = foot::lines(desk, area.width).min(area.height / 3);
    let rows = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    head::head(buffer, rows(0, HEAD), seen, now, ink);
    let place = rows(HEAD, area.height - HEAD - foot);
    if let Some((read, all)) = seen.reading {
        put(buffer, line(place, 1), 0, &format!("reading the journal: {read} of {all} groups"), ink.strong());
    } else {
        match desk.page {
            Page::Overview => overview(buffer, place, seen, desk, ink),
            Page::Steps => body::steps(buffer, place, seen, desk.scroll, true, ink),
            Page::Batches => batches_and_pools(buffer, place, seen, desk, ink),
            Page::Events => body::events(buffer, place, seen, desk.scroll, ink),
        }
    }
    over::over(buffer, place, seen, desk, ink);
    foot::foot(buffer, rows(area.height - foot, foot), seen, desk, ink);
}

/// Steps beside batches and pools, below them what waits for people, then events.
fn overview(buffer: &mut Buffer, area: Rect, seen: &Snapshot, desk: &Desk, ink: Ink) {
    let len = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let listed = len(seen.waits.items.len()).saturating_add(u16::from(seen.waits.more > 0)).max(1).saturating_add(1);
    let steps = len(seen.steps.len()).saturating_add(2);
    let side = len(seen.batches.len()).saturating_add(len(seen.pools.len())).saturating_add(4);
    let least = (area.height / 3).max(4);
    let waits = listed.min(least);
    // What is left over goes to the steps, to the waiting list, then to the events.
    let events = (area.height / 4).max(3);
    let top = steps.max(side).min(area.height.saturating_sub(waits + events));
    let waits = listed.min(area.height.saturating_sub(top + events)).max(waits);
    let events = area.height.saturating_sub(top + waits);
    let rows = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let upper = rows(0, top);
    let left = (area.width * 11 / 20).clamp(44, 110);
    let beside = Rect { width: left, ..upper };
    let right = Rect { x: upper.x + left + 2, width: upper.width.saturating_sub(left + 2), ..upper };
    body::steps(buffer, beside, seen, 0, false, ink);
    let pools = len(seen.pools.len()).saturating_add(2).min(top / 2);
    let pools = if seen.pools.is_empty() { 0 } else { pools };
    body::batches(buffer, Rect { height: top - pools, ..right }, seen, 0, ink);
    body::pools(buffer, Rect { y: right.y + top - pools, height: pools, ..right }, seen, 0, ink);
    waits::waits(buffer, rows(top, waits), seen, desk.selected(seen), ink);
    body::events(buffer, rows(top + waits, events), seen, 0, ink);
}

fn batches_and_pools(buffer: &mut Buffer, area: Rect, seen: &Snapshot, desk: &Desk, ink: Ink) {
    let half = area.width / 2;
    body::batches(buffer, Rect { width: half - 1, ..area }, seen, desk.scroll, ink);
    let right = Rect { x: area.x + half + 1, width: area.width - half - 1, ..area };
    body::pools(buffer, right, seen, desk.scroll, ink);
}

/// A screen too small for all: how the run stands, and what to do.
fn small(buffer: &mut Buffer, area: Rect, seen: &Snapshot, ink: Ink) {
    let sites = &seen.sites;
    let waits = seen.waits.items.len() + seen.waits.more;
    for (at, text) in [
        (0, seen.state.word.to_owned()),
        (1, format!("{}/{} returned", sites.returned, sites.given)),
        (2, format!("{} out, {} open", sites.quarantined, sites.under_way + sites.waiting)),
        (3, format!("{waits} wait for people")),
        (4, format!("needs {}x{}; q quits", SMALLEST.0, SMALLEST.1)),
    ] {
        let style = if at == 0 { ink.of(seen.state.tone) } else { ink.of(server::live::Tone::Plain) };
        put(buffer, line(area, at), 0, &text, style);
    }
}
