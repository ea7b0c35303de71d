//! Reading and writing rows of a known schema.

use futures::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::session::{Session, numbered};
use super::typed;
use crate::schema::{FILLED, SHARD, Schema, Table};
use crate::value::{Row, Value, arguments, decode};

/// Runs one statement; gives the rows it changed. `sql` is our own text, values are bound.
///
/// On a server a value must have the type of what it is compared with or put into: a whole number or a text.
pub(crate) async fn execute(session: &mut Session, sql: &str, values: &[Value]) -> Result<u64, sqlx::Error> {
    match session {
        Session::Sqlite(conn) => {
            let args = arguments(values)?;
            let done = sqlx::query_with(AssertSqlSafe(sql.to_owned()), args).execute(conn).await?;
            Ok(done.rows_affected())
        }
        Session::Postgres(conn) => {
            let args = typed::plain(values)?;
            let done = sqlx::query_with(AssertSqlSafe(numbered(sql)), args).execute(conn).await?;
            Ok(done.rows_affected())
        }
    }
}

/// Gives every row of one query to `take`, in their order.
pub(crate) async fn each(
    session: &mut Session,
    sql: &str,
    values: &[Value],
    mut take: impl FnMut(Row),
) -> Result<(), sqlx::Error> {
    match session {
        Session::Sqlite(conn) => {
            let args = arguments(values)?;
            let mut stream = sqlx::query_with(AssertSqlSafe(sql.to_owned()), args).fetch(conn);
            while let Some(row) = stream.try_next().await? {
                take(decode(&row)?);
            }
        }
        Session::Postgres(conn) => {
            let args = typed::plain(values)?;
            let mut stream = sqlx::query_with(AssertSqlSafe(numbered(sql)), args).fetch(conn);
            while let Some(row) = stream.try_next().await? {
                take(typed::decode(&row)?);
            }
        }
    }
    Ok(())
}

/// All rows of one query.
pub(crate) async fn rows(session: &mut Session, sql: &str, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
    let mut out = Vec::new();
    each(session, sql, values, |row| out.push(row)).await?;
    Ok(out)
}

/// The first row of one query, if any.
pub(crate) async fn row(session: &mut Session, sql: &str, values: &[Value]) -> Result<Option<Row>, sqlx::Error> {
    Ok(rows(session, sql, values).await?.into_iter().next())
}

/// The integer that a query such as `SELECT count(*)` gives; 0 if none.
pub(crate) async fn number(session: &mut Session, sql: &str, values: &[Value]) -> Result<i64, sqlx::Error> {
    let first = row(session, sql, values).await?;
    Ok(first.and_then(|r| r.first().and_then(Value::as_int)).unwrap_or(0))
}

/// Inserts rows, in the fastest way that the kind of store has.
pub(crate) async fn insert(session: &mut Session, table: &Table, rows: &[Row]) -> Result<(), sqlx::Error> {
    let conn = match session {
        Session::Sqlite(conn) => conn,
        Session::Postgres(conn) => return copy(conn, table, rows).await,
    };
    let mut rest = rows;
    // Statements of few different sizes all stay prepared.
    while !rest.is_empty() {
        let size = [256, 32, 4, 1].into_iter().find(|n| *n <= rest.len()).unwrap_or(1);
        let (now, later) = rest.split_at(size);
        let tuple = format!("({})", vec!["?"; table.columns.len()].join(","));
        let sql =
            format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names().join(", "), vec![tuple; size].join(","));
        sqlx::query_with(AssertSqlSafe(sql), arguments(now.iter().flatten())?).execute(&mut *conn).await?;
        rest = later;
    }
    Ok(())
}

/// Copies rows in, many at a time.
async fn copy(conn: &mut PgConnection, table: &Table, rows: &[Row]) -> Result<(), sqlx::Error> {
    let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.names().join(", "));
    let mut copying = conn.copy_in_raw(&sql).await?;
    for some in rows.chunks(2_000) {
        copying.send(typed::copy_text(some).as_bytes()).await?;
    }
    copying.finish().await.map(drop)
}

/// Inserts a row behind the table's next free ID, its first column; gives the whole row.
pub(crate) async fn insert_next(
    session: &mut Session,
    table: &Table,
    columns: Vec<Value>,
) -> Result<Option<Row>, sqlx::Error> {
    let names = &table.names()[1..];
    let (into, marks) = (names.join(", "), marks(session, table, 1));
    let sql = format!("INSERT INTO {} ({into}) VALUES ({marks}) RETURNING id", table.name);
    let id = match session {
        Session::Sqlite(_) => row(session, &sql, &columns).await?,
        Session::Postgres(conn) => {
            let args = typed::arguments(&table.kinds()[1..], &columns)?;
            let row = sqlx::query_with(AssertSqlSafe(numbered(&sql)), args).fetch_optional(conn).await?;
            row.map(|row| typed::decode(&row)).transpose()?
        }
    };
    Ok(id.map(|id| id.into_iter().chain(columns).collect()))
}

/// Inserts the row, or replaces the columns of the row with its key.
pub(crate) async fn put(session: &mut Session, table: &Table, row: &Row) -> Result<(), sqlx::Error> {
    let names = table.names();
    let sets: Vec<String> = names[table.key..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let action = if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
    // An identity column that is always generated takes a given value only if told so.
    let overriding = if session.is_server() { "OVERRIDING SYSTEM VALUE " } else { "" };
    let sql = format!(
        "INSERT INTO {} ({}) {overriding}VALUES ({}) ON CONFLICT ({}) DO {action}",
        table.name,
        names.join(", "),
        marks(session, table, 0),
        names[..table.key].join(", "),
    );
    match session {
        Session::Sqlite(_) => execute(session, &sql, row).await.map(drop),
        Session::Postgres(conn) => {
            let args = typed::arguments(&table.kinds(), row)?;
            sqlx::query_with(AssertSqlSafe(numbered(&sql)), args).execute(conn).await.map(drop)
        }
    }
}

/// A mark for every column from `first` on, cast where the server's type is no type of ours.
fn marks(session: &Session, table: &Table, first: usize) -> String {
    let kinds = table.kinds();
    let marks: Vec<&str> =
        kinds[first..].iter().map(|kind| if session.is_server() { kind.mark() } else { "?" }).collect();
    marks.join(", ")
}

/// Deletes the site's rows of all tables, children first; gives each deleted key with its table.
pub(crate) async fn delete_site(
    session: &mut Session,
    schema: &Schema,
    site: &str,
) -> Result<Vec<(usize, Row)>, sqlx::Error> {
    let mut out = Vec::new();
    if session.is_server() && schema.name == SHARD.name {
        // What the server filled by itself is in nobody's log.
        for filled in FILLED.iter().rev() {
            let sql = format!("DELETE FROM {} WHERE {}", filled.name, filled.belongs);
            execute(session, &sql, &[Value::from(site)]).await?;
        }
    }
    for (i, table) in schema.tables.iter().enumerate().rev() {
        let Some(condition) = schema.belongs(i) else {
            continue;
        };
        let keys = table.names()[..table.key].join(", ");
        let sql = format!("DELETE FROM {} WHERE {condition} RETURNING {keys}", table.name);
        let deleted = rows(session, &sql, &[Value::from(site)]).await?;
        out.extend(deleted.into_iter().map(|key| (i, key)));
    }
    Ok(out)
}
