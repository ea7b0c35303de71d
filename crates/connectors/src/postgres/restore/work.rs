//! Many tenants: the largest first, small ones read together, a few connections at work.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::active::inactive;
use super::ahead::ahead;
use super::at_once::{self, AtOnce};
use super::careful::{self, Looked};
use super::chunks;
use super::differing::Shared;
use super::error::RestoreError;
use super::groups::Order;
use super::guard::{self, Heard};
use super::lanes::{Lane, Task};
use super::ledger;
use super::load::{Restored, Ticket};
use super::named::{self, Named, named};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::{Pair, Scope};
use super::pairs::Pairs;
use super::remap::{self, Remap, RemapError};
use super::residue::{self, Residue};
use super::sequences::{self, Raised};
use super::session;
use super::source;
use super::statements::Statements;

/// Rows of a transaction unless the caller says another number: minutes, in which dead rows stay.
pub const CHUNK_ROWS: u64 = 5_000_000;

/// What happens if live rows are in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The tenant is not restored.
    #[default]
    Fail,
    /// Live rows of the tenant stay as they are; what is missing is restored.
    KeepLive,
    /// Live rows of the tenant get the contents that the backup has under their keys.
    Replace,
}

/// What protects those who use the live database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guard {
    /// What a small transaction may take there at the 99th percentile; no limit if `None`.
    pub latency: Option<Duration>,
    /// How far replicas may fall behind, in bytes of WAL; no limit if `None`.
    pub lag_bytes: Option<u64>,
}

impl Guard {
    pub(crate) fn is_set(&self) -> bool {
        self.latency.is_some() || self.lag_bytes.is_some()
    }
}

/// A restore.
#[derive(Clone, Debug)]
pub struct Job {
    /// URL of the recovered copy.
    pub from: String,
    /// URL of the live database.
    pub to: String,
    /// Which tables.
    pub scope: Scope,
    /// IDs of the tenants, as text.
    pub tenants: Vec<String>,
    /// New IDs, for one tenant; under its old ones without.
    pub remap: Option<Remap>,
    /// What happens if live rows are in the way.
    pub on_conflict: OnConflict,
    /// Connections that write; 1 to 16.
    pub connections: usize,
    /// Rows from which on a tenant is committed in several transactions of so many; 0 for never.
    pub chunk_rows: u64,
    /// How long a lock is waited for.
    pub lock_timeout: Duration,
    /// What protects others.
    pub guard: Guard,
    /// Name of a replication origin that marks what is written, so that readers of changes may leave it out.
    pub replication_origin: Option<String>,
    /// Name of the run, for the ledger.
    pub run: String,
    /// Key of the restore; that of a tenant is this, a slash and its ID.
    pub key: String,
    /// Number of the attempt.
    pub token: i64,
}

/// What came of a tenant.
#[derive(Debug)]
pub struct TenantOutcome {
    /// Its ID, as the root's key is written.
    pub tenant: String,
    /// What was done.
    pub result: Result<Restored, RestoreError>,
}

/// Restores tenants, each in a transaction of its own; one that fails does not stop the others.
///
/// # Errors
/// What keeps every tenant from being restored: connections, rights, schemas, an ID that is none.
///
/// # Cancel safety
/// Tenants that were committed stay; one whose COMMIT was on its way is in the ledger or not.
pub async fn restore(job: &Job) -> Result<Outcome, RestoreError> {
    restore_with(&Pairs::default(), job).await
}

/// As [`restore`], with comparisons of databases that were made a short while ago.
pub(crate) async fn restore_with(pairs: &Pairs, job: &Job) -> Result<Outcome, RestoreError> {
    let (mut first, pair, tenants) = begin(pairs, job).await?;
    if !first.live.quiet {
        pair.may_be_loud()?;
    }
    ledger::make(&mut first.live.connection).await?;
    if let Some(remap) = &job.remap {
        return remapped(job, remap, &mut first, &pair, tenants).await;
    }
    let guarded = job.guard.is_set();
    let ear = if guarded { Some(guard::open(&job.to).await?) } else { None };
    let raised = sequences::raise(&mut first.live.connection, &pair, &tenants.sequences, true).await?;
    let mut statements = Statements::new(&pair);
    let mut order = match tenants.known.as_slice() {
        many @ [_, _, ..] if let Origin::Server(server) = &mut first.origin => {
            Order::by_size(&source::sizes(server, &pair, many).await?, many)
        }
        few => {
            let mut alone = Vec::with_capacity(few.len());
            for tenant in few {
                alone.push((tenant.clone(), chunks::size(&mut first.origin, &pair, tenant, job.chunk_rows).await?));
            }
            Order::alone(alone)
        }
    };
    if order.groups.iter().map(|group| group.tenants.len()).sum::<usize>() >= at_once::TENANTS {
        statements.at_once = AtOnce::of(&mut first.live.connection, &pair).await?;
    }
    let lanes = job.connections.clamp(1, 16).min(order.len().max(1));
    let (reader, shelf) = ahead(std::mem::take(&mut order.groups));
    let alone = Mutex::new(order.alone);
    let pace = if guarded { Pace::guarded() } else { Pace::unlimited() };
    let done = Mutex::new(Vec::with_capacity(tenants.known.len()));
    let shared = Shared::default();
    let (pair, statements, shared) = (&*pair, &statements, &shared);
    let task = Task { job, pair, statements, shared, alone: &alone, shelf: &shelf, pace: &pace, done: &done };
    let others = (1..lanes).map(|_| async {
        let mut lane = Lane::open(job).await?;
        lane.origin.snapshot().await?;
        task.work(&mut lane).await
    });
    let ended = CancellationToken::new();
    let work = async {
        let (own, others) = futures::join!(task.work(&mut first), futures::future::join_all(others));
        let own = match own {
            Ok(()) => task.come_again(&mut first).await,
            Err(error) => Err(error),
        };
        ended.cancel();
        (own, others)
    };
    // Nobody waits for what is read once all who write have given up.
    let read = async { ended.run_until_cancelled(reader.read(&job.from, pair)).await.unwrap_or(Ok(())) };
    let listen = async {
        match ear {
            Some(ear) => Some(guard::listen(ear, &job.to, job.guard, &pace, &ended).await),
            None => None,
        }
    };
    let ((own, others), read, heard) = futures::join!(work, read, listen);
    let mut outcomes = done.into_inner().unwrap_or_default();
    // A connection that broke and was not to be had again leaves its tenants undone.
    if let Some(error) = [own, read].into_iter().chain(others).find_map(Result::err) {
        if outcomes.is_empty() {
            return Err(error);
        }
        // Some may be committed all the same: each tenant that was not reached says for itself that it was not.
        outcomes.extend(unreached(&tenants.known, &outcomes, error));
    }
    outcomes.extend(tenants.left_out());
    outcomes.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    Ok(Outcome { tenants: outcomes, raised, heard })
}

/// Restores one tenant under new IDs.
async fn remapped(
    job: &Job,
    remap: &Remap,
    lane: &mut Lane,
    pair: &Pair,
    tenants: Named,
) -> Result<Outcome, RestoreError> {
    remap::make(&mut lane.live.connection).await?;
    let raised = sequences::raise(&mut lane.live.connection, pair, &tenants.sequences, true).await?;
    let Some(tenant) = tenants.known.first().cloned() else {
        return Ok(Outcome { tenants: tenants.left_out().collect(), raised, heard: None });
    };
    let key = format!("{}/{tenant}", job.key);
    let (token, run, shared) = (job.token, &job.run, &Shared::default());
    let ticket = Ticket { unit: &job.key, key: &key, token, run, tenant: &tenant, shared };
    let with = (pair, &job.scope.closure);
    let result = remap::restore(&mut lane.live, &mut lane.origin, with, remap, ticket, job.on_conflict).await;
    Ok(Outcome { tenants: vec![TenantOutcome { tenant, result }], raised, heard: None })
}

/// What is said of tenants that nobody came to.
fn unreached(known: &[String], reached: &[TenantOutcome], error: RestoreError) -> Vec<TenantOutcome> {
    let why = error.to_string();
    let mut error = Some(error);
    let reached: HashSet<&str> = reached.iter().map(|one| one.tenant.as_str()).collect();
    let left = known.iter().filter(|tenant| !reached.contains(tenant.as_str()));
    left.map(|tenant| {
        let again = || RestoreError::Database { doing: "restore".into(), state: None, why: why.clone() };
        TenantOutcome { tenant: tenant.clone(), result: Err(error.take().unwrap_or_else(again)) }
    })
    .collect()
}

/// What came of a restore.
#[derive(Debug)]
pub struct Outcome {
    /// Each tenant, in order of ID.
    pub tenants: Vec<TenantOutcome>,
    /// Sequences that were raised.
    pub raised: Vec<Raised>,
    /// What was heard of the live database; none without a guard.
    pub heard: Option<Heard>,
}

impl Outcome {
    /// Time in which rows were read back and compared, summed over the connections, which work at the same time.
    #[must_use]
    pub fn verifying(&self) -> Duration {
        self.tenants.iter().filter_map(|tenant| tenant.result.as_ref().ok()).map(|restored| restored.verifying).sum()
    }
}

/// What a restore would do.
#[derive(Debug)]
pub struct Preview {
    /// Each tenant, in order of ID.
    pub tenants: Vec<(String, Result<Looked, RestoreError>)>,
    /// Sequences that would be raised.
    pub raised: Vec<Raised>,
    /// Rows of others that the deletion has changed; they are left as they are.
    pub residue: Vec<Residue>,
}

/// Looks what [`restore`] would do. What it writes into the live database is temporary and rolled back.
///
/// # Errors
/// As [`restore`].
pub async fn preview(job: &Job) -> Result<Preview, RestoreError> {
    let (mut lane, pair, tenants) = begin(&Pairs::default(), job).await?;
    if !lane.live.quiet {
        pair.may_be_loud()?;
    }
    let raised = sequences::raise(&mut lane.live.connection, &pair, &tenants.sequences, false).await?;
    let mut looked = Vec::with_capacity(tenants.known.len());
    let shared = Shared::default();
    for tenant in &tenants.known {
        let found = match &job.remap {
            None => careful::look(&mut lane.live, &mut lane.origin, &pair, (tenant, &tenants.known, &shared)).await,
            Some(remap) => {
                let with = (&*pair, &job.scope.closure);
                remap::look(&mut lane.live, &mut lane.origin, with, remap, (tenant, &raised)).await
            }
        };
        looked.push((tenant.clone(), found));
    }
    let residue = match lane.origin.server() {
        Some(server) => residue::find(server, &mut lane.live.connection, &pair, &tenants.known).await?,
        None => Vec::new(),
    };
    looked.extend(tenants.left_out().map(|outcome| (outcome.tenant, outcome.result.map(|_| Looked::default()))));
    looked.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Preview { tenants: looked, raised, residue })
}

/// Opens a connection to either side, compares the databases and finds the tenants.
pub(crate) async fn begin(pairs: &Pairs, job: &Job) -> Result<(Lane, Arc<Pair>, Named), RestoreError> {
    if job.remap.is_some() && job.tenants.len() > 1 {
        return Err(RemapError::Several(job.tenants.len()).into());
    }
    if job.remap.is_some() && job.guard.is_set() {
        return Err(RemapError::Guarded.into());
    }
    let mut lane = Lane::open(job).await?;
    let mut tenants = Named::default();
    let pair = match &mut lane.origin {
        Origin::Server(server) => {
            let described = Pair::describe(server, &job.scope);
            let pair = pairs.of((&job.from, described), &job.to, &mut lane.live.connection, &job.scope).await?;
            session::snapshot(server).await?;
            tenants = named(server, &pair, &job.tenants).await?;
            let inactive = inactive(server, &pair, &job.scope.active, &tenants.known).await?.into_iter();
            tenants.refuse(
                inactive.map(|(tenant, found)| (tenant.clone(), RestoreError::Inactive { tenant, found })).collect(),
            );
            let homeless = pair.homeless(server, &tenants.known).await?.into_iter();
            tenants.refuse(homeless.map(|(tenant, gone)| (tenant, named::homeless(&gone))).collect());
            tenants.sequences = sequences::stand(server, &pair).await?;
            pair
        }
        Origin::Files(extracted) => {
            let Some((catalog, described)) = tenants.find(extracted, &job.tenants)? else {
                return Err(RestoreError::NoTenant(job.tenants.join(", ")));
            };
            let from = format!("{}#{catalog}", job.from);
            let described = async move { Ok(described) };
            let pair = pairs.of((&from, described), &job.to, &mut lane.live.connection, &job.scope).await?;
            tenants.fit(&pair);
            pair
        }
    };
    Ok((lane, pair, tenants))
}
