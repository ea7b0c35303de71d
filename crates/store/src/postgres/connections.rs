//! A few connections that are used again, and how messages go over them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::JournalError;
use sqlx::PgConnection;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::connect::Door;
use super::sql::{self, Answer, STATEMENT};
use super::trouble::{Failure, Trouble};

/// Connections beside the writer's, at most.
const CONNECTIONS: usize = 4;
/// How long an answer may take: the server gives up first, unless it or the way to it is gone.
pub(super) const ANSWER: Duration = Duration::from_secs(STATEMENT.as_secs() + 10);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// After this time of rest a connection is tried before it is trusted with a change.
const FRESH: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    pub(super) door: Arc<Door>,
    places: Semaphore,
    resting: Mutex<Vec<(PgConnection, Instant)>>,
}

impl Connections {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { door, places: Semaphore::new(CONNECTIONS), resting: Mutex::default() }
    }

    pub(super) fn schema(&self) -> &str {
        &self.door.schema
    }

    /// Reads by one message; asks again on a new connection if one was lost.
    pub(super) async fn read(&self, message: String) -> Result<Vec<Answer>, JournalError> {
        let mut answers = self.tell("reading", sql::reading() + &message, true).await.map_err(Trouble::into_error)?;
        answers.drain(..answers.len().min(1));
        Ok(answers)
    }

    /// Changes by one message. `twice` says that it does no harm to do it once more if nobody knows whether it was done.
    pub(super) async fn change(&self, message: String, twice: bool) -> Result<Vec<Answer>, JournalError> {
        let mut answers =
            self.tell("writing to", sql::changing() + &message, twice).await.map_err(Trouble::into_error)?;
        answers.drain(..answers.len().min(sql::CHANGING));
        Ok(answers)
    }

    async fn tell(&self, doing: &'static str, message: String, twice: bool) -> Result<Vec<Answer>, Trouble> {
        let mut attempts = Attempts::new(&self.door);
        loop {
            let mut taken = self.take(attempts.until).await?;
            let failure = match taken.send(message.clone()).await {
                Ok(answers) => {
                    taken.give_back();
                    return Ok(answers);
                }
                Err(failure) => failure,
            };
            drop(taken);
            if !attempts.again(&failure, twice).await {
                return Err(Trouble::new(&self.door.place, doing, attempts.last(failure)));
            }
        }
    }

    /// Takes a connection that is surely idle; waits for one, and for the server, until `until`.
    pub(super) async fn take(&self, until: Instant) -> Result<Taken<'_>, Trouble> {
        let silent = || Trouble::new(&self.door.place, "waiting for a connection to", Failure::Silent);
        let place = tokio::time::timeout_at(until + ANSWER, self.places.acquire()).await.map_err(|_| silent())?;
        // The semaphore is never closed.
        let place = place.map_err(|_| silent())?;
        loop {
            let rested = self.resting().pop();
            let Some((mut connection, since)) = rested else { break };
            let fresh = since.elapsed() < FRESH
                || matches!(
                    tokio::time::timeout(FRESH, sql::send(&mut connection, "SELECT 1".to_owned())).await,
                    Ok(Ok(_))
                );
            if fresh {
                return Ok(Taken { connection, of: self, _place: place });
            }
        }
        let connection = self.door.enter(until).await?;
        Ok(Taken { connection, of: self, _place: place })
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<(PgConnection, Instant)>> {
        // Nothing panics while it is locked.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye to the server on all connections that rest.
    pub(super) async fn close(&self) {
        let resting = std::mem::take(&mut *self.resting());
        for (connection, _) in resting {
            close(connection).await;
        }
    }
}

/// A connection in use. One that is not given back is closed, with whatever was open on it: also when a future is dropped.
pub(super) struct Taken<'a> {
    connection: PgConnection,
    of: &'a Connections,
    _place: tokio::sync::SemaphorePermit<'a>,
}

impl Taken<'_> {
    pub(super) async fn send(&mut self, message: String) -> Result<Vec<Answer>, Failure> {
        send(&mut self.connection, message).await
    }

    /// Gives it back; nothing may be open on it.
    pub(super) fn give_back(self) {
        self.of.resting().push((self.connection, Instant::now()));
    }
}

/// Sends a message and waits for its answers, but not for ever.
pub(super) async fn send(connection: &mut PgConnection, message: String) -> Result<Vec<Answer>, Failure> {
    match tokio::time::timeout(ANSWER, sql::send(connection, message)).await {
        Ok(answers) => Ok(answers?),
        Err(_) => Err(Failure::Silent),
    }
}

/// Closes a connection; what could go wrong then can no longer hurt what is durable.
pub(super) async fn close(connection: PgConnection) {
    use sqlx::Connection as _;
    match tokio::time::timeout(GOODBYE, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "closing a connection to the store"),
        Err(_) => tracing::debug!("the store's server did not take note of the end of a connection"),
    }
}
