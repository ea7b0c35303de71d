//! The foot: the last answer or the prompt, and the keys that apply.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Ink;
use super::ink::{line, put, width, wrap};
use crate::watch::desk::{Desk, Over};
use crate::watch::keys::offers;
use server::live::{Snapshot, Tone};

/// Lines that an answer may take.
const ANSWER: usize = 4;

/// What is said, line by line.
fn said(desk: &Desk, room: usize) -> Vec<String> {
    let text = match &desk.over {
        Over::Prompt { verb, touches, .. } => format!("{}: {touches}", verb.name()),
        _ => {
            let sign = match desk.answer.good {
                Some(true) => "ok  ",
                Some(false) => "NO  ",
                None => "",
            };
            format!("{sign}{}", desk.answer.text)
        }
    };
    let mut lines = wrap(&text, room);
    lines.truncate(ANSWER);
    lines
}

/// Lines that the foot takes.
pub(super) fn lines(desk: &Desk, room: u16) -> u16 {
    u16::try_from(said(desk, usize::from(room)).len().max(1) + 1).unwrap_or(2)
}

/// Draws the foot.
pub(super) fn foot(buffer: &mut Buffer, area: Rect, seen: &Snapshot, desk: &Desk, ink: Ink) {
    let tone = match (&desk.over, desk.answer.good) {
        (Over::Prompt { .. }, _) => Tone::Care,
        (_, Some(true)) => Tone::Good,
        (_, Some(false)) => Tone::Bad,
        (_, None) => Tone::Plain,
    };
    let said = said(desk, usize::from(area.width));
    for (at, text) in (0..area.height.saturating_sub(1)).zip(&said) {
        put(buffer, line(area, at), 0, text, ink.of(tone));
    }
    let last = line(area, area.height.saturating_sub(1));
    match &desk.over {
        Over::Prompt { reason, .. } => prompt(buffer, last, reason, ink),
        Over::Help => {
            put(buffer, last, 0, "Esc goes back", ink.of(Tone::Plain));
        }
        Over::Item => {
            let back = [("Esc", "back")].into_iter();
            let verbs = offers(desk.item(seen), seen).into_iter().filter(|(key, _)| key.len() == 1 && *key != "q");
            keys(buffer, last, verbs.chain(back), ink);
        }
        Over::Nothing => keys(buffer, last, offers(desk.item(seen), seen).into_iter(), ink),
    }
}

/// The reason as it is typed; of a long one, its end.
fn prompt(buffer: &mut Buffer, place: Rect, reason: &str, ink: Ink) {
    let after = "   Enter sends, Esc leaves";
    let at = put(buffer, place, 0, "reason: ", ink.strong());
    let room = usize::from(place.width).saturating_sub(usize::from(at) + width(after) + 1);
    let mut shown = report::plain(reason);
    while width(&shown) > room {
        shown.remove(0);
    }
    let at = at + put(buffer, place, at, &shown, ink.of(Tone::Plain));
    let at = at + put(buffer, place, at, "_", ink.strong());
    put(buffer, place, at, after, ink.of(Tone::Faint));
}

fn keys(buffer: &mut Buffer, place: Rect, offers: impl Iterator<Item = (&'static str, &'static str)>, ink: Ink) {
    let mut at = 0;
    for (key, what) in offers {
        at += put(buffer, place, at, key, ink.strong());
        at += 1 + put(buffer, place, at + 1, what, ink.of(Tone::Plain)) + 2;
    }
}
