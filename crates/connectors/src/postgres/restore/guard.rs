//! Listening to the live database while it is written to: how long a small transaction takes, how far replicas lag.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::error::{RestoreError, failed};
use super::pace::Pace;
use super::session::run;
use super::work::Guard;
use crate::postgres::connect::connect;

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(25);
/// How many answers are judged together.
const WINDOW: usize = 20;

const PULSE: &str = "CREATE TABLE IF NOT EXISTS reinstate.pulse (one bool PRIMARY KEY DEFAULT true CHECK (one), at timestamptz NOT NULL)";
const BEAT: &str =
    "INSERT INTO reinstate.pulse (at) VALUES (clock_timestamp()) ON CONFLICT (one) DO UPDATE SET at = excluded.at";
const LAG: &str =
    "SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::int8 FROM pg_stat_replication";

/// What was heard over a whole restore.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Small transactions that were timed.
    pub beats: u64,
    /// The slowest of the fastest 99 %, in milliseconds.
    pub p99_ms: f64,
    /// Windows in which a limit was passed, so that the restore was slowed down.
    pub breaches: u64,
}

/// Makes what is listened to, before anything is restored: a guard that cannot listen guards nothing.
pub(crate) async fn open(url: &str) -> Result<PgConnection, RestoreError> {
    let mut connection = connect(url).await?;
    run(&mut connection, PULSE, "make a table for the pulse").await?;
    Ok(connection)
}

/// Listens until cancelled and sets the pace; gives what it heard.
///
/// While nothing can be heard the restore is slowed down as by a breach: rows may be committed already, so that to end
/// with an error would hide them.
pub(crate) async fn listen(
    mut connection: PgConnection,
    url: &str,
    guard: Guard,
    pace: &Pace,
    stop: &tokio_util::sync::CancellationToken,
) -> Heard {
    let mut all = Vec::new();
    let mut heard = Heard::default();
    let mut window: Vec<Duration> = Vec::with_capacity(WINDOW);
    let mut since = Instant::now();
    let mut next = tokio::time::interval(EVERY);
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = next.tick() => {}
        }
        let Ok(latency) = beat(&mut connection).await else {
            heard.breaches += 1;
            pace.heard(Duration::MAX, Duration::ZERO, EVERY);
            if let Ok(again) = connect(url).await {
                connection = again;
            }
            continue;
        };
        window.push(latency);
        all.push(latency);
        if window.len() < WINDOW {
            continue;
        }
        // One in twenty may be slow by chance; two are the restore's doing.
        window.sort_unstable();
        let slow = window[WINDOW - 2];
        let behind = match guard.lag_bytes {
            // What cannot be told is taken for too much.
            Some(limit) => lag(&mut connection).await.map_or(true, |behind| behind > limit),
            None => false,
        };
        let limit = guard.latency.unwrap_or(Duration::MAX);
        let worst = if behind { Duration::MAX } else { slow };
        heard.breaches += u64::from(behind || slow > limit);
        pace.heard(worst, if behind { Duration::ZERO } else { limit }, since.elapsed());
        since = Instant::now();
        window.clear();
    }
    all.sort_unstable();
    heard.beats = all.len() as u64;
    heard.p99_ms =
        all.get(all.len().saturating_sub(1) * 99 / 100).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0);
    heard
}

async fn beat(connection: &mut PgConnection) -> Result<Duration, RestoreError> {
    let begun = Instant::now();
    sqlx::query(BEAT).execute(connection).await.map_err(failed("feel the pulse of the live database"))?;
    Ok(begun.elapsed())
}

async fn lag(connection: &mut PgConnection) -> Result<u64, RestoreError> {
    let (bytes,): (i64,) =
        sqlx::query_as(LAG).fetch_one(connection).await.map_err(failed("ask how far replicas lag"))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
