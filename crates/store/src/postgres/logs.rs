//! The logs of attempts: a row a line. They are no truth about progress, so nothing waits until they are on the disk.

use async_trait::async_trait;
use runtime::{AttemptLogs, JournalError, LINE_WEIGHT, LogHead, LogLine, LogPiece, LogTally};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::sql;
use super::trouble::Failure;
use crate::rows;

/// The statements that add a piece to the logs of a run, in the order of the port: what is forgotten first.
fn add(s: &str, run: &str, piece: &LogPiece) -> String {
    let of_run = format!("run = (SELECT id FROM {s}.runs WHERE name = {run})");
    let (unit, attempt) = (sql::text(&piece.unit), piece.attempt);
    let mut statements = String::new();
    if let Some((from, to)) = piece.forget {
        let (from, to) = (sql::unsigned(from), sql::unsigned(to));
        statements = format!(
            "WITH gone AS (DELETE FROM {s}.lines WHERE log = (SELECT id FROM {s}.logs WHERE {of_run} AND unit = {unit} \
             AND attempt = {attempt}) AND number >= {from} AND number < {to} RETURNING octet_length(text) + {LINE_WEIGHT} AS weight) \
             UPDATE {s}.log_weights SET weight = weight - (SELECT coalesce(sum(gone.weight), 0)::bigint FROM gone) WHERE {of_run};\n"
        );
    }
    let LogTally { lines, bytes, cut_lines, cut_bytes, beyond, lost } = piece.tally;
    let tally = [lines, bytes, cut_lines, cut_bytes, beyond, lost].map(sql::unsigned).join(", ");
    statements
        + &format!(
            "WITH log AS (INSERT INTO {s}.logs (run, unit, attempt, lines, bytes, cut_lines, cut_bytes, beyond, lost) \
         SELECT id, {unit}, {attempt}, {tally} FROM {s}.runs WHERE name = {run} \
         ON CONFLICT (run, unit, attempt) DO UPDATE SET lines = excluded.lines, bytes = excluded.bytes, \
         cut_lines = excluded.cut_lines, cut_bytes = excluded.cut_bytes, beyond = excluded.beyond, lost = excluded.lost \
         RETURNING id) \
         INSERT INTO {s}.lines (log, number, at, voice, text) SELECT log.id, number, at, voice, decode(text, 'hex') \
         FROM log, unnest({numbers}, {times}, {voices}, {texts}) AS line(number, at, voice, text);\n",
            numbers = sql::numbers(piece.lines.iter().map(|line| rows::integer(line.number))),
            times = sql::numbers(piece.lines.iter().map(|line| line.at)),
            voices = sql::numbers(piece.lines.iter().map(|line| rows::voice(line.voice) as i64)),
            texts = sql::hexes(piece.lines.iter().map(|line| line.text.as_str())),
        )
}

#[async_trait]
impl AttemptLogs for PostgresStore {
    async fn keep_logs(&self, run: &str, pieces: &[LogPiece]) -> Result<u64, JournalError> {
        let (s, name) = (self.connections.schema(), sql::text(run));
        // The row of the weight is locked first: of two that write, one waits. Who gives the run up waits as well, or is
        // waited for: no line comes after all were freed.
        let mut message = format!(
            "SET LOCAL synchronous_commit = off;\n\
             INSERT INTO {s}.log_weights (run, weight) SELECT id, 0 FROM {s}.runs WHERE name = {name} FOR KEY SHARE \
             ON CONFLICT (run) DO UPDATE SET weight = log_weights.weight;\n"
        );
        message.extend(pieces.iter().map(|piece| add(s, &name, piece)));
        let come: u64 = pieces.iter().flat_map(|piece| &piece.lines).map(LogLine::weight).sum();
        message.push_str(&format!(
            "UPDATE {s}.log_weights SET weight = weight + {} WHERE run = (SELECT id FROM {s}.runs WHERE name = {name}) \
             RETURNING weight",
            sql::unsigned(come)
        ));
        let answers = self.connections.change(message, false).await?;
        let row = answers.last().and_then(|answer| answer.rows.first());
        let row = row.ok_or_else(|| JournalError::NoSuchRun(run.to_owned()))?;
        let weight: i64 = row.try_get("weight").map_err(|error| self.damage(error))?;
        Ok(weight.max(0).unsigned_abs())
    }

    async fn logs_of(&self, run: &str, unit: &str) -> Result<Vec<LogHead>, JournalError> {
        let (s, unit) = (self.connections.schema(), sql::text(unit));
        let asked = format!(
            "SELECT attempt, lines, bytes, cut_lines, cut_bytes, beyond, lost FROM {s}.logs WHERE unit = {unit} \
             AND run = (SELECT id FROM {s}.runs WHERE name = {}) ORDER BY attempt",
            sql::text(run)
        );
        self.of_run(run, &asked, rows::log_head).await
    }

    async fn log_lines(
        &self,
        run: &str,
        unit: &str,
        attempt: u32,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>, JournalError> {
        let s = self.connections.schema();
        let asked = format!(
            "SELECT number, at, voice, encode(text, 'hex') AS text FROM {s}.lines WHERE log = (SELECT id FROM {s}.logs \
             WHERE run = (SELECT id FROM {s}.runs WHERE name = {run}) AND unit = {unit} AND attempt = {attempt}) \
             AND number >= {from} ORDER BY number LIMIT {limit}",
            run = sql::text(run),
            unit = sql::text(unit),
            from = sql::unsigned(from),
        );
        self.of_run(run, &asked, rows::log_line).await
    }
}

impl PostgresStore {
    /// Reads rows that are there if the run is.
    async fn of_run<T: Send>(
        &self,
        run: &str,
        asked: &str,
        make: fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, JournalError> {
        let (s, name) = (self.connections.schema(), sql::text(run));
        self.asked(format!("SELECT id FROM {s}.runs WHERE name = {name};\n{asked}"), |answers| {
            let [runs, rows] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
            if runs.rows.is_empty() {
                return Err(Failure::Refused(JournalError::NoSuchRun(run.to_owned())));
            }
            Ok(rows.rows.iter().map(make).collect::<Result<_, _>>()?)
        })
        .await
    }
}
