//! Reading a map of the tree key by key, collecting every error on the way.

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Text};
use crate::source::Span;
use crate::words;
use crate::yaml::{Entry, Node, Value};

/// Where findings go while a document is read.
pub(crate) struct Sink<'a> {
    pub(crate) text: &'a Text<'a>,
    pub(crate) found: Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a Text<'a>) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Reports an error at a span.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Diagnostic::error(code, message, hint).at(self.text, span, ""));
    }

    /// Reports an error with a second place.
    pub(crate) fn error2(
        &mut self,
        code: Code,
        (span, other): (Span, (Span, &str)),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let text = self.text;
        self.push(Diagnostic::error(code, message, hint).at(text, span, "").at(text, other.0, other.1));
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        // A hostile file must not make a list of findings larger than people read.
        if self.found.len() < 5_000 {
            self.found.push(diagnostic);
        }
    }

    /// Reads a map; anything else is reported and read as an empty one.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        allowed: &'static [&'static str],
    ) -> Fields<'n> {
        let entries = self.entries(node, what);
        for entry in entries {
            if !allowed.contains(&entry.key.as_str()) {
                self.error(
                    codes::UNKNOWN_KEY,
                    entry.key_span,
                    format!("unknown key `{}` in {what}", words::short(&entry.key)),
                    words::suggest(&entry.key, "allowed keys", allowed.iter().copied()),
                );
            }
        }
        Fields { entries, what, span: node.span }
    }

    /// Reads a map with free keys; reports duplicates.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => {
                self.duplicates(entries, what);
                entries
            }
            _ => {
                self.error(
                    codes::WRONG_TYPE,
                    node.span,
                    format!("{what} must be a map, but this is {}", node.kind()),
                    "write `key: value` lines below it",
                );
                &[]
            }
        }
    }

    fn duplicates(&mut self, entries: &[Entry], what: &str) {
        let mut seen = std::collections::HashMap::new();
        for entry in entries {
            if let Some(&first) = seen.get(entry.key.as_str()) {
                self.error2(
                    codes::DUPLICATE_KEY,
                    (entry.key_span, (first, "first given here")),
                    format!("`{}` is given twice in {what}", words::short(&entry.key)),
                    "remove or rename one of them",
                );
            } else {
                seen.insert(entry.key.as_str(), entry.key_span);
            }
        }
    }

    /// Reports keys that are given twice in a tree of free form, at every depth.
    pub(crate) fn unique(&mut self, node: &Node, what: &str) {
        match &node.value {
            Value::Map(entries) => {
                self.duplicates(entries, what);
                entries.iter().for_each(|entry| self.unique(&entry.value, what));
            }
            Value::List(items) => items.iter().for_each(|item| self.unique(item, what)),
            _ => {}
        }
    }

    /// Reads a text.
    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.wrong(node, what, "a text", "put it in quotes if it looks like something else");
                None
            }
        }
    }

    /// Reports a value of the wrong type.
    pub(crate) fn wrong(&mut self, node: &Node, what: &str, wanted: &str, hint: &str) {
        self.error(codes::WRONG_TYPE, node.span, format!("{what} must be {wanted}, but this is {}", node.kind()), hint);
    }

    /// Reads a boolean.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.wrong(node, what, "a boolean", "write `true` or `false`");
        None
    }

    /// Reads an integer within a range.
    pub(crate) fn integer(&mut self, node: &Node, what: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let Value::Integer(value) = node.value else {
            self.wrong(
                node,
                what,
                "an integer",
                &format!("write a whole number from {} to {}", range.start(), range.end()),
            );
            return None;
        };
        if range.contains(&value) {
            return Some(value);
        }
        self.error(
            codes::BAD_NUMBER,
            node.span,
            format!("{what} is {value}, outside {} to {}", range.start(), range.end()),
            format!("write a whole number from {} to {}", range.start(), range.end()),
        );
        None
    }

    /// Reads a duration into milliseconds; zero only where it means "none".
    pub(crate) fn duration(&mut self, node: &Node, what: &str, zero: bool) -> Option<u64> {
        let hint = "write a number with a unit, such as `500ms`, `30s`, `5m` or `1h 30m`";
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(0) if zero => return Some(0),
            Value::Integer(number) => number.to_string(),
            _ => {
                self.wrong(node, what, "a duration", hint);
                return None;
            }
        };
        match words::duration_ms(&text) {
            Ok(0) if !zero => {
                self.error(codes::BAD_DURATION, node.span, format!("{what} is zero"), hint);
                None
            }
            Ok(millis) => Some(millis),
            Err(fact) => {
                self.error(codes::BAD_DURATION, node.span, format!("{what}: {fact}"), hint);
                None
            }
        }
    }

    /// Reads one of a few words.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        self.error(
            codes::UNKNOWN_WORD,
            node.span,
            format!("{what} cannot be `{}`", words::short(text)),
            words::suggest(text, "allowed", words.iter().map(|(word, _)| *word)),
        );
        None
    }

    /// Checks a declared name.
    pub(crate) fn name(&mut self, name: &str, span: Span, what: &str, reserved: &[&str]) {
        if !words::is_name(name) {
            self.error(
                codes::BAD_NAME,
                span,
                format!("`{}` is not a name for {what}", words::short(name)),
                "start with a letter, go on with letters, digits, `_` or `-`, at most 64 characters",
            );
        } else if reserved.contains(&name) {
            self.error(
                codes::BAD_NAME,
                span,
                format!("`{name}` is a word of the language, not a name for {what}"),
                "choose another name",
            );
        }
    }

    /// Reads a list of texts; one text counts as a list of one.
    pub(crate) fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(&'n str, Span)> {
        match &node.value {
            Value::Text(text) => vec![(text, node.span)],
            Value::List(items) => items.iter().filter_map(|item| Some((self.text(item, what)?, item.span))).collect(),
            _ => {
                self.wrong(node, what, "a text or a list of texts", "write `[a, b]`");
                Vec::new()
            }
        }
    }
}

/// The entries of one map.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    what: &'static str,
    pub(crate) span: Span,
}

impl<'n> Fields<'n> {
    /// Reads a map and reports nothing; anything else is read as an empty one.
    pub(crate) fn quietly(node: &'n Node) -> Self {
        let entries = if let Value::Map(entries) = &node.value { entries.as_slice() } else { &[] };
        Self { entries, what: "the file", span: node.span }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Reads a key that must be there.
    pub(crate) fn need(&self, sink: &mut Sink<'_>, key: &str, hint: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let end = self.entries.first().map_or(self.span, |entry| entry.key_span);
            sink.error(codes::MISSING_KEY, end, format!("{} has no `{key}`", self.what), hint);
        }
        found
    }
}
