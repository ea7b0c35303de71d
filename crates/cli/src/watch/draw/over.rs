//! What lies over the page: help, and all that is known of an item.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Ink;
use super::ink::{heading, line, put, wrap};
use crate::watch::desk::{Desk, Over};
use crate::watch::keys::VERBS;
use server::live::{Item, Snapshot, Tone};

/// Draws what lies over the page, if anything does.
pub(super) fn over(buffer: &mut Buffer, area: Rect, seen: &Snapshot, desk: &Desk, ink: Ink) {
    match &desk.over {
        Over::Help => {
            clear(buffer, area);
            help(buffer, area, ink);
        }
        Over::Item => {
            if let Some(item) = desk.item(seen) {
                clear(buffer, area);
                about(buffer, area, item, ink);
            }
        }
        Over::Nothing | Over::Prompt { .. } => {}
    }
}

fn clear(buffer: &mut Buffer, area: Rect) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

fn help(buffer: &mut Buffer, area: Rect, ink: Ink) {
    heading(buffer, area, "keys", ink);
    let moves = [
        ("arrows", "select what waits for people; on other pages, move the page"),
        ("Enter", "all that is known of the selected item"),
        ("Tab", "next page: overview, steps, batches and pools, events"),
        ("Esc", "back to the overview"),
        ("q Ctrl-C", "leave; the run goes on"),
    ];
    let verbs = VERBS.iter().map(|(letter, what)| (letter.to_string(), (*what).to_owned()));
    let rows = verbs.chain(moves.iter().map(|(key, what)| ((*key).to_owned(), (*what).to_owned())));
    for (at, (key, what)) in (1..).zip(rows) {
        put(buffer, line(area, at), 0, &key, ink.strong());
        put(buffer, line(area, at), 10, &what, ink.of(Tone::Plain));
    }
    let notes = [
        "Each verb says what it touches, and asks for a reason that the journal keeps.",
        "fail counts degraded too; skip counts skipped, cancelled and taken back.",
        "! marks a full pool and a batch over its budget.",
    ];
    for (at, note) in (15..).zip(notes) {
        put(buffer, line(area, at), 0, note, ink.of(Tone::Faint));
    }
}

fn about(buffer: &mut Buffer, area: Rect, item: &Item, ink: Ink) {
    heading(buffer, area, item.kind.word(), ink);
    let room = usize::from(area.width.saturating_sub(13));
    let mut at = 1;
    let named = std::iter::once(("name", report::plain(&item.subject)));
    for (label, text) in named.chain(item.more.iter().map(|(label, text)| (*label, text.clone()))) {
        put(buffer, line(area, at), 0, label, ink.of(Tone::Faint));
        for part in wrap(&text, room) {
            put(buffer, line(area, at), 13, &part, ink.of(Tone::Plain));
            at += 1;
        }
    }
}
