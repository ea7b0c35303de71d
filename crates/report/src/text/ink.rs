//! Colour and shape of text on a terminal: paint, wrap, tables.

use std::fmt::Write as _;

/// A meaning that colour carries in addition to the words, never instead of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Good,
    Warn,
    Bad,
    Strong,
    Faint,
}

/// A page of a given width.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: String,
    width: usize,
    color: bool,
}

impl Page {
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { text: String::new(), width: width.max(40), color }
    }

    /// Text in a colour, if the page has colours.
    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "1;31",
            Ink::Strong => "1",
            Ink::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = self.paint(Ink::Strong, text);
        self.text.push('\n');
        self.line(&text);
    }

    /// A paragraph with an indent, wrapped at spaces; words that are longer than a line stay whole, to be copied.
    pub(super) fn paragraph(&mut self, indent: usize, hanging: usize, ink: Option<Ink>, text: &str) {
        let mut line = String::new();
        let mut first = true;
        let mut lines = Vec::new();
        for word in text.split_whitespace() {
            let room = self.width - if first { indent } else { hanging }.min(self.width / 2);
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
                first = false;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            lines.push(line);
        }
        for (ix, line) in lines.iter().enumerate() {
            let indent = if ix == 0 { indent } else { hanging };
            let painted = ink.map_or_else(|| line.clone(), |ink| self.paint(ink, line));
            let line = format!("{:indent$}{painted}", "");
            self.line(&line);
        }
    }

    /// A label in a column of its own, and a paragraph beside it.
    pub(super) fn labelled(&mut self, label: &str, text: &str) {
        let start = self.text.len();
        self.paragraph(17, 17, None, text);
        if self.text.len() > start + 17 {
            self.text.replace_range(start..start + 17, &format!("  {label:<15}"));
        }
    }

    /// A table: the first column to the left, the others to the right. Too wide, it loses its last columns; the
    /// header then ends in an ellipsis, so that nobody takes it for whole.
    pub(super) fn table(&mut self, header: &[&str], rows: &[Vec<Cell>]) {
        let mut widths: Vec<usize> = header.iter().map(|title| title.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let longest_first = (self.width / 2).max(12);
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(longest_first);
        }
        let mut shown = 0;
        let mut used = 2;
        for width in &widths {
            if shown > 0 && used + width + 2 > self.width {
                break;
            }
            used += width + 2;
            shown += 1;
        }
        let mut line = String::from("  ");
        for (ix, title) in header.iter().take(shown).enumerate() {
            push_cell(&mut line, title, widths[ix], ix == 0);
        }
        if shown < header.len() {
            line.push('…');
        }
        let line = self.paint(Ink::Faint, line.trim_end());
        self.line(&line);
        for row in rows {
            let mut line = String::from("  ");
            for (ix, cell) in row.iter().take(shown).enumerate() {
                let mut padded = String::new();
                push_cell(&mut padded, &cell.text, widths[ix], ix == 0);
                match cell.ink {
                    Some(ink) => line.push_str(&self.paint(ink, &padded)),
                    None => line.push_str(&padded),
                }
            }
            self.line(&line);
        }
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    ink: Option<Ink>,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ink: None }
    }

    /// A number; zero is a faint dot, so that the eye finds what is not.
    pub(super) fn number(number: u64, ink: Option<Ink>) -> Self {
        if number == 0 {
            Self { text: "·".to_owned(), ink: Some(Ink::Faint) }
        } else {
            Self { text: number.to_string(), ink }
        }
    }

    pub(super) fn inked(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink: Some(ink) }
    }
}

fn push_cell(line: &mut String, text: &str, width: usize, left: bool) {
    let len = text.chars().count();
    if len > width {
        line.extend(text.chars().take(width.saturating_sub(1)));
        line.push('…');
    } else if left {
        let _ = write!(line, "{text}{:1$}", "", width - len);
    } else {
        let _ = write!(line, "{:1$}{text}", "", width - len);
    }
    line.push_str("  ");
}
