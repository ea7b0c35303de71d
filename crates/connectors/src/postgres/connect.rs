//! One connection to one server, and what may be said of it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

/// How long a server may take to answer the door.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a server that is away, or full, may take to be back: a restart after a crash replays up to a checkpoint's WAL.
const RESTART: Duration = Duration::from_secs(30);
/// Between two tries to connect to such a server.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no connection. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The text is no URL of PostgreSQL.
    #[error("{url} is not the URL of a PostgreSQL database: {why}")]
    Url {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server refused, or could not be reached.
    #[error("cannot connect to {url}: {why}")]
    Refused {
        /// The URL without its password.
        url: String,
        /// What the server or the network said.
        why: String,
        /// Whether that is what a server says, or does not say, while it restarts.
        restarts: bool,
    },
    /// The server, the database or the role has as many connections as it may.
    #[error("{url} takes no more connections: {why}")]
    Full {
        /// The URL without its password.
        url: String,
        /// What the server said.
        why: String,
    },
    /// Nothing answered in time.
    #[error("no answer from {url} within {} s", PATIENCE.as_secs())]
    Silent {
        /// The URL without its password.
        url: String,
    },
}

impl ConnectError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "postgres.url",
            Self::Refused { .. } => "postgres.refused",
            Self::Full { .. } => "postgres.full",
            Self::Silent { .. } => "postgres.silent",
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url { .. } => "write postgres://user@host:5432/database; the password may be in PGPASSWORD",
            Self::Refused { .. } => "try the same URL with psql; the password may be in PGPASSWORD or ~/.pgpass",
            Self::Full { .. } => {
                "let fewer steps work on this server at once: give them a pool, with `per:` its scope and a few slots"
            }
            Self::Silent { .. } => "look at host, port and firewall; try the same URL with psql",
        }
    }

    /// Whether it passes by itself, and soon as a rule: a server that restarts looks like this, or one that is full.
    pub(crate) fn may_pass_soon(&self) -> bool {
        matches!(self, Self::Refused { restarts: true, .. } | Self::Full { .. })
    }
}

/// Connects to a database.
///
/// The URL is libpq's: `postgres://user:password@host:port/database`, with `?host=/folder` for a socket. What it does
/// not say is taken from the environment (`PGUSER`, `PGPASSWORD`, ...).
///
/// # Errors
/// Names the server, never the password.
///
/// # Cancel safety
/// Dropping it leaves nothing behind.
pub async fn connect(url: &str) -> Result<PgConnection, ConnectError> {
    let shown = without_password(url);
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(ConnectError::Url { url: shown, why: "it does not begin with postgres://".into() });
    }
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| ConnectError::Url {
        url: shown.clone(),
        why: match error {
            sqlx::Error::Configuration(why) => why.to_string(),
            other => other.to_string(),
        },
    })?;
    // What is asked of a server that serves others is seen there under this name.
    let options = options.application_name("reinstate").disable_statement_logging();
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) if is_full(&error) => Err(ConnectError::Full { url: shown, why: said(&error) }),
        Ok(Err(error)) => Err(ConnectError::Refused { url: shown, why: said(&error), restarts: is_of_restart(&error) }),
        Err(_) => Err(ConnectError::Silent { url: shown }),
    }
}

/// As [`connect`], but waits for a server that restarts or is full, half a minute at most.
///
/// # Errors
/// As [`connect`].
///
/// # Cancel safety
/// Dropping it leaves nothing behind.
pub(crate) async fn connect_patiently(url: &str) -> Result<PgConnection, ConnectError> {
    let until = tokio::time::Instant::now() + RESTART;
    loop {
        match connect(url).await {
            Err(error) if error.may_pass_soon() && tokio::time::Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Whether the server, the database or the role has as many connections as it may: `too_many_connections`.
fn is_full(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("53300"))
}

/// Whether nobody listens, the line broke, or the server says that it ends (57P01, 57P02) or begins (57P03).
pub(crate) fn is_of_restart(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    match error {
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03")),
        sqlx::Error::Io(error) => {
            matches!(error.kind(), ConnectionRefused | ConnectionReset | BrokenPipe | NotFound | UnexpectedEof)
        }
        _ => false,
    }
}

/// Returns the words of the server, or of whatever else failed.
pub(crate) fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// Returns a URL with its password and its parameters taken out, for people to read.
///
/// What cannot be read as a URL is not shown at all: a password may be anywhere in it.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else { return "(unreadable URL)".to_owned() };
    let socket = parsed.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| host.into_owned());
    // Parameters may hold a password too.
    parsed.set_query(socket.map(|host| format!("host={host}")).as_deref());
    parsed.set_fragment(None);
    if parsed.password().is_some() && parsed.set_password(None).is_err() {
        return "(unreadable URL)".to_owned();
    }
    if parsed.cannot_be_a_base() {
        return "(unreadable URL)".to_owned();
    }
    parsed.to_string()
}

#[cfg(test)]
mod tests {
    use super::{connect, is_of_restart, without_password};

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://me:hunter2@db:5432/shop", "postgres://me@db:5432/shop"),
            ("postgres://me@db/shop?password=hunter2&host=/run/pg", "postgres://me@db/shop?host=/run/pg"),
            ("postgres://me:hunter2/@db/shop", "(unreadable URL)"),
            ("host=db password=hunter2", "(unreadable URL)"),
            ("pg:hunter2", "(unreadable URL)"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[tokio::test]
    async fn an_error_never_holds_the_password() {
        for url in ["postgres://me:hunter2@127.0.0.1:1/shop", "mysql://me:hunter2@h/d", "postgres://me:hunter2@h:x/d"] {
            let error = connect(url).await.map(|_| ()).expect_err("nothing listens there");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn only_what_a_restart_looks_like_is_waited_for() {
        use std::io::ErrorKind;
        let away = |kind: ErrorKind| is_of_restart(&sqlx::Error::Io(kind.into()));
        assert!([ErrorKind::ConnectionRefused, ErrorKind::NotFound, ErrorKind::UnexpectedEof].into_iter().all(away));
        assert!(![ErrorKind::PermissionDenied, ErrorKind::TimedOut].into_iter().any(away));
        assert!(!is_of_restart(&sqlx::Error::PoolClosed));
    }
}
