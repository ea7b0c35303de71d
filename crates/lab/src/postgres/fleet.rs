//! All servers of a lab, running for as long as somebody of any process uses them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::programs::Programs;
use crate::layout::{Layout, shard_name};
use crate::sql::StoreError;

/// How often, and how far apart, one looks whether the last user is gone.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The servers of a lab, and our claim that they go on running.
#[derive(Debug)]
pub(crate) struct Fleet {
    clusters: Vec<Cluster>,
    /// Locked by every process that uses the servers, shared; the system lets go of it when a process is killed.
    users: File,
}

impl Fleet {
    /// Starts what does not run yet.
    pub(crate) async fn up(layout: &Layout, shards: usize) -> Result<Self, StoreError> {
        let first = layout.cluster(&shard_name(0)).join("data/PG_VERSION");
        let version = std::fs::read_to_string(&first).map_err(StoreError::io(&first))?;
        let programs = Programs::find(Some(version.trim()))?;
        let clusters: Vec<Cluster> = (0..shards).map(|index| Cluster::new(layout, &programs, index)).collect();
        let users = lock(layout, "users", false).await?;
        // One process starts at a time.
        let starting = lock(layout, "starting", true).await?;
        all(&clusters, |cluster| async move { cluster.start("").await }).await?;
        drop(starting);
        Ok(Self { clusters, users })
    }

    pub(crate) fn cluster(&self, index: usize) -> &Cluster {
        &self.clusters[index]
    }

    /// Gives up our claim; the last user stops the servers, whoever started them.
    pub(crate) async fn down(&self) -> Result<(), StoreError> {
        // Others hold it too: they stop them.
        if self.users.try_lock().is_err() {
            return Ok(());
        }
        all(&self.clusters, |cluster| async move { cluster.stop().await }).await
    }

    /// Brings everything committed so far into the archives.
    pub(crate) async fn archive(&self) -> Result<(), StoreError> {
        all(&self.clusters, |cluster| async move { cluster.archive().await }).await
    }
}

/// Stops the servers of a lab that nobody uses any more, also of one that was not finished.
///
/// # Errors
/// [`StoreError`] if a server does not stop.
///
/// # Cancel safety
/// Dropped before it ends, some servers may still run; it can be asked again.
pub async fn halt(dir: &Path) -> Result<(), StoreError> {
    let layout = Layout::new(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
    let made = (0..99).filter(|index| layout.cluster(&shard_name(*index)).join("data/PG_VERSION").exists());
    let made: Vec<usize> = made.collect();
    if made.is_empty() {
        return Ok(());
    }
    // Our own claim may be given up a moment later than we came here.
    let users = file(&layout, "users")?;
    for _ in 0..TRIES {
        if users.try_lock().is_ok() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if users.try_lock().is_err() {
        return Ok(());
    }
    let programs = Programs::find(None)?;
    let clusters: Vec<Cluster> = made.into_iter().map(|index| Cluster::new(&layout, &programs, index)).collect();
    all(&clusters, |cluster| async move { cluster.stop().await }).await?;
    // One that was just being started shows itself a moment later.
    tokio::time::sleep(PAUSE * 5).await;
    all(&clusters, |cluster| async move { cluster.stop().await }).await
}

fn file(layout: &Layout, name: &str) -> Result<File, StoreError> {
    let path = layout.root.join(format!("{name}.lock"));
    File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io(&path))
}

async fn lock(layout: &Layout, name: &str, alone: bool) -> Result<File, StoreError> {
    let (path, file) = (layout.root.join(format!("{name}.lock")), file(layout, name)?);
    let waiting = tokio::task::spawn_blocking(move || {
        let locked = if alone { file.lock() } else { file.lock_shared() };
        locked.map(|()| file)
    });
    waiting.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())).map_err(StoreError::io(&path))
}

/// Does the same to all clusters at once; the first error ends it.
async fn all<F>(clusters: &[Cluster], work: impl Fn(Cluster) -> F) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for cluster in clusters {
        tasks.spawn(work(cluster.clone()));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?;
    }
    Ok(())
}
