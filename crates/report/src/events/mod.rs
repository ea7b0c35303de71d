//! Events as people and programs read them: what they are about, what is told of them, one line each.

mod detail;
mod subject;
mod words;

use engine::{Record, Run};
use serde_json::{Value, json};

pub use detail::what_follows;
pub use subject::{event_subject, sites_of};
pub use words::noted;

use crate::duration::stamp;

/// An event as one line; `undo` says whether it settles something that is being taken back. No line feed, nothing that
/// could move a cursor.
#[must_use]
pub fn event_line(run: &Run, record: &Record, undo: bool) -> String {
    let subject = event_subject(run, &record.event).unwrap_or_default();
    let detail = detail::detail(&record.event, Some(undo)).unwrap_or_default();
    let text = format!("{} {:<15} {subject} {detail}", stamp(record.at), record.event.name());
    crate::escape::plain(text.trim_end())
}

/// An event as JSON, with names instead of numbers; `undo` as for [`event_line`], `None` of a run that may be ahead of the
/// event.
#[must_use]
pub fn event_json(run: &Run, record: &Record, undo: Option<bool>) -> Value {
    json!({
        "at": stamp(record.at),
        "event": record.event.name(),
        "subject": event_subject(run, &record.event),
        "detail": detail::detail(&record.event, undo),
    })
}
