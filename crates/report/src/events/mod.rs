//! Events as people and programs read them: what they are about, what is told of them, one line each.

mod detail;
mod subject;
mod words;

use engine::{Record, Run};
use serde::Serialize;

pub use detail::what_follows;
pub use subject::{event_subject, is_about};
pub use words::noted;

use crate::duration::stamp;

/// An event, with names instead of numbers. Its texts may hold control characters: whoever shows them escapes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldEvent {
    /// When, RFC 3339.
    pub at: String,
    /// Its kind.
    pub event: &'static str,
    /// What it is about.
    pub subject: Option<String>,
    /// What else is known of it.
    pub detail: Option<String>,
}

impl ToldEvent {
    /// Tells an event; `undo` says whether it settles something that is being taken back, `None` of a run that may be ahead
    /// of the event.
    #[must_use]
    pub fn of(run: &Run, record: &Record, undo: Option<bool>) -> Self {
        Self {
            at: stamp(record.at),
            event: record.event.name(),
            subject: event_subject(run, &record.event),
            detail: detail::detail(&record.event, undo),
        }
    }

    /// One line of it. No line feed, nothing that could move a cursor.
    #[must_use]
    pub fn line(&self) -> String {
        let (subject, detail) = (self.subject.as_deref(), self.detail.as_deref());
        let text =
            format!("{} {:<15} {} {}", self.at, self.event, subject.unwrap_or_default(), detail.unwrap_or_default());
        crate::escape::plain(text.trim_end())
    }

    /// It as JSON on one line.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
