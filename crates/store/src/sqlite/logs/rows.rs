//! What is done with the rows: a write is a few statements, however many attempts wrote.

use runtime::engine::Millis;
use runtime::{LINE_WEIGHT, LogHead, LogLine, LogPiece, LogTally};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::rows::{self, integer};

/// Adds pieces to the logs of a run in one transaction, and gives the weight of all its lines.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    run: (&str, Millis),
    pieces: &[LogPiece],
) -> Result<u64, sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let kept = add(connection, run, pieces).await;
    let end = if kept.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(connection).await?;
    kept
}

async fn add(
    connection: &mut SqliteConnection,
    (name, created_at): (&str, Millis),
    pieces: &[LogPiece],
) -> Result<u64, sqlx::Error> {
    let run: i64 = sqlx::query_scalar(
        "INSERT INTO runs (name, created_at, weight) VALUES ($1, $2, 0) \
         ON CONFLICT (name, created_at) DO UPDATE SET weight = weight RETURNING id",
    )
    .bind(name)
    .bind(created_at)
    .fetch_one(&mut *connection)
    .await?;
    let all: Vec<Value> = pieces.iter().map(row).collect();
    let all = Value::from(all).to_string();
    sqlx::query(
        "INSERT INTO logs (run, unit, attempt, lines, bytes, cut_lines, cut_bytes, beyond, lost) \
         SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7 \
         FROM json_each($2) WHERE true \
         ON CONFLICT (run, unit, attempt) DO UPDATE SET lines = excluded.lines, bytes = excluded.bytes, \
         cut_lines = excluded.cut_lines, cut_bytes = excluded.cut_bytes, beyond = excluded.beyond, lost = excluded.lost",
    )
    .bind(run)
    .bind(&all)
    .execute(&mut *connection)
    .await?;
    let mut gone = 0;
    for piece in pieces {
        let Some((from, to)) = piece.forget else { continue };
        gone += forget(connection, run, piece, from, to).await?;
    }
    sqlx::query(
        "INSERT INTO lines (id, at, voice, text) \
         SELECT l.id << 32 | (line.value ->> 0), line.value ->> 1, line.value ->> 2, line.value ->> 3 \
         FROM json_each($2) piece \
         CROSS JOIN logs l ON l.run = $1 AND l.unit = piece.value ->> 0 AND l.attempt = piece.value ->> 1 \
         CROSS JOIN json_each(piece.value, '$[8]') line",
    )
    .bind(run)
    .bind(&all)
    .execute(&mut *connection)
    .await?;
    let come: u64 = pieces.iter().flat_map(|piece| &piece.lines).map(LogLine::weight).sum();
    let weight: i64 = sqlx::query_scalar("UPDATE runs SET weight = weight + $2 - $3 WHERE id = $1 RETURNING weight")
        .bind(run)
        .bind(integer(come))
        .bind(gone)
        .fetch_one(connection)
        .await?;
    Ok(weight.max(0).unsigned_abs())
}

/// A piece as the statements read it.
fn row(piece: &LogPiece) -> Value {
    let LogTally { lines, bytes, cut_lines, cut_bytes, beyond, lost } = piece.tally;
    let of = |line: &LogLine| json!([line.number, line.at, rows::voice(line.voice), line.text]);
    let new: Vec<Value> = piece.lines.iter().map(of).collect();
    json!([piece.unit, piece.attempt, lines, bytes, cut_lines, cut_bytes, beyond, lost, new])
}

/// Forgets lines of an attempt and gives their weight.
async fn forget(
    connection: &mut SqliteConnection,
    run: i64,
    piece: &LogPiece,
    from: u64,
    to: u64,
) -> Result<i64, sqlx::Error> {
    let bound = "FROM lines WHERE id >= (SELECT id << 32 | $4 FROM logs WHERE run = $1 AND unit = $2 AND attempt = $3) \
                 AND id < (SELECT id << 32 | $5 FROM logs WHERE run = $1 AND unit = $2 AND attempt = $3)";
    let weight = format!("SELECT ifnull(sum(length(CAST(text AS BLOB)) + {LINE_WEIGHT}), 0) {bound}");
    let weight: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(weight))
        .bind(run)
        .bind(&piece.unit)
        .bind(piece.attempt)
        .bind(integer(from))
        .bind(integer(to))
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("DELETE {bound}")))
        .bind(run)
        .bind(&piece.unit)
        .bind(piece.attempt)
        .bind(integer(from))
        .bind(integer(to))
        .execute(connection)
        .await?;
    Ok(weight)
}

pub(super) async fn heads(
    connection: &mut SqliteConnection,
    (name, created_at): (&str, Millis),
    unit: &str,
) -> Result<Vec<LogHead>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT attempt, lines, bytes, cut_lines, cut_bytes, beyond, lost FROM logs \
         WHERE run = (SELECT id FROM runs WHERE name = $1 AND created_at = $2) AND unit = $3 ORDER BY attempt",
    )
    .bind(name)
    .bind(created_at)
    .bind(unit)
    .fetch_all(connection)
    .await?;
    found.iter().map(rows::log_head).collect()
}

pub(super) async fn lines(
    connection: &mut SqliteConnection,
    (name, created_at): (&str, Millis),
    (unit, attempt): (&str, u32),
    from: u64,
    limit: u32,
) -> Result<Vec<LogLine>, sqlx::Error> {
    let log: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM logs \
         WHERE run = (SELECT id FROM runs WHERE name = $1 AND created_at = $2) AND unit = $3 AND attempt = $4",
    )
    .bind(name)
    .bind(created_at)
    .bind(unit)
    .bind(attempt)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(log) = log.filter(|_| from < 1 << 32) else { return Ok(Vec::new()) };
    let found = sqlx::query(
        "SELECT id & 0xffffffff AS number, at, voice, text FROM lines \
         WHERE id >= ($1 << 32 | $2) AND id < ($1 + 1) << 32 ORDER BY id LIMIT $3",
    )
    .bind(log)
    .bind(integer(from))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    found.iter().map(rows::log_line).collect()
}
