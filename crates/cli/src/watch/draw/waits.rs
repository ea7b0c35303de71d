//! The list of what waits for people, with the selection.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::Ink;
use super::ink::{Column, heading, line, put, row};
use server::live::{Item, Kind, Snapshot, Tone};

/// Draws the list around the selected item.
pub(super) fn waits(buffer: &mut Buffer, area: Rect, seen: &Snapshot, selected: Option<usize>, ink: Ink) {
    let items = &seen.waits.items;
    let all = items.len() + seen.waits.more;
    let place = selected.map_or_else(String::new, |at| format!(", {} of {all}", at + 1));
    heading(buffer, area, &format!("waits for people{}", if all > 0 { place.as_str() } else { "" }), ink);
    if items.is_empty() {
        put(buffer, line(area, 1), 0, "nothing", ink.of(Tone::Faint));
        return;
    }
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let at = selected.unwrap_or(0);
    let from = at.saturating_sub(room - 1).min(items.len().saturating_sub(room));
    let from = if at < from { at } else { from };
    let subject = (area.width * 3 / 10).clamp(12, 44);
    let columns = [
        Column { name: "", width: 1, right: false },
        Column { name: "", width: 11, right: false },
        Column { name: "", width: subject, right: false },
        Column { name: "", width: area.width.saturating_sub(subject + 15), right: false },
    ];
    for (place, (ix, item)) in (1..).zip(items.iter().enumerate().skip(from).take(room)) {
        let chosen = Some(ix) == selected;
        let plain = ink.of(Tone::Plain);
        let strong = if chosen { plain.add_modifier(Modifier::REVERSED) } else { plain };
        let cells = [
            (if chosen { ">" } else { "" }.to_owned(), ink.strong()),
            (item.kind.word().to_owned(), ink.of(item.kind.tone())),
            (report::plain(&item.subject), strong),
        ];
        row(buffer, line(area, place), &columns, &cells);
        // A fact is read from its start, so it is cut at its end.
        put(buffer, line(area, place), subject + 15, &fact(item), plain);
    }
}

fn fact(item: &Item) -> String {
    match item.kind {
        Kind::Gate | Kind::Approval | Kind::Quarantined | Kind::Degraded => item.fact.clone(),
        Kind::Parked | Kind::Stuck if item.sites == 1 => item.fact.clone(),
        Kind::Parked | Kind::Stuck => format!("{} sites: {}", item.sites, item.fact),
    }
}
