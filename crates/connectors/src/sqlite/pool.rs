//! Idle connections and plans by the files they belong to.
//!
//! A connection to a live file has one recovered file attached as `rec`. It is used again only while both names stand
//! for the same files, so a file that was replaced is never read through an old handle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::file::{BUSY, Identity, Place, database, open};
use super::input::Root;
use super::plan::Plan;
use super::removal::Removal;
use crate::answer::Trouble;

/// Plans that are kept; a plan is some ten kilobytes.
const PLANS: usize = 512;

/// Who sees to it that foreign keys hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    /// SQLite.
    Keys,
    /// The caller: SQLite would also carry out `ON DELETE` actions, which write rows that nobody asked for.
    Caller,
}

/// The files of a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    guard: Guard,
    live: (Place, Identity),
    from: Option<(Place, Identity)>,
}

type PlanKey = (Pair, Root, Vec<String>);

/// Idle connections, plans, and the order of writers of each live file.
pub(super) struct Pool {
    idle: Mutex<Vec<(Pair, SqliteConnection)>>,
    keep: usize,
    plans: Mutex<HashMap<PlanKey, Arc<Plan>>>,
    removals: Mutex<HashMap<PlanKey, Arc<Removal>>>,
    lanes: Mutex<HashMap<Identity, Arc<tokio::sync::Mutex<()>>>>,
}

/// A connection in use. Dropped without [`Pool::keep`], it is closed and what it had begun is rolled back.
pub(super) struct Used {
    pub(super) connection: SqliteConnection,
    pair: Pair,
}

impl Pool {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            idle: Mutex::default(),
            keep: keep.min(1024),
            plans: Mutex::default(),
            removals: Mutex::default(),
            lanes: Mutex::default(),
        }
    }

    /// Takes an idle connection or opens one.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub(super) async fn take(&self, live: &Place, from: Option<&Place>, guard: Guard) -> Result<Used, Trouble> {
        let live_id = (live.clone(), live.identity()?);
        let from_id = match from {
            Some(from) => Some((from.clone(), from.identity()?)),
            None => None,
        };
        let pair = Pair { guard, live: live_id, from: from_id };
        let found = {
            let mut idle = lock(&self.idle);
            // Names that stand for other files by now are closed on the way.
            idle.retain(|(kept, _)| kept == &pair || !pair.replaces(kept));
            let at = idle.iter().rposition(|(kept, _)| kept == &pair);
            at.map(|at| idle.swap_remove(at).1)
        };
        if let Some(connection) = found {
            return Ok(Used { connection, pair });
        }
        let options = SqliteConnectOptions::new()
            .filename(live.path())
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .foreign_keys(guard == Guard::Keys)
            // Done means that it survives power loss.
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(128)
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| open(live, &error))?;
        if let Some(from) = from {
            let attach = sqlx::query("ATTACH DATABASE ?1 AS rec").bind(from.uri()).persistent(false);
            attach.execute(&mut connection).await.map_err(|error| open(from, &error))?;
            let look = sqlx::query("SELECT count(*) FROM rec.sqlite_schema").persistent(false);
            look.execute(&mut connection).await.map_err(|error| database(from, &error))?;
        }
        Ok(Used { connection, pair })
    }

    /// Keeps a connection that has no open transaction.
    pub(super) fn keep(&self, used: Used) {
        let mut idle = lock(&self.idle);
        if self.keep == 0 {
            return;
        }
        if idle.len() >= self.keep {
            idle.remove(0);
        }
        idle.push((used.pair, used.connection));
    }

    /// Returns the plan for a choice of tables; with `fresh`, it is made again.
    ///
    /// # Errors
    /// See [`Plan::make`].
    pub(super) async fn plan(
        &self,
        used: &mut Used,
        root: &Root,
        globs: &[String],
        fresh: bool,
    ) -> Result<Arc<Plan>, Trouble> {
        let key = (used.pair.clone(), root.clone(), globs.to_vec());
        if !fresh && let Some(plan) = lock(&self.plans).get(&key) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::make(&mut used.connection, &used.pair.live.0, root, globs).await?);
        let mut plans = lock(&self.plans);
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(key, Arc::clone(&plan));
        Ok(plan)
    }

    /// Returns the texts that take a tenant's rows out; with `fresh`, they are made again.
    ///
    /// # Errors
    /// See [`Removal::make`].
    pub(super) async fn removal(
        &self,
        used: &mut Used,
        root: &Root,
        globs: &[String],
        fresh: bool,
    ) -> Result<Arc<Removal>, Trouble> {
        let key = (used.pair.clone(), root.clone(), globs.to_vec());
        if !fresh && let Some(removal) = lock(&self.removals).get(&key) {
            return Ok(Arc::clone(removal));
        }
        let removal = Arc::new(Removal::make(&mut used.connection, &used.pair.live.0, root, globs).await?);
        let mut removals = lock(&self.removals);
        if removals.len() >= PLANS {
            removals.clear();
        }
        removals.insert(key, Arc::clone(&removal));
        Ok(removal)
    }

    /// Closes idle connections to a recovered file that is going away.
    pub(super) fn forget(&self, from: &Place) {
        lock(&self.idle).retain(|(pair, _)| pair.from.as_ref().is_none_or(|(place, _)| place != from));
    }

    /// Returns the order in which our own writers of a live file take turns: SQLite's own waiting is not fair.
    pub(super) fn lane(&self, used: &Used) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.lanes).entry(used.pair.live.1.clone()).or_default())
    }
}

impl Pair {
    /// Whether one of its names stood for another file in an older pair.
    fn replaces(&self, older: &Pair) -> bool {
        let moved = |a: &(Place, Identity), b: &(Place, Identity)| a.0 == b.0 && a.1 != b.1;
        let from = match (&self.from, &older.from) {
            (Some(a), Some(b)) => moved(a, b),
            _ => false,
        };
        from || moved(&self.live, &older.live)
    }
}

/// A panic elsewhere leaves these maps whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
