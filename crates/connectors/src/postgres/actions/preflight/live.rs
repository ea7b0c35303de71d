//! A live server: does it let us in, of which version is it, may its database be written, are connections left?

use std::path::{Path, PathBuf};

use runtime::Finding;
use serde_json::Value;
use sqlx::PgConnection;

use super::super::trouble::trouble;
use crate::answer::Trouble;
use crate::postgres::connect::connect;
use crate::postgres::restore::{RestoreError, failed};

/// Kind of the question about WAL that is read.
pub(super) const WAL: &str = "postgres.wal";
/// Oldest version whose catalogue is understood.
const OLDEST: i32 = 13;

/// One look for everything that one query can tell.
const LOOK: &str = "SELECT current_setting('server_version_num')::int4, \
      pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool, current_user::text, \
      coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false), \
      (SELECT sum(numbackends) FROM pg_stat_database)::int8, current_setting('max_connections')::int8, \
      current_setting('superuser_reserved_connections')::int8, \
      (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)::int8, \
      (SELECT datconnlimit FROM pg_database WHERE datname = current_database())::int8, \
      pg_database_size(current_database())::int8, has_database_privilege(current_database(), 'TEMP')";

type Look = (i32, bool, String, bool, i64, i64, i64, Option<i64>, Option<i64>, i64, bool);

/// What of the right to keep our ledger is missing, in words; NULL if nothing is.
const LEDGER: &str = "SELECT CASE \
      WHEN to_regnamespace('reinstate') IS NULL THEN \
        CASE WHEN NOT has_database_privilege(current_database(), 'CREATE') \
          THEN 'CREATE on the database, for the schema reinstate' END \
      WHEN NOT has_schema_privilege('reinstate', 'USAGE') THEN 'USAGE on the schema reinstate' \
      WHEN to_regclass('reinstate.ledger') IS NULL THEN \
        CASE WHEN NOT has_schema_privilege('reinstate', 'CREATE') THEN 'CREATE on the schema reinstate' END \
      WHEN NOT (has_table_privilege('reinstate.ledger', 'SELECT') \
        AND has_table_privilege('reinstate.ledger', 'INSERT') \
        AND has_table_privilege('reinstate.ledger', 'UPDATE')) THEN 'SELECT, INSERT and UPDATE on reinstate.ledger' END";

/// Answers whether the server can be used.
pub(super) async fn answer(subject: &str, question: &Value) -> Result<Vec<Finding>, Trouble> {
    let mut connection = open(question.get(super::LIVE)).await?;
    let look: Look = sqlx::query_as(LOOK)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| trouble(&failed("ask the server")(error)))?;
    let (version, closed, role, superuser, used, most, reserved, of_role, of_database, size, temporary) = look;
    let major = version / 10_000;
    if major < OLDEST {
        let fact = format!("the server is of version {major}");
        return Err(Trouble::never("postgres.version", fact)
            .hint(format!("versions from {OLDEST} on are understood: restore into a newer server")));
    }
    let mut found = Vec::new();
    let mut error = |code, fact: String, hint: &str| found.push(Finding::error(code, subject, fact, hint));
    let writes = question.get("writes").and_then(Value::as_bool) == Some(true);
    if writes && closed {
        let hint = "name the primary, not a replica, and a role and database that are not set to read only";
        error("postgres.read_only", "the server takes no writes here".to_owned(), hint);
    } else if writes {
        if let Some(missing) = missing(&mut connection).await? {
            let fact = format!("the role {role} lacks {missing}");
            error("postgres.rights", fact, "grant it, or connect as a superuser");
        }
        if !temporary {
            let fact = format!("the role {role} may make no temporary tables (TEMP on the database)");
            error("postgres.rights", fact, "GRANT TEMP ON DATABASE ... TO the role");
        }
    }
    // Our own connection is among the used ones, and will be free again.
    let everybodys = most - if superuser { 0 } else { reserved } - used + 1;
    let limits = [of_role, of_database].into_iter().flatten().filter(|limit| *limit >= 0 && !superuser);
    let left = limits.fold(everybodys, i64::min).max(0);
    let wanted = question.get("connections").and_then(Value::as_i64).unwrap_or(1);
    if left < wanted {
        let fact = format!("{left} connections are left of {most}; one attempt takes up to {wanted}");
        let hint = "free some, lower `connections` or the slots of the step's pool, or raise max_connections";
        found.push(Finding::warning("postgres.connections", subject, fact, hint));
    }
    if found.is_empty() {
        let may = if writes { "may be written" } else { "can be read" };
        let fact = format!(
            "version {major}, {may} as {role}; {left} of {most} connections left; holds {} MB (a server does not tell \
             what is free on its disk)",
            size / 1_000_000
        );
        found.push(Finding::good(super::LIVE, subject, fact));
    }
    Ok(found)
}

async fn missing(connection: &mut PgConnection) -> Result<Option<String>, Trouble> {
    let (missing,): (Option<String>,) = sqlx::query_as(LEDGER)
        .fetch_one(connection)
        .await
        .map_err(|error| trouble(&failed("ask for the rights of the role")(error)))?;
    Ok(missing)
}

/// Connects to what a member of a question names.
pub(super) async fn open(url: Option<&Value>) -> Result<PgConnection, Trouble> {
    let url = url.and_then(Value::as_str).unwrap_or_default();
    connect(url).await.map_err(|error| trouble(&RestoreError::from(error)))
}

/// Answers whether WAL can be read for `postgres/bystanders@1`.
pub(super) async fn wal(subject: &str, question: &Value) -> Result<Vec<Finding>, Trouble> {
    let folder = Path::new(subject);
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Trouble::never("postgres.waldump", format!("{}: {error}", folder.display()))
            .hint("give the folder of archived WAL, or the server's own pg_wal")
    })?;
    let segments = entries.flatten().filter(|entry| entry.file_name().len() == 24).count();
    let mut connection = open(question.get("url")).await?;
    let (version,): (i32,) = sqlx::query_as("SELECT current_setting('server_version_num')::int4 / 10000")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| trouble(&failed("ask for the server's version")(error)))?;
    let bin = question.get("bin").and_then(Value::as_str).map(PathBuf::from);
    let program = bin.unwrap_or_else(|| format!("/usr/lib/postgresql/{version}/bin").into()).join("pg_waldump");
    if !program.is_file() {
        return Err(Trouble::never("postgres.waldump", format!("{} is not there", program.display()))
            .hint("install the server's programs, or name their folder as `bin`"));
    }
    let fact = format!("{segments} segments there, and pg_waldump of version {version}");
    Ok(vec![Finding::good(WAL, subject, fact)])
}
