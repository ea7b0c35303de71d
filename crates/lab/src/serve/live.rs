//! Other tenants at work on files while sites come back: small transactions on the shards, all of them logged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::latency::Latency;
use crate::clock::{MINUTE, Millis, WINDOW_START};
use crate::layout::{Layout, Passport, Stage};
use crate::life;
use crate::log::{Entry, Kind, LogFile, encode, record, tail};
use crate::population::Site;
use crate::random::Random;
use crate::schema::SHARD;
use crate::sql::{self, Mode, Session, StoreError};

/// How far a transaction moves the lab's clock.
const STEP: Millis = 250;

/// One shard as its live writer holds it.
#[derive(Debug)]
pub(super) struct Writer {
    path: std::path::PathBuf,
    conn: Session,
    log: LogFile,
    sites: Arc<Vec<Site>>,
    members: Vec<usize>,
    random: Random,
    seq: i64,
    at: Millis,
    /// The clock does not pass this: an undamaged lab waits for its deletions.
    limit: Millis,
}

impl Writer {
    /// Opens a shard and brings its log file up to the store.
    pub(super) async fn open(
        layout: &Layout,
        passport: &Passport,
        index: usize,
        sites: &Arc<Vec<Site>>,
    ) -> Result<Self, StoreError> {
        let name = crate::layout::shard_name(index);
        let path = layout.store(&name);
        let mut conn = sql::open(&path, Mode::Live).await?;
        let mut log = LogFile::open(&layout.log(&name))?;
        log.catch_up(&mut conn).await?;
        let (seq, at) = tail(&mut conn).await.map_err(StoreError::sql(&path))?;
        let members = sites
            .iter()
            .enumerate()
            .filter(|(_, s)| s.shard == index && !passport.deleted.contains_key(&s.id))
            .map(|(i, _)| i)
            .collect();
        Ok(Self {
            path,
            conn,
            log,
            sites: Arc::clone(sites),
            members,
            random: Random::new(passport.seed, &format!("live {name} {seq}")),
            seq,
            at,
            limit: if passport.stage == Stage::Damaged { Millis::MAX } else { WINDOW_START },
        })
    }

    /// Lets one tenant do one thing; store first, then the log file.
    async fn step(&mut self) -> Result<(), StoreError> {
        if self.members.is_empty() {
            return Ok(());
        }
        let at = (self.at + STEP).min(self.limit).max(self.at);
        let entries = match self.transaction(at).await {
            Ok(entries) => entries,
            Err(error) => {
                // Nothing may be half done when the next step begins.
                let _ = sql::script(&mut self.conn, "ROLLBACK".to_owned()).await;
                return Err(StoreError::sql(&self.path)(error));
            }
        };
        if let Some(last) = entries.last() {
            (self.seq, self.at) = (last.seq, last.at);
            let lines: String = entries.iter().map(Entry::line).collect();
            self.log.append(&lines, last.seq)?;
        }
        Ok(())
    }

    async fn transaction(&mut self, at: Millis) -> Result<Vec<Entry>, sqlx::Error> {
        let site = &self.sites[self.members[self.random.index(self.members.len())]];
        let mut entries = Vec::new();
        sql::begin(&mut self.conn).await?;
        let changes = life::on_shard(&mut self.conn, &SHARD, site, &mut self.random, at).await?;
        if at / MINUTE > self.at / MINUTE {
            let at = at - at % MINUTE;
            entries.push(Entry { seq: self.seq + 1, at, site: None, kind: Kind::Heartbeat, changes: "[]".to_owned() });
        }
        if !changes.is_empty() {
            let seq = self.seq + 1 + entries.len() as i64;
            let changes = encode(&SHARD, &changes);
            entries.push(Entry { seq, at, site: Some(site.id.clone()), kind: Kind::Life, changes });
        }
        for entry in &entries {
            record(&mut self.conn, entry).await?;
        }
        sql::script(&mut self.conn, "COMMIT".to_owned()).await?;
        Ok(entries)
    }
}

/// Writes to the shards in turn until cancelled, `rate` transactions a second in all.
pub(super) async fn run(mut writers: Vec<Writer>, rate: u32, latency: Arc<Latency>, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let Some(writer) = writers.get_mut(turn) else {
            break;
        };
        let begun = Instant::now();
        match writer.step().await {
            Ok(()) => latency.count(Some(begun.elapsed())),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a live transaction failed");
                latency.count(None);
            }
        }
        turn = (turn + 1) % writers.len();
    }
    for writer in writers {
        let _ = writer.conn.close().await;
    }
}
