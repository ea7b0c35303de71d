//! Putting text on the screen: cut to its place, coloured if that is wished.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use server::live::Tone;

/// How text is coloured. What colour says is said by words too.
#[derive(Clone, Copy, Debug)]
pub(in crate::watch) struct Ink {
    colored: bool,
}

impl Ink {
    pub(in crate::watch) fn new(colored: bool) -> Self {
        Self { colored }
    }

    /// Style of a tone.
    pub(super) fn of(self, tone: Tone) -> Style {
        let color = match tone {
            Tone::Plain => return Style::new(),
            Tone::Good => Color::Green,
            Tone::Care => Color::Yellow,
            Tone::Bad => Color::Red,
            Tone::Faint => Color::DarkGray,
        };
        let style = if self.colored { Style::new().fg(color) } else { Style::new() };
        if matches!(tone, Tone::Care | Tone::Bad) { style.add_modifier(Modifier::BOLD) } else { style }
    }

    /// Style of headings.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// Cells that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Writes a text at a place of a line, cut with `…` where the line ends; says how many cells it took.
pub(super) fn put(buffer: &mut Buffer, line: Rect, at: u16, text: &str, style: Style) -> u16 {
    let room = line.width.saturating_sub(at);
    if line.height == 0 || room == 0 {
        return 0;
    }
    let took = width(text);
    let (x, _) = buffer.set_stringn(line.x + at, line.y, text, usize::from(room), style);
    if took > usize::from(room) {
        buffer.set_stringn(line.x + line.width - 1, line.y, "…", 1, style);
    }
    x - line.x - at
}

/// Writes a text so that it ends at the end of a line.
pub(super) fn put_right(buffer: &mut Buffer, line: Rect, text: &str, style: Style) {
    let took = u16::try_from(width(text)).unwrap_or(u16::MAX).min(line.width);
    put(buffer, line, line.width - took, text, style);
}

/// One line of an area; empty past its end.
pub(super) fn line(area: Rect, at: u16) -> Rect {
    if at < area.height { Rect { y: area.y + at, height: 1, ..area } } else { Rect { height: 0, ..area } }
}

/// A heading with a rule to the end of its line.
pub(super) fn heading(buffer: &mut Buffer, area: Rect, text: &str, ink: Ink) {
    let place = line(area, 0);
    let took = put(buffer, place, 0, text, ink.strong());
    let rule = "─".repeat(usize::from(place.width.saturating_sub(took + 1)));
    put(buffer, place, took + 1, &rule, ink.of(Tone::Faint));
}

/// A column: its heading, its width, and whether it holds numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) width: u16,
    pub(super) right: bool,
}

/// Writes the cells of a row under their columns.
pub(super) fn row(buffer: &mut Buffer, line: Rect, columns: &[Column], cells: &[(String, Style)]) {
    let mut at = 0;
    for (column, (text, style)) in columns.iter().zip(cells) {
        if at >= line.width {
            return;
        }
        let place = Rect { x: line.x + at, width: column.width.min(line.width - at), ..line };
        if column.right {
            put_right(buffer, place, text, *style);
        } else {
            put(buffer, place, 0, &shorten(text, usize::from(place.width)), *style);
        }
        at += column.width + 1;
    }
}

/// Shortens a name in its middle: both its step and the end of its ID tell it from others.
pub(super) fn shorten(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let keep = room.saturating_sub(1);
    let chars: Vec<char> = text.chars().collect();
    let mut end: Vec<char> = Vec::new();
    let mut took = 0;
    for &char in chars.iter().rev() {
        took += width(char.encode_utf8(&mut [0; 4]));
        if took > keep / 2 {
            break;
        }
        end.push(char);
    }
    let mut start = String::new();
    let mut took = width(&end.iter().collect::<String>());
    for &char in &chars {
        took += width(char.encode_utf8(&mut [0; 4]));
        if took > keep {
            break;
        }
        start.push(char);
    }
    start.push('…');
    start.extend(end.into_iter().rev());
    start
}

/// Breaks a text into lines of at most so many cells, at blanks where there are some.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().map_or(0, |line| width(line));
        let fits = last + usize::from(last > 0) + width(word) <= room;
        if fits && let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        let mut part = String::new();
        let mut took = 0;
        for char in word.chars() {
            let cells = width(char.encode_utf8(&mut [0; 4]));
            if took + cells > room {
                lines.push(std::mem::take(&mut part));
                took = 0;
            }
            part.push(char);
            took += cells;
        }
        lines.push(part);
    }
    lines.retain(|line| !line.is_empty());
    lines
}
