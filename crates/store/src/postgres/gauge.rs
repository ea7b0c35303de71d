//! What the server says of a store's tables and statements.

use runtime::JournalError;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio::time::Instant;

use super::PostgresStore;
use super::connections::ANSWER;
use super::sql::{self, Answer};
use super::trouble::{Failure, Trouble};
use crate::gauge::{StatementGauge, TableGauge};

impl PostgresStore {
    /// Weighs the tables.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn gauge(&self) -> Result<Vec<TableGauge>, JournalError> {
        let message = format!(
            "SELECT relname::text AS name, pg_total_relation_size(relid) AS bytes, \
             CASE WHEN current_setting('track_counts')::bool THEN n_dead_tup END AS dead \
             FROM pg_stat_user_tables WHERE schemaname = '{}' ORDER BY relname",
            self.connections.schema().trim_matches('"')
        );
        let table = |row: &PgRow| {
            let bytes = row.try_get::<i64, _>("bytes")?.unsigned_abs();
            let dead = row.try_get::<Option<i64>, _>("dead")?.map(i64::unsigned_abs);
            Ok(TableGauge { name: row.try_get("name")?, bytes, dead })
        };
        self.asked(message, |answers| rows(&answers).iter().map(table).collect()).await
    }

    /// Tells what was asked, if the database has the extension `pg_stat_statements`, in whatever schema, and the server has it
    /// loaded and lets this role read it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn statements(&self) -> Result<Option<Vec<StatementGauge>>, JournalError> {
        let message = "SELECT quote_ident(nspname) AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace \
                       WHERE extname = 'pg_stat_statements'";
        let schema = |answers: Vec<Answer>| {
            let schema = rows(&answers).first().map(|row| row.try_get::<String, _>("schema"));
            Ok(schema.transpose()?)
        };
        let Some(schema) = self.asked(message.to_owned(), schema).await? else { return Ok(None) };
        let message = format!(
            "SELECT query, sum(calls)::bigint AS calls, sum(total_exec_time)::float8 AS total_ms \
             FROM {schema}.pg_stat_statements \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND position('{}' in query) > 0 \
             GROUP BY query",
            self.connections.schema()
        );
        let mut taken = self.connections.take(Instant::now() + ANSWER).await.map_err(Trouble::into_error)?;
        let answers = match taken.send(sql::reading() + &message).await {
            Ok(answers) => answers,
            // It is made and not loaded, of an old version, or not for this role: nothing that would hinder a store.
            Err(failure) if failure.is_said() => return Ok(None),
            Err(failure) => return Err(self.unreadable(failure)),
        };
        taken.give_back();
        let statements: Result<_, Failure> = rows(&answers).iter().map(statement).collect();
        statements.map(Some).map_err(|failure| self.unreadable(failure))
    }
}

/// Rows of the last answer.
fn rows(answers: &[Answer]) -> &[PgRow] {
    answers.last().map(|answer| &answer.rows[..]).unwrap_or_default()
}

fn statement(row: &PgRow) -> Result<StatementGauge, Failure> {
    let calls = row.try_get::<i64, _>("calls")?.unsigned_abs();
    Ok(StatementGauge { text: row.try_get("query")?, calls, total_ms: row.try_get("total_ms")? })
}
