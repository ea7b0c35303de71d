//! Tenants in use: small transactions at a fixed rate, each timed from when it was due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::PgConnection;

use super::shop::{open, sql};
use crate::failure::Failure;

/// Transactions a second of one connection.
const EACH: u32 = 25;

/// What users felt.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Felt {
    pub(crate) transactions: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// A row of somebody in use, to write around.
#[derive(Clone, Debug)]
struct Place {
    tenant: String,
    issue: i64,
    author: i64,
}

/// Live traffic, on a thread of its own so that the restore's client does not hold it up. It ends when dropped.
#[derive(Debug)]
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    times: Arc<Mutex<Vec<Duration>>>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl Traffic {
    /// Starts so many transactions a second against a database from which tenants were deleted.
    pub(super) async fn start(url: &str, rate: u32) -> Result<Self, Failure> {
        let places = places(url).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let times = Arc::new(Mutex::new(Vec::new()));
        let (url, ended, kept) = (url.to_owned(), Arc::clone(&stop), Arc::clone(&times));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(super::cluster::files)?;
            let connections = rate.div_ceil(EACH).max(1);
            let every = Duration::from_secs_f64(f64::from(connections) / f64::from(rate.max(1)));
            let lanes = (0..connections).map(|lane| {
                let first = every * lane / connections;
                write(&url, &places, (lane, first, every), &ended, &kept)
            });
            runtime.block_on(futures::future::try_join_all(lanes)).map(drop)
        });
        Ok(Self { stop, times, thread: Some(thread) })
    }

    /// Lets time pass.
    pub(super) async fn wait(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Returns what was felt since the last call.
    pub(super) fn felt(&self) -> Felt {
        let mut times = self.times.lock().map(|mut times| std::mem::take(&mut *times)).unwrap_or_default();
        times.sort_unstable();
        felt(&times)
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        // A panic is of our making: it goes on here.
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn felt(sorted: &[Duration]) -> Felt {
    let at = |percent: usize| {
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    Felt { transactions: sorted.len(), p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), max_ms: at(100) }
}

async fn places(url: &str) -> Result<Vec<Place>, Failure> {
    let text = "SELECT tenant_id::text AS tenant, id AS issue, reporter_id AS author FROM issues \
                ORDER BY hashint8(id) LIMIT 2000";
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as(text).fetch_all(&mut open(url).await?).await.map_err(sql("look for tenants in use"))?;
    let places: Vec<Place> = rows.into_iter().map(|(tenant, issue, author)| Place { tenant, issue, author }).collect();
    if places.is_empty() {
        return Err(Failure::input("bench-sites", "no tenant is left to be in use", "give more --sites"));
    }
    Ok(places)
}

async fn write(
    url: &str,
    places: &[Place],
    (lane, first, every): (u32, Duration, Duration),
    ended: &AtomicBool,
    times: &Mutex<Vec<Duration>>,
) -> Result<(), Failure> {
    let mut connection = open(url).await?;
    let mut due = Instant::now() + first;
    // Another start and a stride without a common factor with 2000: each connection goes its own way around.
    let mut at = lane as usize * 997;
    while !ended.load(Ordering::Relaxed) {
        tokio::time::sleep_until(due.into()).await;
        transaction(&mut connection, &places[at % places.len()]).await.map_err(sql("write as a tenant in use"))?;
        if let Ok(mut times) = times.lock() {
            times.push(due.elapsed());
        }
        at += 7;
        due += every;
    }
    Ok(())
}

/// Somebody comments on an issue.
async fn transaction(connection: &mut PgConnection, place: &Place) -> Result<(), sqlx::Error> {
    const COMMENT: &str = "INSERT INTO comments (tenant_id, issue_id, author_id, body, created_at) \
                           VALUES ($1::text::uuid, $2, $3, 'Something new about it.', now())";
    const ISSUE: &str = "UPDATE issues SET summary = 'Something else about ' || id WHERE id = $1";
    const AUDIT: &str = "INSERT INTO audit (tenant_id, actor_id, at, what, detail) \
                         VALUES ($1::text::uuid, $2, now(), 'commented', '{\"field\": \"comments\"}')";
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
    let comment = sqlx::query(COMMENT).bind(&place.tenant).bind(place.issue).bind(place.author);
    comment.execute(&mut *connection).await?;
    sqlx::query(ISSUE).bind(place.issue).execute(&mut *connection).await?;
    sqlx::query(AUDIT).bind(&place.tenant).bind(place.author).execute(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::felt;
    use std::time::Duration;

    #[test]
    fn percentiles_are_of_the_times_that_were_taken() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let it = felt(&times);
        assert_eq!((it.transactions, it.p50_ms, it.p95_ms, it.p99_ms, it.max_ms), (200, 100.0, 190.0, 198.0, 200.0));
        assert_eq!(felt(&[]).p99_ms, 0.0);
        assert_eq!(felt(&times[..1]).p99_ms, 1.0);
    }
}
