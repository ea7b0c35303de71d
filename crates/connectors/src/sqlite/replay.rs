//! Brings a scratch copy of the base to the end of a log.
//!
//! Only the last word on each row counts: every touched row is deleted, then those that are there at the end are
//! inserted. So a unique name that wandered between rows never stands in the way, and it is fast.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, SqliteConnection};

use super::file::{Place, database, open};
use super::input::{Recovered, Replayed};
use super::log::{Net, Touched};
use super::quote::{name, sql};
use super::schema::{self, Table, Tables};
use crate::answer::Trouble;

/// Values in one statement; SQLite allows 32,766.
const VALUES: usize = 8_000;

/// Applies the log, checks the result and records where it came from.
pub(super) async fn replay(scratch: &Path, net: &Net, recovered: &Recovered) -> Result<(), Trouble> {
    let place = Place::new(&scratch.to_string_lossy());
    let failed = |error: sqlx::Error| database(&place, &error);
    let options = SqliteConnectOptions::new().filename(scratch).foreign_keys(false).disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| open(&place, &error))?;
    // Nobody else knows the scratch file: if anything fails, it is thrown away whole.
    for text in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"] {
        sqlx::query(text).persistent(false).execute(&mut connection).await.map_err(failed)?;
    }
    let tables = schema::tables(&mut connection, "main").await.map_err(failed)?;
    let triggers = schema::triggers(&mut connection).await.map_err(failed)?;
    run(&mut connection, "BEGIN".to_owned()).await.map_err(failed)?;
    // What triggers wrote is in the log already.
    for trigger in &triggers {
        run(&mut connection, format!("DROP TRIGGER main.{}", name(&trigger.name))).await.map_err(failed)?;
    }
    for touched in &net.tables {
        apply(&mut connection, &place, &tables, touched).await?;
    }
    for trigger in &triggers {
        run(&mut connection, trigger.sql.clone()).await.map_err(failed)?;
    }
    record(&mut connection, recovered).await.map_err(failed)?;
    run(&mut connection, "COMMIT".to_owned()).await.map_err(failed)?;
    check(&mut connection, &place).await?;
    connection.close().await.map_err(failed)
}

async fn apply(
    connection: &mut SqliteConnection,
    place: &Place,
    tables: &Tables,
    (table, touched): (&String, &Touched),
) -> Result<(), Trouble> {
    let damaged = |why: String| Trouble::never("sqlite.log_damaged", format!("{place}: {why}"));
    let known = tables.get(&table.to_lowercase()).ok_or_else(|| {
        damaged(format!("the log writes to table {table}, which the base does not have"))
            .hint("take a base after the change of the schema")
    })?;
    let keys: Vec<&Vec<Value>> = touched.rows.values().map(|(key, _)| key).collect();
    let columns: Vec<String> = touched.key.iter().map(|column| name(column)).collect();
    for chunk in keys.chunks((VALUES / columns.len()).max(1)) {
        let text = if let [column] = columns.as_slice() {
            format!("DELETE FROM {} WHERE {column} IN ({})", name(table), vec!["?"; chunk.len()].join(", "))
        } else {
            let one = format!("({})", vec!["?"; columns.len()].join(", "));
            format!(
                "DELETE FROM {} WHERE ({}) IN (VALUES {})",
                name(table),
                columns.join(", "),
                vec![one; chunk.len()].join(", ")
            )
        };
        write(connection, place, text, chunk.iter().flat_map(|key| key.iter())).await?;
    }
    let rows: Vec<&Map<String, Value>> = touched.rows.values().filter_map(|(_, row)| row.as_ref()).collect();
    insert(connection, place, known, &rows).await
}

async fn insert(
    connection: &mut SqliteConnection,
    place: &Place,
    table: &Table,
    rows: &[&Map<String, Value>],
) -> Result<(), Trouble> {
    let columns: Vec<&str> = table.writable().map(|column| column.name.as_str()).collect();
    let generated: Vec<&str> =
        table.columns.iter().filter(|column| column.generated).map(|column| column.name.as_str()).collect();
    let quoted: Vec<String> = columns.iter().map(|column| name(column)).collect();
    let one = format!("({})", vec!["?"; columns.len()].join(", "));
    for chunk in rows.chunks((VALUES / columns.len().max(1)).max(1)) {
        let mut values = Vec::with_capacity(chunk.len() * columns.len());
        for row in chunk {
            let damaged = |why: &str, column: &str| {
                Trouble::never("sqlite.log_damaged", format!("{place}: a row of {} {why} column {column}", table.name))
            };
            for column in &columns {
                values.push(row.get(*column).ok_or_else(|| damaged("lacks", column))?);
            }
            if let Some(column) =
                row.keys().find(|name| !columns.contains(&name.as_str()) && !generated.contains(&name.as_str()))
            {
                return Err(damaged("has unknown", column));
            }
        }
        let text = format!(
            "INSERT INTO {} ({}) VALUES {}",
            name(&table.name),
            quoted.join(", "),
            vec![one.as_str(); chunk.len()].join(", ")
        );
        write(connection, place, text, values.into_iter()).await?;
    }
    Ok(())
}

async fn write<'v>(
    connection: &mut SqliteConnection,
    place: &Place,
    text: String,
    values: impl Iterator<Item = &'v Value>,
) -> Result<(), Trouble> {
    let text: Arc<str> = text.into();
    let mut query = sqlx::query(sql(&text));
    for value in values {
        query = bind(query, value).map_err(|why| Trouble::never("sqlite.log_damaged", format!("{place}: {why}")))?;
    }
    query.execute(connection).await.map_err(|error| database(place, &error))?;
    Ok(())
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    value: &Value,
) -> Result<Query<'q, Sqlite, SqliteArguments>, String> {
    Ok(match value {
        Value::Null => query.bind(None::<i64>),
        Value::Bool(value) => query.bind(i64::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => query.bind(integer),
            (None, Some(real)) if number.is_f64() => query.bind(real),
            _ => return Err(format!("{number} is no number of SQLite")),
        },
        Value::String(text) => query.bind(text.clone()),
        Value::Object(members) => match members.get("$blob") {
            Some(Value::String(hex)) if members.len() == 1 => query.bind(bytes(hex)?),
            _ => return Err("a value is neither plain nor a blob".to_owned()),
        },
        Value::Array(_) => return Err("a value is a list".to_owned()),
    })
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(|| "a blob is not hexadecimal".to_owned());
    if !hex.len().is_multiple_of(2) {
        return Err("a blob has half a byte".to_owned());
    }
    hex.as_bytes().chunks_exact(2).map(|pair| Ok((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

async fn record(connection: &mut SqliteConnection, recovered: &Recovered) -> Result<(), sqlx::Error> {
    run(connection, "CREATE TABLE main.reinstate_recovered (reached TEXT NOT NULL, base_at TEXT NOT NULL, transactions INTEGER NOT NULL, until TEXT)".to_owned()).await?;
    sqlx::query("INSERT INTO main.reinstate_recovered VALUES (?1, ?2, ?3, ?4)")
        .bind(&recovered.reached)
        .bind(&recovered.base_at)
        .bind(i64::try_from(recovered.transactions).unwrap_or(i64::MAX))
        .bind(&recovered.restore_point.until)
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads what a complete file says about itself.
pub(super) async fn recorded(path: &Path, store: &str) -> Result<Recovered, Trouble> {
    let place = Place::new(&path.to_string_lossy());
    let mut connection = super::read_only(&place).await?;
    let row = sqlx::query("SELECT * FROM main.reinstate_recovered").fetch_one(&mut connection).await;
    let read = |row: sqlx::sqlite::SqliteRow| -> Result<Recovered, sqlx::Error> {
        let log = Replayed {
            reached: row.try_get("reached")?,
            base_at: row.try_get("base_at")?,
            transactions: u64::try_from(row.try_get::<i64, _>("transactions")?).unwrap_or_default(),
            // Files of an earlier version do not say.
            until: row.try_get("until").unwrap_or_default(),
        };
        Ok(Recovered::new(path.to_string_lossy().into_owned(), store, log))
    };
    row.and_then(read).map_err(|error| {
        Trouble::never("sqlite.damaged", format!("{place} is there, but is no recovered file: {error}"))
            .hint("remove it, then try again")
    })
}

async fn check(connection: &mut SqliteConnection, place: &Place) -> Result<(), Trouble> {
    let failed = |error: sqlx::Error| database(place, &error);
    let damaged = |what: String| {
        Trouble::never("sqlite.damaged", format!("{place}: {what}"))
            .hint("the base or the log is not whole; take another backup")
    };
    let row = sqlx::query("PRAGMA main.quick_check(1)")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let said: String = row.try_get(0).map_err(failed)?;
    if said != "ok" {
        return Err(damaged(said));
    }
    let orphans = sqlx::query("SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1").persistent(false);
    let orphans = orphans.fetch_all(&mut *connection).await.map_err(failed)?;
    let mut counts = BTreeMap::new();
    for row in &orphans {
        counts.insert(row.try_get::<String, _>(0).map_err(failed)?, row.try_get::<i64, _>(1).map_err(failed)?);
    }
    if counts.is_empty() { Ok(()) } else { Err(damaged(format!("rows without their parent: {counts:?}"))) }
}

async fn run(connection: &mut SqliteConnection, text: String) -> Result<(), sqlx::Error> {
    let text: Arc<str> = text.into();
    sqlx::query(sql(&text)).persistent(false).execute(connection).await?;
    Ok(())
}
