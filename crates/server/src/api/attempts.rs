//! What an attempt did and printed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use runtime::{LogLine, LogTally};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::app::App;
use crate::verbs::{VerbError, subject};

/// Lines in one answer.
const MOST: u32 = 10_000;

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Range {
    /// Number of the first line that is wanted, from 0; less than 0 counts from the end.
    #[serde(default)]
    from: i64,
    /// Lines at most; 1000 if not said, 10000 at most.
    limit: Option<u32>,
}

/// Lines of an attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptLog {
    /// The unit, as it is named elsewhere.
    pub(crate) unit: String,
    /// Number of the attempt.
    pub(crate) attempt: u32,
    /// Attempts that the unit has made.
    pub(crate) attempts: u32,
    /// Lines that were written so far, kept or not; their numbers are below.
    pub(crate) lines: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Lines in the middle that are not kept, because the attempt wrote more than 256 KiB.
    pub(crate) cut_lines: u64,
    /// Bytes of them.
    pub(crate) cut_bytes: u64,
    /// Lines that are not kept because the logs of the run had reached their limit.
    pub(crate) beyond_limit: u64,
    /// Lines that the store could not keep.
    pub(crate) lost: u64,
    /// The lines; numbers of lines that are not kept are missing.
    pub(crate) log: Vec<Line>,
    /// `from` of the next answer; what is written later is found from there on.
    pub(crate) next: u64,
}

/// One line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Line {
    /// Its number, from 0.
    pub(crate) line: u64,
    /// When it was written, RFC 3339.
    pub(crate) at: String,
    /// `driver`, `action`, `stdout` or `stderr`.
    pub(crate) voice: &'static str,
    /// The line, without secrets. It may hold control characters: whoever shows it escapes it.
    pub(crate) text: String,
}

impl From<LogLine> for Line {
    fn from(LogLine { number, at, voice, text }: LogLine) -> Self {
        Self { line: number, at: ::report::stamp(at), voice: voice.word(), text }
    }
}

/// What an attempt of a unit did and printed, line by line; secrets are replaced. A unit of a step with several items is
/// named `KEY/ITEM`, with the slash written as `%2F`.
#[utoipa::path(get, path = "/api/v1/runs/{run}/units/{step}/{key}/attempts/{attempt}/log", tag = "runs",
    params(("run" = String, Path), ("step" = String, Path), ("key" = String, Path), ("attempt" = u32, Path), Range),
    responses((status = 200, body = AttemptLog), (status = "default", body = Problem)))]
pub(crate) async fn log(
    State(app): State<Arc<App>>,
    At((run, step, key, attempt)): At<(String, String, String, u32)>,
    Asked(range): Asked<Range>,
) -> Result<Json<AttemptLog>, Problem> {
    let log = attempt_log(&app, &run, format!("{step}/{key}"), Some(attempt), |tally| {
        let from = match u64::try_from(range.from) {
            Ok(from) => from,
            Err(_) => tally.lines.saturating_sub(range.from.unsigned_abs()),
        };
        (from, range.limit.unwrap_or(1_000).min(MOST))
    });
    Ok(Json(log.await?))
}

/// Lines of an attempt of a unit, or of its last; `range` says from which line on, and how many, of what there is.
pub(crate) async fn attempt_log(
    app: &App,
    run: &str,
    unit: String,
    attempt: Option<u32>,
    range: impl FnOnce(&LogTally) -> (u64, u32),
) -> Result<AttemptLog, Problem> {
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    let found = watch.ask(move |fold| {
        let run = fold.run();
        let unit = subject::unit(run, &unit)?;
        Ok((run.unit_name(unit), run.unit_key(unit), run.attempts(unit)))
    });
    let (unit, key, attempts) = found.await?.map_err(VerbError::Subject)?;
    let attempt = attempt.unwrap_or(attempts);
    if attempt == 0 || attempt > attempts {
        let fact = format!("there was no attempt {attempt} of {}", ::report::plain(&unit));
        return Err(Problem::missing("logs-attempt", fact, format!("{attempts} attempts were made")).at("attempt"));
    }
    let store = &app.drivers.kit().store;
    let heads = store.logs_of(run, &key).await?;
    let tally = heads.iter().find(|head| head.attempt == attempt).map(|head| head.tally).unwrap_or_default();
    let (from, limit) = range(&tally);
    let lines = store.log_lines(run, &key, attempt, from, limit).await?;
    let next = lines.last().map_or(from, |line| line.number + 1);
    let log = lines.into_iter().map(Line::from).collect();
    Ok(AttemptLog {
        unit,
        attempt,
        attempts,
        lines: tally.lines,
        bytes: tally.bytes,
        cut_lines: tally.cut_lines,
        cut_bytes: tally.cut_bytes,
        beyond_limit: tally.beyond,
        lost: tally.lost,
        log,
        next,
    })
}
