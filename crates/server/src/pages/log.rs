//! The page of what an attempt did and printed.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::access::Who;
use crate::api::body::{Asked, At};
use crate::api::{AttemptLog, attempt_log};
use crate::app::App;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};

/// Lines on a page.
const ROWS: usize = 500;
/// Attempts that have a link, at either end.
const ENDS: u32 = 10;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// The unit, as verbs take it.
    unit: String,
    /// The attempt; the last one if not said.
    attempt: Option<u32>,
    /// Number of the first line that is wanted.
    from: Option<u64>,
    /// Number of the line before which they are wanted; the end of the log if neither is said.
    before: Option<u64>,
}

/// What is on a line of the page.
enum Row {
    Line { number: u64, at: String, voice: &'static str, text: String },
    Gap(u64),
}

#[derive(Template)]
#[template(path = "log.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    log: &'a AttemptLog,
    /// Numbers of the attempts that have a link.
    attempts: Vec<u32>,
    rows: Vec<Row>,
    before: Option<u64>,
    next: Option<u64>,
}

/// The newest lines of an attempt, or those before or after some.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    // What is kept of an attempt is little; of all of it, those before a line are known without a count of what is missing.
    let range = |_: &_| (wanted.from.unwrap_or(0), u32::MAX);
    let mut log = match attempt_log(&app, &name, wanted.unit, wanted.attempt, range).await {
        Ok(log) => log,
        Err(problem) => return Trouble(who, problem).into_response(),
    };
    if wanted.from.is_some() {
        log.log.truncate(ROWS);
    } else {
        log.log.retain(|line| wanted.before.is_none_or(|before| line.line < before));
        log.log.drain(..log.log.len().saturating_sub(ROWS));
    }
    let next = log.log.last().map_or(0, |line| line.line + 1);
    page(&Page {
        frame: Frame::of(&who, "/runs"),
        name: &name,
        attempts: (1..=log.attempts).filter(|ix| *ix <= ENDS || *ix + ENDS > log.attempts).collect(),
        rows: rows(&log, wanted.from),
        before: log.log.first().map(|line| line.line).filter(|first| *first > 0),
        next: (next > 0 && next < log.lines).then_some(next),
        log: &log,
    })
}

/// Lines, and where there are none.
fn rows(log: &AttemptLog, from: Option<u64>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(log.log.len());
    let mut next = from;
    for line in &log.log {
        rows.extend(next.filter(|next| *next < line.line).map(|next| Row::Gap(line.line - next)));
        next = Some(line.line + 1);
        let time = line.at.get(11..23).unwrap_or(&line.at).to_owned();
        rows.push(Row::Line { number: line.line, at: time, voice: line.voice, text: report::plain(&line.text) });
    }
    rows
}
