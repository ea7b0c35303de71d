//! What the server says of a store's tables and statements.

use runtime::JournalError;
use sqlx::Row;

use super::PostgresStore;
use super::sql::Answer;
use super::trouble::Failure;
use crate::gauge::{Gauge, StatementGauge, TableGauge};

impl PostgresStore {
    /// Weighs the tables, and tells what was asked, where the database has the extension `pg_stat_statements`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn gauge(&self) -> Result<Gauge, JournalError> {
        let s = self.connections.schema();
        let tables = format!(
            "SELECT relname::text AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS rows, n_dead_tup AS dead \
             FROM pg_stat_user_tables WHERE schemaname = '{}' ORDER BY relname;\n\
             SELECT count(*) AS extensions FROM pg_extension WHERE extname = 'pg_stat_statements'",
            s.trim_matches('"')
        );
        let (tables, counts) = self
            .asked(tables, |answers| {
                let [.., tables, counts] = &answers[..] else { return Err(sqlx::Error::RowNotFound.into()) };
                let counts: i64 = counts.rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("extensions")?;
                Ok((read_tables(tables)?, counts))
            })
            .await?;
        if counts == 0 {
            return Ok(Gauge { tables, statements: vec![] });
        }
        let statements = format!(
            "SELECT query, sum(calls)::bigint AS calls, sum(total_exec_time)::float8 AS total_ms FROM pg_stat_statements \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND position('{s}' in query) > 0 \
             GROUP BY query"
        );
        let statements = self.asked(statements, |answers| answers.last().map_or(Ok(vec![]), read_statements)).await?;
        Ok(Gauge { tables, statements })
    }
}

fn read_tables(answer: &Answer) -> Result<Vec<TableGauge>, Failure> {
    let table = |row: &sqlx::postgres::PgRow| {
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
        let (bytes, rows, dead) = (number("bytes")?, number("rows")?, number("dead")?);
        Ok(TableGauge { name: row.try_get("name")?, bytes, rows, dead })
    };
    answer.rows.iter().map(table).collect()
}

fn read_statements(answer: &Answer) -> Result<Vec<StatementGauge>, Failure> {
    let statement = |row: &sqlx::postgres::PgRow| {
        let calls = row.try_get::<i64, _>("calls")?.unsigned_abs();
        Ok(StatementGauge { text: row.try_get("query")?, calls, total_ms: row.try_get("total_ms")? })
    };
    answer.rows.iter().map(statement).collect()
}
