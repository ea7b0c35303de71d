//! Waiting until a server stands at its point, and the proof that it does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::log;
use super::place::stamp;
use super::server::Server;
use super::state::Stand;
use crate::answer::Trouble;
use crate::postgres::connect::{ConnectError, connect, said};

/// Looks between which a server's state may change: soon at first, then seldom.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];
/// Refusals of a server that says it is open, until they are taken for an answer.
const REFUSALS: u32 = 20;

/// Bytes of WAL that a start may replay again, about two seconds' worth, before a restartpoint is worth its writes.
const REPLAYED_AGAIN: i64 = 256 << 20;

/// What a server that runs looks like at a moment.
pub(super) struct Look {
    pub(super) in_recovery: bool,
    pub(super) is_paused: bool,
    pub(super) lsn: Option<String>,
    pub(super) last_commit_at: Option<DateTime<Utc>>,
    /// How many prepared transactions it has room for: no server replays WAL of one that has more.
    pub(super) most_prepared: i32,
}

/// What became of a start.
pub(super) enum Seen {
    /// It stands at its point.
    Stands(Stand),
    /// A setting of the live server was raised since: it needs another start.
    TooSmall,
    /// It is no standby any more: somebody made a server of it that writes.
    Promoted,
    /// It ended; its log says why.
    Ended,
}

/// Waits until the server stands at its point: it answers queries long before that, at an earlier, moving point.
///
/// # Errors
/// `postgres.refused` and the like if the server is open, but not for us.
///
/// # Cancel safety
/// Dropping it leaves the server on its way.
pub(super) async fn until_stands(server: &Server, url: &str) -> Result<Seen, Trouble> {
    let mut connection = None;
    let (mut pause, mut refusals) = (PAUSES[0], 0);
    loop {
        if !server.is_alive() {
            return Ok(if log::is_too_small(&server.log()) { Seen::TooSmall } else { Seen::Ended });
        }
        if connection.is_none() && server.is_open() {
            match connect(url).await {
                Ok(open) => connection = Some(open),
                // It may say that it is open for a while after it has crashed and begun anew.
                Err(error) if error.to_string().contains("the database system is") => {}
                Err(error) => {
                    refusals += 1;
                    if refusals >= REFUSALS || is_final(&error) {
                        return Err(told(&error));
                    }
                }
            }
        }
        if let Some(open) = &mut connection {
            match look(open).await {
                Ok(seen) if !seen.in_recovery => return Ok(Seen::Promoted),
                Ok(seen) if seen.is_paused => {
                    // Paused is more than asked to pause; all the same the position is looked at twice.
                    let again = look(open).await.ok();
                    if let Some(stand) =
                        again.filter(|again| again.lsn == seen.lsn).and_then(|again| prove(server, again))
                    {
                        return Ok(Seen::Stands(stand));
                    }
                    if log::is_too_small(&server.log()) {
                        return Ok(Seen::TooSmall);
                    }
                }
                Ok(_) => {}
                Err(_) => connection = None,
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES[1]);
    }
}

/// Lets a server write what it has replayed, if the next start would otherwise replay much of it again. Only a gain of
/// time, so that a server which does not let us is left alone.
pub(super) async fn shorten(url: &str) {
    let Ok(mut connection) = connect(url).await else { return };
    let query = "SELECT pg_last_wal_replay_lsn() - redo_lsn > $1 FROM pg_control_checkpoint()";
    let is_long = sqlx::query_scalar::<_, bool>(query).bind(REPLAYED_AGAIN).fetch_one(&mut connection).await;
    if is_long.unwrap_or(false)
        && let Err(error) = sqlx::query("CHECKPOINT").execute(&mut connection).await
    {
        tracing::debug!(error = said(&error), "no restartpoint");
    }
}

/// Looks at a server.
pub(super) async fn look(connection: &mut PgConnection) -> Result<Look, sqlx::Error> {
    let query = "SELECT pg_is_in_recovery(), \
        CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END, \
        pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(), \
        current_setting('max_prepared_transactions')::int4";
    let row = sqlx::query(query).fetch_one(connection).await?;
    Ok(Look {
        in_recovery: row.try_get(0)?,
        is_paused: row.try_get(1)?,
        lsn: row.try_get(2)?,
        last_commit_at: row.try_get(3)?,
        most_prepared: row.try_get(4)?,
    })
}

/// Makes the evidence of a pause, if it is one at the target and not for another reason.
fn prove(server: &Server, look: Look) -> Option<Stand> {
    Some(Stand {
        pid: server.postmaster()?,
        replay_lsn: look.lsn?,
        last_commit_at: look.last_commit_at.map(stamp),
        stopped_by: log::stopped_by(&server.log())?,
        prepared: (look.most_prepared == 0).then(Vec::new),
        prepared_unknown: None,
    })
}

/// Whether waiting cannot help.
fn is_final(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Url { .. }) || error.to_string().contains("does not exist")
}

fn told(error: &ConnectError) -> Trouble {
    let trouble = Trouble::retry(error.code(), error.to_string());
    match error.to_string().contains("does not exist") {
        true => trouble.hint("name a role and a database that the backup holds as `role` and `database`"),
        false => trouble.hint(error.hint()),
    }
}
