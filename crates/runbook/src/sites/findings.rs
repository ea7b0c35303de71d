//! Findings about a list: bounded in memory, exact in number.

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Text};
use crate::sites::MAX_SHOWN;
use crate::source::Span;

pub(super) struct Findings<'a> {
    pub(super) text: &'a Text<'a>,
    found: Vec<Diagnostic>,
    count: usize,
}

impl<'a> Findings<'a> {
    pub(super) fn new(text: &'a Text<'a>) -> Self {
        Self { text, found: Vec::new(), count: 0 }
    }

    pub(super) fn error(
        &mut self,
        code: Code,
        span: Span,
        message: impl FnOnce() -> String,
        hint: impl FnOnce() -> String,
    ) {
        self.error2(code, span, None, message, hint);
    }

    pub(super) fn error2(
        &mut self,
        code: Code,
        span: Span,
        other: Option<(Span, &str)>,
        message: impl FnOnce() -> String,
        hint: impl FnOnce() -> String,
    ) {
        self.count += 1;
        if self.found.len() < MAX_SHOWN {
            let mut diagnostic = Diagnostic::error(code, message(), hint()).at(self.text, span, "");
            if let Some((span, label)) = other {
                diagnostic = diagnostic.at(self.text, span, label);
            }
            self.found.push(diagnostic);
        }
    }

    pub(super) fn empty(&mut self) {
        self.error(
            codes::SITES_EMPTY,
            Span::new(0, 0),
            || "the list names no site".into(),
            || "give at least one row; a restore of nothing is likely a mistake".into(),
        );
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn finish(self, rows: usize) -> Vec<Diagnostic> {
        let mut found = self.found;
        if self.count > found.len() {
            found.push(
                Diagnostic::error(
                    codes::SITES_VALUE,
                    format!("{} errors in {rows} rows; the first {} are shown", self.count, found.len()),
                    "many errors of one kind often mean a wrong file or a missing column",
                )
                .at(self.text, Span::new(0, 0), ""),
            );
        }
        found
    }
}
