//! Texts with holes: `${{ expression }}` is found here, so that a value that is one hole keeps its type.

/// Longest text with holes, in bytes.
pub(crate) const MAX_TEMPLATE: usize = 64 * 1024;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Plain text.
    Plain(String),
    /// An expression and the byte at which it starts in the text.
    Hole { expression: String, at: usize },
}

/// A hole that is not closed, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open(pub(crate) usize);

/// Says whether a text holds a hole.
pub(crate) fn has_hole(text: &str) -> bool {
    text.contains("${{")
}

/// Splits a text into plain parts and holes; quotes inside a hole are respected.
pub(crate) fn split(text: &str) -> Result<Vec<Part>, Open> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find("${{") {
        let open = from + found;
        let inner = open + 3;
        let close = closing(&text[inner..]).ok_or(Open(open))? + inner;
        if open > from {
            parts.push(Part::Plain(text[from..open].to_owned()));
        }
        let raw = &text[inner..close];
        let lead = raw.len() - raw.trim_start().len();
        parts.push(Part::Hole { expression: raw.trim().to_owned(), at: inner + lead });
        from = close + 2;
    }
    if from < text.len() {
        parts.push(Part::Plain(text[from..].to_owned()));
    }
    Ok(parts)
}

/// Finds the `}}` that closes a hole, outside quotes and outside nested braces.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut quote, mut depth, mut at) = (None, 0_usize, 0);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(q), byte) if byte == q => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'\'' | b'"')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The expression of a value that is exactly one hole.
pub(crate) fn whole(text: &str) -> Option<String> {
    match split(text.trim()).ok()?.as_slice() {
        [Part::Hole { expression, .. }] => Some(expression.clone()),
        _ => None,
    }
}
