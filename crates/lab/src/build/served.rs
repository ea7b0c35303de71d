//! Building shards that are databases of servers: clusters with backups, then their life up to the deletions.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::stores::{self, BuiltShard};
use super::{BuildOptions, shard};
use crate::clock::{self, BASE, Millis, WINDOW_START};
use crate::history::{Stretch, perform};
use crate::layout::{Layout, shard_name};
use crate::population::Site;
use crate::postgres::{Cluster, Contents, Fleet, Programs, create};
use crate::random::Random;
use crate::schema::SERVED;
use crate::sql::{self, Mode, StoreError};
use crate::value::Row;

/// Rows that come with one activity, itself included.
const ROWS_OF_ACTIVITY: u64 = 3;

/// Builds all shards; gives them, and the instant at which all full backups were taken.
pub(super) async fn build(
    layout: &Layout,
    options: &BuildOptions,
    sites: &Arc<Vec<Site>>,
) -> Result<(Vec<BuiltShard>, Millis), StoreError> {
    let programs = Programs::find(None)?;
    programs.reach(&layout.root)?;
    programs.folder(&layout.sockets())?;
    for folder in [layout.root.join("truth"), layout.root.join("clusters"), layout.root.join("recovered")] {
        std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
    }
    let built = match clusters(layout, &programs, options, sites).await {
        Ok(built) => built,
        Err(error) => {
            for index in 0..options.shards {
                if let Err(error) = Cluster::new(layout, &programs, index).stop().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a server may be left running");
                }
            }
            return Err(error);
        }
    };
    let base = clock::now();
    let fleet = Fleet::up(layout, options.shards).await?;
    let lived = life(&fleet, options, sites).await;
    let archived = fleet.archive().await;
    fleet.down().await?;
    archived?;
    let lived = lived?;
    let built = built.into_iter().map(|(index, built)| BuiltShard { transactions: lived[index], ..built }).collect();
    Ok((built, base))
}

async fn clusters(
    layout: &Layout,
    programs: &Programs,
    options: &BuildOptions,
    sites: &Arc<Vec<Site>>,
) -> Result<Vec<(usize, BuiltShard)>, StoreError> {
    let mut tasks = JoinSet::new();
    for index in 0..options.shards {
        let (layout, programs) = (layout.clone(), programs.clone());
        let (options, sites) = (options.clone(), Arc::clone(sites));
        tasks.spawn(async move { Ok((index, cluster(&layout, &programs, &options, index, &sites).await?)) });
    }
    let mut built = Vec::new();
    let mut failed = Ok(());
    // Every task comes to its end, so that none starts a server after the others were stopped.
    while let Some(done) = tasks.join_next().await {
        match done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())) {
            Ok(shard) => built.push(shard),
            Err(error) => failed = Err(error),
        }
    }
    failed.map(|()| built)
}

async fn cluster(
    layout: &Layout,
    programs: &Programs,
    options: &BuildOptions,
    index: usize,
    sites: &[Site],
) -> Result<BuiltShard, StoreError> {
    let mut content = shard::generate(options.seed, index, sites);
    content.rows.push(histories(&content.rows));
    content.owners.push(Vec::new());
    let truth = layout.truth(&shard_name(index));
    let mut session = sql::open(&truth, Mode::Bulk).await?;
    stores::fill(&mut session, &SERVED, "", &content.rows).await.map_err(StoreError::sql(&truth))?;
    session.close().await.map_err(StoreError::sql(&truth))?;

    let own: usize = content.rows.iter().map(Vec::len).sum();
    let wanted = options.rows / options.shards as u64;
    let activities = activities(wanted.saturating_sub(own as u64) / ROWS_OF_ACTIVITY, index, sites);
    let contents = Contents { rows: &content.rows, activities, memory: memory(wanted, options.shards as u64) };
    let (_, rows) = create(layout, programs, index, &contents).await?;
    Ok(BuiltShard { rows, ..BuiltShard::new(content, sites) })
}

/// One line of history for each issue, as its trigger would have written it last.
fn histories(rows: &[Vec<Row>]) -> Vec<Row> {
    let Some(issues) = SERVED.position("issues") else { return Vec::new() };
    let table = &SERVED.tables[issues];
    let (Some(status), Some(at)) = (table.column("status"), table.column("updated_at")) else { return Vec::new() };
    let rows = (1_i64..).zip(&rows[issues]);
    rows.map(|(id, row)| vec![id.into(), row[0].clone(), row[status].clone(), row[at].clone()]).collect()
}

/// Shares the activities out among the sites of the shard, by their size.
fn activities(total: u64, index: usize, sites: &[Site]) -> Vec<(&str, u64)> {
    let members = sites.iter().filter(|site| site.shard == index);
    let sum: u64 = members.clone().map(|site| site.size).sum();
    members.map(|site| (site.id.as_str(), total * site.size / sum.max(1))).collect()
}

/// The server's cache in MiB: a quarter of its rows, and not more than all servers can have together.
fn memory(rows: u64, shards: u64) -> u64 {
    (rows * 300 / 4 / (1 << 20)).clamp(32, (4_096 / shards).max(32))
}

/// Lets customers work on all shards; gives the number of transactions of each.
async fn life(fleet: &Fleet, options: &BuildOptions, sites: &Arc<Vec<Site>>) -> Result<Vec<usize>, StoreError> {
    let mut tasks = JoinSet::new();
    for index in 0..options.shards {
        let (cluster, sites, seed) = (fleet.cluster(index).clone(), Arc::clone(sites), options.seed);
        tasks.spawn(async move {
            let members: Vec<&Site> = sites.iter().filter(|site| site.shard == index).collect();
            let stretch = Stretch {
                schema: &SERVED,
                from: BASE,
                to: WINDOW_START,
                transactions: members.len() * 3 / 2,
                sites: members,
                deletions: Vec::new(),
            };
            let mut random = Random::new(seed, &format!("life {}", shard_name(index)));
            let mut session = cluster.open().await?;
            let played = perform(&mut session, cluster.home(), &stretch, &mut random, None).await?;
            session.close().await.map_err(StoreError::sql(cluster.home()))?;
            Ok((index, played.transactions))
        });
    }
    let mut lived = vec![0; options.shards];
    while let Some(done) = tasks.join_next().await {
        let (index, transactions) = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
        lived[index] = transactions;
    }
    Ok(lived)
}
