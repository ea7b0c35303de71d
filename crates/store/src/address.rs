//! Addresses of stores, as people write them after `--store`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use runtime::JournalError;
use sqlx::postgres::PgConnectOptions;

/// The schema of a store on PostgreSQL whose address names none.
const SCHEMA: &str = "reinstate_store";
/// Bytes of a name that PostgreSQL keeps.
const NAME_BYTES: usize = 63;

/// What may be in an address behind the `?`.
const PARAMETERS: [&str; 13] = [
    "schema",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Address {
    /// `sqlite:PATH` or `sqlite://PATH`: a file.
    Sqlite(PathBuf),
    /// `postgres://...` or `postgresql://...`: a schema of a database.
    Postgres(PostgresAddress),
}

/// A schema of a PostgreSQL database, and how to connect to it. Its password is never shown.
#[derive(Clone)]
pub struct PostgresAddress {
    options: Box<PgConnectOptions>,
    schema: String,
}

impl PostgresAddress {
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Reads `postgres://USER@HOST:PORT/DATABASE?schema=NAME`; other parameters are libpq's.
    fn parse(text: &str) -> Result<Self, JournalError> {
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        if !before.contains("://") {
            // All of it would be taken for the name of a database, which is shown.
            return Err(unsupported("a PostgreSQL address without `//`"));
        }
        // A password that holds a `/` would be taken for a part of the database's name, which is shown.
        if before
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .is_some_and(|(_, path)| path.contains('@'))
        {
            return Err(unsupported(
                "a PostgreSQL address with an `@` behind the host (write `/` and `@` of a password as %2F and %40)",
            ));
        }
        let pairs = || query.split('&').filter(|pair| !pair.is_empty());
        // What is not known is refused, not ignored: it may ask for more safety than there would be. And an `@` here would
        // make it unclear what is a password.
        if query.contains('@') || !pairs().all(|pair| PARAMETERS.contains(&key(pair))) {
            let what = format!("a PostgreSQL address with parameters other than {}", PARAMETERS.join(", "));
            return Err(JournalError::Unsupported(what));
        }
        let (schemas, rest): (Vec<&str>, Vec<&str>) = pairs().partition(|pair| key(pair) == "schema");
        let schema = match schemas[..] {
            [] => SCHEMA,
            [one] => one.strip_prefix("schema=").unwrap_or_default(),
            _ => return Err(unsupported("a PostgreSQL address with two schemas")),
        };
        let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = schema.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if !begins || !schema.bytes().all(plain) || schema.len() > NAME_BYTES || schema.starts_with("pg_") {
            return Err(unsupported("a PostgreSQL address whose schema is not a plain name (a-z, 0-9 and _)"));
        }
        let url = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
        // What is wrong with it may hold the password, and so is not repeated.
        let options = url.parse::<PgConnectOptions>().map_err(|_| unsupported("an unreadable PostgreSQL address"))?;
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("reinstate") };
        Ok(Self { options: Box::new(options), schema: schema.to_owned() })
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresAddress").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Returns an address as people may see it: without a password, which is in the authority or in a parameter.
///
/// The same command goes on with it if `PGPASSWORD` or `~/.pgpass` has the password. Of an address that is refused there may
/// be less left.
#[must_use]
pub fn without_password(address: &str) -> String {
    let Some((kind, rest)) = address.split_once(':').filter(|(kind, _)| *kind != "sqlite") else {
        return address.to_owned();
    };
    let Some(rest) = rest.strip_prefix("//") else { return format!("{kind}:") };
    // A password may hold anything, also what ends an authority: all up to the last `@` is taken for one.
    let (who, at) = rest.rsplit_once('@').map_or(("", rest), |(who, at)| (who, at));
    let user = who.split([':', '/', '?', '#']).next().unwrap_or_default();
    let (place, query) = at.split_once('?').unwrap_or((at, ""));
    let (host, database) = place.split_once('/').map_or((place, ""), |(host, _)| (host, &place[host.len()..]));
    // Without an `@`, what looks like a port may be one: of an address of which more was forgotten.
    let port = host.rsplit(']').next().and_then(|end| end.rsplit_once(':')).map_or("", |(_, port)| port);
    let host = if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { host.split(':').next().unwrap_or("") };
    let is_shown = |pair: &&str| PARAMETERS.contains(&key(pair)) && key(pair) != "password";
    let kept: Vec<&str> = query.split('&').filter(is_shown).collect();
    let between = if user.is_empty() { "" } else { "@" };
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{kind}://{user}{between}{host}{database}{query}")
}

/// The name of a parameter.
fn key(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

fn unsupported(what: &str) -> JournalError {
    JournalError::Unsupported(what.to_owned())
}

impl FromStr for Address {
    type Err = JournalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(JournalError::Unsupported(format!("`{text}` (no kind before a colon)")));
        };
        match kind {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.contains(":memory:") {
                    return Err(JournalError::Unsupported(format!("`{text}` (no path of a file)")));
                }
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            "postgres" | "postgresql" => PostgresAddress::parse(text).map(Self::Postgres),
            // The rest may hold a password.
            other => Err(JournalError::Unsupported(format!("an address of kind `{other}:`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn both_forms_of_a_path() {
        for (text, path) in [("sqlite:a/b.db", "a/b.db"), ("sqlite:///x.db", "/x.db"), ("sqlite:/x y?.db", "/x y?.db")]
        {
            assert!(matches!(text.parse().unwrap(), Address::Sqlite(found) if found.as_os_str() == path));
        }
    }

    #[test]
    fn others_are_refused_without_their_password() {
        let odd = [
            "schema=",
            "schema=a-b",
            "schema=A",
            "schema=1a",
            "schema=pg_x",
            "schema=a&schema=b",
            "schema=a%22b",
            "schema",
        ];
        let odd = odd.map(|query| format!("postgres://u:secret@h/db?{query}"));
        let others = [
            "runs.db",
            "sqlite:",
            "sqlite::memory:",
            "mysql://u:secret@h/db",
            "postgres://u:secret@h:x/db",
            "postgres:u:secret@h/db",
            "postgres://me:/secret@db/shop",
            "postgres://me:12/secret@db/shop?sslmode=require",
        ];
        for text in others.into_iter().chain(odd.iter().map(String::as_str)) {
            let refused = text.parse::<Address>().unwrap_err();
            assert_eq!(refused.code(), "journal-unsupported", "{text}");
            assert!(!format!("{refused} {refused:?}").contains("secret"));
        }
    }

    #[test]
    fn parameters_that_are_not_known_are_refused_and_neither_shown_nor_logged() {
        // The library would log their values, and go on without what they ask for.
        for query in
            ["sslpassword=secret", "Password=secret", "pass%77ord=secret", "channel_binding=secret", "user=a@secret"]
        {
            let address = format!("postgres://u@h/db?{query}");
            let refused = address.parse::<Address>().unwrap_err();
            assert_eq!(refused.code(), "journal-unsupported", "{query}");
            for shown in [refused.to_string(), format!("{refused:?}"), without_password(&address)] {
                assert!(!shown.contains("secret") || query.contains('@'), "{shown}");
            }
        }
    }

    #[test]
    fn a_schema_of_a_database() {
        let parsed = |text: &str| match text.parse().unwrap() {
            Address::Postgres(address) => address,
            Address::Sqlite(path) => panic!("{}", path.display()),
        };
        let plain = parsed("postgres://me:secret@db1:6432/runs?sslmode=require");
        assert_eq!((plain.schema(), plain.options().get_host()), (SCHEMA, "db1"));
        assert_eq!((plain.options().get_port(), plain.options().get_database()), (6432, Some("runs")));
        assert!(!format!("{plain:?}").contains("secret"));
        let named = parsed("postgresql://me@h/db?schema=blue_2&host=/run/pg&application_name=x");
        assert_eq!((named.schema(), named.options().get_application_name()), ("blue_2", Some("x")));
        assert!(named.options().get_socket().is_some());
    }

    #[test]
    fn a_password_is_not_shown() {
        for (address, shown) in [
            ("sqlite:/a@b:c.db", "sqlite:/a@b:c.db"),
            ("postgres://me:hunter2@db:5432/shop?schema=a", "postgres://me@db:5432/shop?schema=a"),
            ("postgres://me:hun/te@r2@db/shop?password=hunter2&host=/run/pg", "postgres://me@db/shop?host=/run/pg"),
            ("postgres://me:hun?ter2&x=y@db/shop", "postgres://me@db/shop"),
            ("postgres://me:hun#ter2@[::1]:5432/shop", "postgres://me@[::1]:5432/shop"),
            ("postgres://me:hunter2", "postgres://me"),
            ("postgres:me:hunter2@db/shop", "postgres:"),
            ("Postgres://me:hunter2@db/shop", "Postgres://me@db/shop"),
            ("mysql://me:hunter2@db/shop", "mysql://me@db/shop"),
            ("runs.db", "runs.db"),
            ("postgres://[::1]/shop", "postgres://[::1]/shop"),
            ("postgres://db?Password=hunter2&schema=a&port=1", "postgres://db?schema=a&port=1"),
            ("postgresql://db/shop", "postgresql://db/shop"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
