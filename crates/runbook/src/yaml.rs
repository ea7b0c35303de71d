//! YAML text to a tree of values with places; the only module that knows the parser.
//!
//! One parser decides what a text means. Everything it cannot bound or that two readers could see differently is
//! refused here: text over 1 MiB, deep nesting, anchors, aliases, merge keys, tags, several documents.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::Budget;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, Location, Options, Spanned};

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::source::{Lines, MAX_TEXT, Span};

/// Deepest nesting of a document; the parser needs up to 35 kB of stack a level, and a thread may have 2 MB.
pub(crate) const MAX_DEPTH: usize = 32;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value; duplicates are kept, so that all of them are found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// Names the kind of value for messages, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Converts to JSON; of duplicate keys the last wins, which has been reported by then.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Number(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
        }
    }
}

/// Parses a text into a tree.
///
/// # Errors
/// If the text is no single, plain, bounded YAML document.
pub(crate) fn parse(text: &Text<'_>) -> Result<Node, Box<Diagnostic>> {
    let source = &text.source.text;
    guard(text)?;
    let document: Spanned<Raw> =
        serde_saphyr::from_str_with_options(source, options()).map_err(|error| Box::new(broken(text, &error)))?;
    let mut node = document.value.into_node(span_of(&document.defined, source));
    let mut tags = Vec::new();
    find_tags(source, 0, &mut node, &mut tags);
    match tags.first() {
        None => Ok(node),
        Some(&span) => Err(Box::new(
            Diagnostic::error(
                codes::YAML_FEATURE,
                "tags are not part of the language",
                "write the plain value; quote it to make it a text",
            )
            .at(text, span, "a tag"),
        )),
    }
}

fn guard(text: &Text<'_>) -> Result<(), Box<Diagnostic>> {
    let source = &text.source.text;
    if source.len() > MAX_TEXT {
        return Err(Box::new(
            Diagnostic::error(
                codes::TOO_LARGE,
                format!("the file has {} bytes, more than {MAX_TEXT}", source.len()),
                "split the runbook; lists of sites belong in a site list",
            )
            .at(text, Span::new(0, 0), ""),
        ));
    }
    let control = source.char_indices().find(|&(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}'));
    if let Some((at, c)) = control {
        return Err(Box::new(
            Diagnostic::error(
                codes::YAML_SYNTAX,
                format!("the file holds the control character U+{:04X}", u32::from(c)),
                "remove it; in double quotes it can be written as an escape such as \"\\0\"",
            )
            .at(text, Span::new(at, at + c.len_utf8()), "here"),
        ));
    }
    Ok(())
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: budget(),
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn budget() -> Option<Budget> {
    serde_saphyr::budget! {
        max_depth: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        max_events: 400_000,
        max_nodes: 200_000,
        max_anchors: 0,
        max_aliases: 0,
        max_merge_keys: 0,
        max_documents: 1,
        max_total_scalar_bytes: MAX_TEXT,
    }
}

fn span_of(location: &Location, source: &str) -> Span {
    let span = location.span();
    match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(len)) => {
            let start = usize::try_from(start).unwrap_or(usize::MAX).min(source.len());
            let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(source.len());
            Span::new(start, end)
        }
        // Errors of the scanner come with line and column only.
        _ => {
            let place = engine::Place {
                line: u32::try_from(location.line()).unwrap_or(1),
                column: u32::try_from(location.column()).unwrap_or(1),
            };
            let at = Lines::of(source).byte(source, place);
            Span::new(at, at)
        }
    }
}

fn broken(text: &Text<'_>, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let message = plain_message(error);
    let low = message.to_lowercase();
    let span = error.location().map_or_else(Span::default, |location| span_of(&location, &text.source.text));
    let near = text.source.slice(Span::new(span.start.saturating_sub(1), span.end + 1));
    // The parser's own words are kept for plain syntax errors only; what we refuse on purpose is said in ours.
    let (code, own, hint) = if low.contains("anchor") || low.contains("alias") {
        (codes::YAML_FEATURE, "anchors and aliases are not part of the language", "write the value where it is used")
    } else if low.contains("merge") {
        (codes::YAML_FEATURE, "merge keys are not part of the language", "write the keys where they are used")
    } else if low.contains("tag") {
        (codes::YAML_FEATURE, "tags are not part of the language", "write the plain value")
    } else if low.contains("document") {
        (codes::YAML_FEATURE, "a file holds one document, this one holds several", "remove the `---` or split the file")
    } else if low.contains("depth") || low.contains("nesting") || low.contains("recursion") {
        (codes::TOO_DEEP, "the document is nested too deeply", "write it flatter; at most 32 levels are read")
    } else if low.contains("budget") || low.contains("limit") {
        (codes::TOO_LARGE, "the document is larger than any runbook needs", "split it")
    } else if low.contains("tab") || near.contains('\t') {
        (codes::YAML_SYNTAX, "", "indent with spaces; YAML does not allow tabs there")
    } else {
        (codes::YAML_SYNTAX, "", "check indentation, colons, quotes and brackets at this place")
    };
    let message = if own.is_empty() { message } else { own.to_owned() };
    Diagnostic::error(code, message, hint).at(text, span, "here")
}

/// The first line of the parser's message, without the place (which we print ourselves).
fn plain_message(error: &Error) -> String {
    let full = error.to_string();
    let line = full.lines().next().unwrap_or_default().trim();
    let cut = line.find(" at line ").or_else(|| line.find(" (line ")).unwrap_or(line.len());
    let line = line[..cut].trim_end_matches([':', ' ']);
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line: String = line.chars().take(300).collect();
    if line.is_empty() { "the text is not valid YAML".into() } else { line }
}

/// Finds tags before values: the parser applies the harmless ones silently, and the language has none.
fn find_tags(source: &str, before: usize, node: &mut Node, found: &mut Vec<Span>) {
    let gap = source.get(before..node.span.start).unwrap_or_default();
    let mut at = before;
    for line in gap.split_inclusive('\n') {
        for word in line.split_inclusive(char::is_whitespace) {
            if word.starts_with('#') {
                break;
            }
            let bare = word.trim_start_matches(['-', ':', ',', '[', '{', '?']);
            if bare.starts_with('!') {
                let start = at + (word.as_ptr() as usize - line.as_ptr() as usize) + (word.len() - bare.len());
                found.push(Span::new(start, start + bare.trim_end().len()));
            }
        }
        at += line.len();
    }
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                let line = source[..item.span.start.min(source.len())].rfind('\n').map_or(0, |at| at + 1);
                let from = source[line..item.span.start].rfind(['-', '[', ',']).map_or(item.span.start, |at| line + at);
                find_tags(source, from, item, found);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                find_tags(source, entry.key_span.end, &mut entry.value, found);
            }
        }
        _ if source.get(node.span.start..).is_some_and(|rest| rest.starts_with('!')) => {
            found.push(Span::new(node.span.start, node.span.start + 1));
        }
        _ => {}
    }
}

/// What serde hands over, before places are attached.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl Raw {
    fn into_node(self, span: Span) -> Node {
        let place = |location: &Location| {
            let span = location.span();
            let start = usize::try_from(span.byte_offset().unwrap_or(0)).unwrap_or(0);
            Span::new(start, start + usize::try_from(span.byte_len().unwrap_or(0)).unwrap_or(0))
        };
        let value = match self {
            Self::Scalar(value) => value,
            Self::List(items) => {
                Value::List(items.into_iter().map(|item| item.value.into_node(place(&item.defined))).collect())
            }
            Self::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: key.value.key_text(),
                        key_span: place(&key.defined),
                        value: value.value.into_node(place(&value.defined)),
                    })
                    .collect(),
            ),
        };
        Node { span, value }
    }

    fn key_text(self) -> String {
        match self {
            Self::Scalar(Value::Text(text)) => text,
            Self::Scalar(Value::Integer(number)) => number.to_string(),
            Self::Scalar(Value::Number(number)) => number.to_string(),
            Self::Scalar(Value::Bool(value)) => value.to_string(),
            Self::Scalar(_) => "null".into(),
            Self::List(_) | Self::Map(_) => "[...]".into(),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Integer(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Raw, E> {
        i64::try_from(value)
            .map(|value| Raw::Scalar(Value::Integer(value)))
            .map_err(|_| E::custom("the integer is too large"))
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Raw, E> {
        Err(E::custom("the integer is too large"))
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Raw, E> {
        Err(E::custom("the integer is too large"))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        if value.is_finite() {
            Ok(Raw::Scalar(Value::Number(value)))
        } else {
            Err(E::custom("the number is not finite"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = from.next_key::<Spanned<Raw>>()? {
            if matches!(key.value, Raw::List(_) | Raw::Map(_)) {
                return Err(A::Error::custom("a key must be plain text"));
            }
            entries.push((key, from.next_value()?));
        }
        Ok(Raw::Map(entries))
    }
}
