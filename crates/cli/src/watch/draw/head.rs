//! The head: the run, its sites, the forecast, and who drives.

use engine::Millis;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Ink;
use super::ink::{line, put, put_right, width};
use server::live::{Driver, Sites, Snapshot, Tone};

/// Time without any event after which that is told.
const QUIET: Millis = 5_000;

/// Width below which open sites are one number.
const NARROW: u16 = 100;

/// Draws the four lines of the head.
pub(super) fn head(buffer: &mut Buffer, area: Rect, seen: &Snapshot, now: Millis, ink: Ink) {
    title(buffer, line(area, 0), seen, now, ink);
    if seen.reading.is_some() {
        return;
    }
    sites(buffer, line(area, 1), &seen.sites, seen.state.over, ink);
    rest(buffer, line(area, 2), seen, ink);
    driver(buffer, line(area, 3), seen, now, ink);
}

fn title(buffer: &mut Buffer, place: Rect, seen: &Snapshot, now: Millis, ink: Ink) {
    let elapsed = seen.opened_at.map_or_else(String::new, |opened| {
        let until = if seen.state.over { seen.last_at.unwrap_or(now) } else { now };
        clock(until.saturating_sub(opened))
    });
    put_right(buffer, place, &elapsed, ink.strong());
    let took = u16::try_from(width(&elapsed)).unwrap_or(0);
    let place = Rect { width: place.width.saturating_sub(took + 1), ..place };
    let mut at = put(buffer, place, 0, &seen.run, ink.strong()) + 2;
    at += put(buffer, place, at, seen.state.word, ink.of(seen.state.tone)) + 1;
    put(buffer, place, at, &seen.state.detail, ink.of(Tone::Plain));
}

/// Hours, minutes and seconds: of the same width for as long as anybody watches.
fn clock(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn sites(buffer: &mut Buffer, place: Rect, sites: &Sites, over: bool, ink: Ink) {
    let percent = u64::from(sites.returned) * 100 / u64::from(sites.given.max(1));
    let narrow = place.width < NARROW;
    let of = if narrow && sites.given >= 10_000 { "" } else { " sites" };
    let mut at = put(
        buffer,
        place,
        0,
        &format!("{} of {}{of} returned ({percent} %)", sites.returned, sites.given),
        ink.of(if sites.returned == sites.given { Tone::Good } else { Tone::Plain }),
    );
    let (open, left) = (Tone::Plain, if over { Tone::Bad } else { Tone::Plain });
    let merged = if narrow && !over { (sites.under_way + sites.waiting, "open", open) } else { (0, "", open) };
    let apart = |number: u32| if merged.1.is_empty() { number } else { 0 };
    for (number, what, tone) in [
        (sites.quarantined, "QUARANTINED", Tone::Bad),
        (sites.degraded, "degraded", Tone::Care),
        merged,
        (apart(sites.under_way), if over { "left unfinished" } else { "under way" }, left),
        (apart(sites.waiting), if over { "never started" } else { "to come" }, left),
        (sites.undoing, "being taken back", Tone::Care),
        (sites.undone, "undone", Tone::Care),
        (sites.released, "released", Tone::Care),
        (sites.excluded, "excluded", Tone::Care),
    ] {
        if number > 0 {
            at += put(buffer, place, at, ", ", ink.of(Tone::Plain));
            at += put(buffer, place, at, &format!("{number} {what}"), ink.of(tone));
        }
    }
}

fn rest(buffer: &mut Buffer, place: Rect, seen: &Snapshot, ink: Ink) {
    let text = match (&seen.trouble, seen.rest.as_str()) {
        (Some(trouble), _) => {
            put(buffer, place, 0, &format!("STORE NOT READABLE, shown as last seen: {trouble}"), ink.of(Tone::Bad));
            return;
        }
        (None, "") if seen.state.over => format!("`reinstate report {}` tells all of it", seen.run),
        (None, "") if seen.state.paused => "forecast: none while it is paused".to_owned(),
        (None, "") => "forecast: none yet".to_owned(),
        (None, rest) if seen.driver == Driver::Nobody => format!("forecast, once it is driven: {rest}"),
        (None, rest) if seen.state.waits => format!("forecast, people aside: {rest}"),
        (None, rest) => format!("forecast: {rest}"),
    };
    put(buffer, place, 0, &text, ink.of(Tone::Plain));
}

fn driver(buffer: &mut Buffer, place: Rect, seen: &Snapshot, now: Millis, ink: Ink) {
    let quiet = seen.last_at.map(|last| now.saturating_sub(last)).filter(|&quiet| quiet >= QUIET && !seen.state.over);
    let quiet = quiet.map_or_else(String::new, |ms| format!("; quiet for {}", report::span(ms / 1000 * 1000)));
    let (text, tone) = match &seen.driver {
        _ if seen.state.over => ("nobody needs to drive it any more".to_owned(), Tone::Faint),
        Driver::NotKnown => return,
        Driver::Process(holder) => {
            let flying = match seen.in_flight {
                0 => "nothing in flight".to_owned(),
                1 => "1 attempt in flight".to_owned(),
                many => format!("{many} attempts in flight"),
            };
            (format!("driven by {holder}; {flying}{quiet}"), Tone::Plain)
        }
        Driver::Nobody => {
            (format!("NOBODY DRIVES IT{quiet}: `reinstate resume {} --store {}`", seen.run, seen.store), Tone::Bad)
        }
    };
    put(buffer, place, 0, &text, ink.of(tone));
}
