//! What is wrong, where, and what to do about it, as data.

use engine::Place;
use serde::{Serialize, Serializer};

use crate::codes::Code;
use crate::source::{Lines, Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is planned or run.
    Error,
    /// It works, and is likely not what was meant.
    Warning,
}

/// A place of a source with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Bytes of the source.
    pub span: Span,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
    /// What to say there; may be empty.
    pub text: String,
}

/// One finding. The first label is the place to go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable identifier of the rule, `RB0301`.
    #[serde(serialize_with = "code_id")]
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The fact, as one lower-case sentence without a full stop.
    pub message: String,
    /// Places; the first is the main one.
    pub labels: Vec<Label>,
    /// The reader's next move; errors always have one.
    pub hint: Option<String>,
}

fn code_id<S: Serializer>(code: &&'static str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(code)
}

impl Diagnostic {
    /// Makes an error without a place; places come with [`Diagnostic::at`].
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.id,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            hint: Some(hint.into()),
        }
    }

    /// Makes a warning without a place.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, hint) }
    }

    pub(crate) fn push_label(&mut self, span: Span, place: Place, text: impl Into<String>) {
        self.labels.push(Label { span, line: place.line, column: place.column, text: text.into() });
    }

    /// Adds a label at a span of a text.
    #[must_use]
    pub fn at(mut self, text: &Text<'_>, span: Span, label: impl Into<String>) -> Self {
        self.push_label(span, text.place(span.start), label);
        self
    }

    /// Says whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Returns the main place; (1, 1) if there is none.
    #[must_use]
    pub fn place(&self) -> Place {
        self.labels
            .first()
            .map_or(Place { line: 1, column: 1 }, |label| Place { line: label.line, column: label.column })
    }
}

/// A source with its lines, to make labels quickly.
#[derive(Debug)]
pub struct Text<'a> {
    /// The source.
    pub source: &'a Source,
    lines: Lines,
}

impl<'a> Text<'a> {
    /// Indexes a source.
    #[must_use]
    pub fn new(source: &'a Source) -> Self {
        Self { source, lines: Lines::of(&source.text) }
    }

    /// Returns the place of a byte.
    #[must_use]
    pub fn place(&self, byte: usize) -> Place {
        self.lines.place(&self.source.text, byte)
    }
}

/// Says whether any of the findings is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// Puts findings in the order of the text, errors of one place together, doubles dropped.
pub(crate) fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|found| {
        let place = found.place();
        (place.line, place.column, found.severity, found.code)
    });
    diagnostics.dedup();
    diagnostics
}
