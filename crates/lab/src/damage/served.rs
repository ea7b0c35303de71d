//! The script at work on servers, in real time: a minute of the incident takes a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Deletions;
use crate::clock::{self, MINUTE, Millis, SECOND, WINDOW_START};
use crate::history::{Played, Stretch, perform};
use crate::layout::{Layout, Passport, shard_name};
use crate::population::Site;
use crate::postgres::Fleet;
use crate::random::Random;
use crate::schema::SERVED;
use crate::sql::StoreError;

/// The script's pace where it deletes fewer sites than it did: 883 in 23 minutes.
const STEP_MAX: Millis = 23 * MINUTE / 883;
/// How long life goes on after the last deletion: who recovers to a point needs something later in the log.
const TRAIL: Millis = 2 * MINUTE;

/// Deletes from all shards, and archives what tells of it; gives the transactions of others, and the deletions with
/// their real instants.
pub(super) async fn delete(
    layout: &Layout,
    passport: &Passport,
    planned: &Arc<Deletions>,
    lead: Duration,
) -> Result<(usize, Deletions), StoreError> {
    let fleet = Fleet::up(layout, passport.shards).await?;
    let from = clock::now();
    let played = play(&fleet, passport, planned, lead).await;
    let archived = fleet.archive().await;
    fleet.down().await?;
    archived?;
    let played = played?;
    let instants: HashMap<&str, Millis> =
        played.iter().flat_map(|shard| &shard.deleted).map(|(site, at)| (site.as_str(), *at)).collect();
    let sites = planned.sites.clone();
    let real = |(i, at): &(usize, Millis)| (*i, instants.get(sites[*i].id.as_str()).copied().unwrap_or(*at));
    let order = planned.order.iter().map(real).collect();
    let transactions = played.iter().map(|shard| shard.transactions).sum();
    Ok((transactions, Deletions { order, from, to: clock::now(), sites }))
}

async fn play(
    fleet: &Fleet,
    passport: &Passport,
    planned: &Arc<Deletions>,
    lead: Duration,
) -> Result<Vec<Played>, StoreError> {
    let lead = Millis::try_from(lead.as_millis()).unwrap_or(Millis::MAX / MINUTE) * (MINUTE / SECOND);
    let begin = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    for index in 0..passport.shards {
        let (cluster, planned, seed) = (fleet.cluster(index).clone(), Arc::clone(planned), passport.seed);
        tasks.spawn(async move {
            let members: Vec<&Site> = planned.sites.iter().filter(|site| site.shard == index).collect();
            let stretch = Stretch {
                schema: &SERVED,
                from: WINDOW_START - lead,
                to: WINDOW_START + STEP_MAX * planned.order.len() as Millis + TRAIL,
                transactions: members.len(),
                sites: members,
                deletions: at_pace(&planned, index),
            };
            let mut random = Random::new(seed, &format!("damage {}", shard_name(index)));
            let mut session = cluster.open().await?;
            let played = perform(&mut session, cluster.home(), &stretch, &mut random, Some(begin)).await?;
            session.close().await.map_err(StoreError::sql(cluster.home()))?;
            Ok(played)
        });
    }
    let mut played = Vec::new();
    while let Some(done) = tasks.join_next().await {
        played.push(done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?);
    }
    Ok(played)
}

/// The deletions of one shard in the order of the script, at its pace.
fn at_pace(planned: &Deletions, index: usize) -> Vec<(&Site, Millis)> {
    let order = planned.order.iter().enumerate();
    let all = order.map(|(n, (i, _))| (&planned.sites[*i], WINDOW_START + n as Millis * STEP_MAX));
    all.filter(|(site, _)| site.shard == index).collect()
}
