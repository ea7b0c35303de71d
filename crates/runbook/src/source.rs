//! A text with a name, and places in it.

use std::ops::Range;

use engine::Place;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::diagnostic::Diagnostic;

/// Longest text of a runbook or an estate file, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// A range of bytes of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte; never before `start`.
    pub end: usize,
}

impl Span {
    /// Makes a span; an end before the start is moved up to it.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// A text with the name under which people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// File name as given, or `<stdin>`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Makes a source from text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Makes a source from bytes; a leading byte order mark is dropped.
    ///
    /// # Errors
    /// If the bytes are not UTF-8; the diagnostic names the place of the first bad byte.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Box<Diagnostic>> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let good = &bytes[..error.valid_up_to()];
                let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
                let start = good.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                let column = 1 + String::from_utf8_lossy(&good[start..]).chars().count();
                let mut diagnostic = Diagnostic::error(
                    codes::NOT_UTF8,
                    "the file is not UTF-8 text",
                    "save the file as UTF-8; UTF-16 and Latin-1 are not read",
                );
                diagnostic.push_label(
                    Span::new(good.len(), good.len()),
                    Place { line: narrow(line), column: narrow(column) },
                    "this byte is not valid UTF-8",
                );
                Err(Box::new(diagnostic))
            }
        }
    }

    /// Returns the text of a span; empty if the span is outside the text.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}

/// Starts of the lines of a text, to turn bytes into places.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Indexes a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts }
    }

    /// Returns the byte of a place; the end of the text for a place after it.
    #[must_use]
    pub fn byte(&self, text: &str, place: Place) -> usize {
        let Some(&start) = self.starts.get((place.line as usize).saturating_sub(1)) else { return text.len() };
        let line = text.get(start..).unwrap_or_default();
        let column = (place.column as usize).saturating_sub(1);
        start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    }

    /// Returns the place of a byte: line and column from 1, the column in characters.
    #[must_use]
    pub fn place(&self, text: &str, byte: usize) -> Place {
        let byte = byte.min(text.len());
        let line = self.starts.partition_point(|&start| start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = text.as_bytes().get(start..byte).map_or(0, |bytes| {
            // Counting bytes that start a character works at any byte, also inside one.
            bytes.iter().filter(|&&byte| (byte as i8) >= -0x40).count()
        });
        Place { line: narrow(line), column: narrow(column + 1) }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
