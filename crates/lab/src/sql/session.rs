//! One open store of either kind, and what differs in how statements are put to it.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

/// An open store.
#[derive(Debug)]
pub(crate) enum Session {
    /// A file.
    Sqlite(SqliteConnection),
    /// A database of a server.
    Postgres(PgConnection),
}

impl Session {
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(conn) => conn.close().await,
            Self::Postgres(conn) => conn.close().await,
        }
    }

    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// Runs several statements of our own text.
pub(crate) async fn script(session: &mut Session, sql: String) -> Result<(), sqlx::Error> {
    match session {
        Session::Sqlite(conn) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop),
        Session::Postgres(conn) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop),
    }
}

/// Begins a transaction that writes.
pub(crate) async fn begin(session: &mut Session) -> Result<(), sqlx::Error> {
    // Files have one writer: who will write waits here, not at the first change.
    let sql = if session.is_server() { "BEGIN" } else { "BEGIN IMMEDIATE" };
    script(session, sql.to_owned()).await
}

/// Begins a transaction that reads, and sees nothing that is committed from now on.
pub(crate) async fn snapshot(session: &mut Session) -> Result<(), sqlx::Error> {
    // Whoever takes a snapshot reads all there is: a server then needs more memory than for its tenants' small steps.
    const SERVER: &str = "SET work_mem = '64MB'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let sql = if session.is_server() { SERVER } else { "BEGIN" };
    script(session, sql.to_owned()).await
}

/// Writes the parameters of our own text, `?` and `?1`, as PostgreSQL wants them: `$1`.
pub(super) fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 8);
    let mut next = 0;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '?' {
            out.push(c);
            continue;
        }
        out.push('$');
        if chars.peek().is_some_and(char::is_ascii_digit) {
            continue;
        }
        next += 1;
        out.push_str(&next.to_string());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn parameters_are_numbered_as_they_come() {
        assert_eq!(numbered("a = ? AND b = ? OR c"), "a = $1 AND b = $2 OR c");
        assert_eq!(numbered("a = ?1 AND b = ?2 OR c = ?1"), "a = $1 AND b = $2 OR c = $1");
    }
}
