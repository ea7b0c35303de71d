//! Opening connections, and what is found there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};
use tokio::time::Instant;

use super::attempts::PAUSE;
use super::format::{self, Found};
use super::sql;
use super::trouble::{Cause, Failure, Trouble};

/// How long one try to connect may take.
const DOOR: Duration = Duration::from_secs(5);

/// Where the store is and how to get there.
pub(super) struct Door {
    options: PgConnectOptions,
    /// Name of the schema, in quotes.
    pub(super) schema: String,
    /// The store in words, without a password.
    pub(super) place: Arc<str>,
    changes: AtomicBool,
}

impl Door {
    pub(super) fn new(options: &PgConnectOptions, schema: &str) -> Self {
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let place = format!("schema {schema} of database {database} at {host}");
        // What a pooler does not know how to pass on is not asked for.
        let options = options.clone().extra_float_digits(None).statement_cache_capacity(0);
        Self {
            options: options.disable_statement_logging(),
            schema: format!("\"{schema}\""),
            place: place.into(),
            changes: AtomicBool::new(false),
        }
    }

    /// Whether a server that takes changes was ever found here: then one that does not is waited for.
    pub(super) fn takes_changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// Connects and looks at what is there; waits for a server that is away until `until`.
    pub(super) async fn look(&self, until: Instant) -> Result<(PgConnection, Found, Mood), Trouble> {
        loop {
            let failure = match self.knock().await {
                Ok(opened) => return Ok(opened),
                Err(failure) => failure,
            };
            if !failure.is_closed_door() || Instant::now() + PAUSE >= until {
                return Err(Trouble::new(&self.place, "connecting to", failure));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Connects to what is a store of this format.
    pub(super) async fn enter(&self, until: Instant) -> Result<PgConnection, Trouble> {
        let (connection, found, _) = self.look(until).await?;
        self.admit(&found)?;
        Ok(connection)
    }

    pub(super) fn admit(&self, found: &Found) -> Result<(), Trouble> {
        let cause = match found {
            Found::Store(_) => return Ok(()),
            Found::Missing => Cause::Foreign("no longer there".to_owned()),
            Found::Empty => Cause::Foreign("an empty schema".to_owned()),
            Found::Newer(format) => Cause::Newer(*format),
            Found::Foreign(what) => Cause::Foreign(what.clone()),
        };
        Err(Trouble::of(&self.place, "opening", cause))
    }

    async fn knock(&self) -> Result<(PgConnection, Found, Mood), Failure> {
        let opened = async {
            let mut connection = self.options.connect().await?;
            let mood = Mood::of(&mut connection).await?;
            self.changes.fetch_or(!mood.read_only, Ordering::Relaxed);
            let found = format::inspect(&mut connection, &self.schema).await?;
            Ok((connection, found, mood))
        };
        tokio::time::timeout(DOOR, opened).await.unwrap_or(Err(Failure::Silent))
    }

    /// Makes the store, or brings it forward, as this role may; another process may do so at the same time.
    pub(super) async fn open(&self, until: Instant) -> Result<Mood, Trouble> {
        loop {
            let (mut connection, found, mood) = self.look(until).await?;
            mood.warn();
            match &found {
                Found::Store(format::POSTGRES_FORMAT) => return Ok(mood),
                Found::Store(_) if mood.read_only => return Ok(mood),
                Found::Missing | Found::Empty if mood.read_only => {
                    return Err(Trouble::of(&self.place, "opening", Cause::Nothing));
                }
                Found::Missing | Found::Empty | Found::Store(_) => {}
                other => return self.admit(other).map(|()| mood),
            }
            let made = sql::send(&mut connection, format::make(&self.schema, &found)).await.map_err(Failure::Sql);
            match made {
                Ok(_) => return Ok(mood),
                Err(failure) if failure.is_race_of_makers() && Instant::now() < until => {}
                Err(failure) => return Err(Trouble::new(&self.place, "making a store of", failure)),
            }
        }
    }
}

/// How a server treats what it is told.
pub(super) struct Mood {
    /// A standby, or a session that may only read.
    pub(super) read_only: bool,
    syncs: String,
}

impl Mood {
    async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let asked = "SELECT coalesce(current_setting('fsync', true), 'on') AS syncs, \
                     pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only";
        let answers = sql::send(connection, asked.to_owned()).await?;
        let row = answers.first().and_then(|answer| answer.rows.first()).ok_or(sqlx::Error::RowNotFound)?;
        Ok(Self { read_only: row.try_get("read_only")?, syncs: row.try_get("syncs")? })
    }

    /// A commit that is acknowledged before it is on the disk breaks the port's first promise. That the server waits for its
    /// commits is said with each change; that it never syncs cannot be told from a disk that does so by itself.
    fn warn(&self) {
        if self.syncs == "off" {
            tracing::warn!("fsync is off at the store's server: a power loss there loses what was acknowledged");
        }
    }
}
