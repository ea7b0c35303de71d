//! Other tenants at work on servers: connections of their own, transactions that are due at fixed times whatever the
//! server does, and heartbeats that show how far each shard's log reaches.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::latency::Latency;
use crate::clock;
use crate::layout::{Passport, shard_name};
use crate::life;
use crate::log::{self, Kind};
use crate::population::Site;
use crate::random::Random;
use crate::schema::SERVED;
use crate::shards::{Line, Shards};
use crate::sql::{self, Session, StoreError};

/// Connections to each shard that tenants work over.
const CONNECTIONS: u32 = 2;
/// Between two heartbeats of a shard.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Tenants who share one connection.
struct Client {
    line: Line,
    sites: Arc<Vec<Site>>,
    members: Arc<Vec<usize>>,
    random: Random,
}

impl Client {
    /// Lets one tenant do one thing.
    async fn step(&mut self) -> Result<(), StoreError> {
        let site = &self.sites[self.members[self.random.index(self.members.len())]];
        let (place, random) = (self.line.place(), &mut self.random);
        let session = self.line.session().await?;
        let done = transaction(session, site, random).await.map_err(StoreError::sql(&place));
        if done.is_err() {
            // With its connection goes whatever was half done.
            self.line.hang_up();
        }
        done
    }
}

async fn transaction(session: &mut Session, site: &Site, random: &mut Random) -> Result<(), sqlx::Error> {
    sql::begin(session).await?;
    let changes = life::on_shard(session, &SERVED, site, random, clock::now()).await?;
    if !changes.is_empty() {
        log::append(session, Some(&site.id), Kind::Life, &log::encode(&SERVED, &changes)).await?;
    }
    sql::script(session, "COMMIT".to_owned()).await
}

/// Writes to all shards until cancelled, `rate` transactions a second in all.
pub(super) async fn run(
    shards: Arc<Shards>,
    passport: &Passport,
    sites: Arc<Vec<Site>>,
    rate: u32,
    latency: Arc<Latency>,
    cancel: CancellationToken,
) {
    let clients = u32::try_from(passport.shards).unwrap_or(u32::MAX).saturating_mul(CONNECTIONS);
    let every = Duration::from_secs(1) * clients / rate.max(1);
    let mut tasks = JoinSet::new();
    for n in 0..clients {
        let index = (n / CONNECTIONS) as usize;
        let members: Vec<usize> = (0..sites.len())
            .filter(|i| sites[*i].shard == index && !passport.deleted.contains_key(&sites[*i].id))
            .collect();
        if n.is_multiple_of(CONNECTIONS) {
            tasks.spawn(beat(Line::new(&shards, index), cancel.clone()));
        }
        if members.is_empty() {
            continue;
        }
        // Another stream in every session: what was done before is not tried again.
        let stream = format!("load {} {n} {}", shard_name(index), clock::now());
        let random = Random::new(passport.seed, &stream);
        let client =
            Client { line: Line::new(&shards, index), sites: Arc::clone(&sites), members: Arc::new(members), random };
        // They do not all knock at the same instant.
        let first = Instant::now() + every * n / clients;
        tasks.spawn(work(client, first, every, Arc::clone(&latency), cancel.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

/// What is late is done late and counts as late: a slow server does not get less to do.
async fn work(mut client: Client, first: Instant, every: Duration, latency: Arc<Latency>, cancel: CancellationToken) {
    let mut due = first;
    // Connecting is not what tenants wait for; if it fails now, the first transaction tries again.
    if let Err(error) = client.line.session().await {
        tracing::debug!(error = &error as &dyn std::error::Error, "no connection yet");
    }
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = tokio::time::sleep_until(due) => {}
        }
        match client.step().await {
            Ok(()) => latency.count(Some(due.elapsed())),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a live transaction failed");
                latency.count(None);
            }
        }
        due += every;
    }
}

async fn beat(mut line: Line, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let beaten = match line.session().await {
            Ok(session) => log::append(session, None, Kind::Heartbeat, "[]").await.is_ok(),
            Err(_) => false,
        };
        if !beaten {
            line.hang_up();
        }
    }
}
