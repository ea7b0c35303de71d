//! What the writer does inside of a transaction.

use runtime::engine::Millis;
use runtime::{DrillClaim, DrillResult, Grant, Holder, JournalError, Lease, RunCopy, RunHead, Want};
use sqlx::SqliteConnection;

use super::claims::Change;
use super::format::{GROUP_BITS, PART_BITS};
use super::trouble::Failure;
use super::{claims, dispatch, drills, lease, mailbox, pools, retention, sites};
use crate::checksum;
use crate::named::Named;
use crate::rows::{PART, integer};

/// A change to the store.
pub(super) enum Work {
    Create { head: RunHead, plan: Vec<u8>, hold: Option<Named> },
    Copy { copy: Box<RunCopy>, sites: Named },
    Acquire { run: String, holder: Holder, ttl_ms: u64, drives: bool },
    Renew { lease: Lease, ttl_ms: u64 },
    Release { lease: Lease, at: Millis },
    Append { lease: Lease, expected: u64, bytes: Vec<u8> },
    Hold { run: String, sites: Named },
    LetGo { run: String, sites: Option<Named> },
    Post { run: String, bytes: Vec<u8>, ttl_ms: u64 },
    Take { lease: Lease, after: u64 },
    Answer { lease: Lease, id: u64, bytes: Vec<u8> },
    Withdraw { id: u64 },
    Share { lease: Lease, estate: String, wants: Vec<Want> },
    Leave { lease: Lease },
    ClaimDrill(DrillClaim),
    SetClaim(Change),
    FinishDrill { drill: String, slot: Millis, result: DrillResult },
    Discard { lease: Lease },
    Free,
    Dispatch(dispatch::Change),
}

/// What a change gives.
#[derive(Default)]
pub(super) struct Done {
    /// An epoch, the next group's number, the number of a request or worker, or how many rows changed.
    pub(super) number: u64,
    /// Of a lease that was taken.
    pub(super) was_left: bool,
    /// Of shared pools.
    pub(super) grants: Vec<Grant>,
    /// Of orders.
    pub(super) ids: Vec<u64>,
}

impl Work {
    /// About how many bytes it writes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Create { plan, hold, .. } => plan.len() + hold.as_ref().map_or(0, Named::weight),
            Self::Copy { copy, sites } => {
                copy.plan.len() + copy.groups.iter().map(Vec::len).sum::<usize>() + sites.weight()
            }
            Self::Append { bytes, .. } | Self::Post { bytes, .. } | Self::Answer { bytes, .. } => bytes.len(),
            Self::Hold { sites, .. } | Self::LetGo { sites: Some(sites), .. } => sites.weight(),
            Self::FinishDrill { result, .. } => result.bytes.len(),
            Self::Share { wants, .. } => wants.len() * 64,
            Self::Dispatch(change) => change.weight(),
            _ => 128,
        }
    }

    pub(super) async fn execute(&self, connection: &mut SqliteConnection, now: Millis) -> Result<Done, Failure> {
        let number = match self {
            Self::Create { head, plan, hold } => create(connection, head, plan, hold.as_ref()).await?,
            Self::Copy { copy, sites } => put(connection, copy, sites).await?,
            Self::Acquire { run, holder, ttl_ms, drives } => {
                let (number, was_left) = lease::acquire(connection, run, holder, now, (*ttl_ms, *drives)).await?;
                return Ok(Done { number, was_left, ..Done::default() });
            }
            Self::Renew { lease, ttl_ms } => lease::renew(connection, lease, now, *ttl_ms).await?,
            Self::Release { lease, at } => lease::release(connection, lease, *at).await?,
            Self::Append { lease, expected, bytes } => append(connection, lease, *expected, bytes).await?,
            Self::Hold { run, sites } => {
                let id = lease::run_id(connection, run).await?;
                sites::free(connection, Some(id), sites).await?;
                sites::hold(connection, id, sites).await?
            }
            Self::LetGo { run, sites } => sites::let_go(connection, run, sites.as_ref()).await?,
            Self::Post { run, bytes, ttl_ms } => mailbox::post(connection, run, bytes, now, *ttl_ms).await?,
            Self::Take { lease, after } => mailbox::mark_taken(connection, lease, *after, now).await?,
            Self::Answer { lease, id, bytes } => mailbox::answer(connection, lease, *id, bytes).await?,
            Self::Withdraw { id } => mailbox::withdraw(connection, *id).await?,
            Self::Share { lease, estate, wants } => {
                let grants = pools::share(connection, lease, estate, wants, now).await?;
                return Ok(Done { grants, ..Done::default() });
            }
            Self::Dispatch(change) => return dispatch::execute(connection, change, now).await,
            Self::Leave { lease } => pools::leave(connection, lease).await?,
            Self::SetClaim(change) => claims::set(connection, change, now).await?,
            Self::ClaimDrill(claim) => drills::claim(connection, claim).await?,
            Self::FinishDrill { drill, slot, result } => drills::finish(connection, drill, *slot, result).await?,
            Self::Discard { lease } => retention::discard(connection, lease).await?,
            Self::Free => retention::free(connection).await?,
        };
        Ok(Done { number, ..Done::default() })
    }
}

async fn create(
    connection: &mut SqliteConnection,
    head: &RunHead,
    plan: &[u8],
    hold: Option<&Named>,
) -> Result<u64, Failure> {
    let parts = plan.len().div_ceil(PART);
    if parts >= 1 << PART_BITS {
        let context = format!("a plan of {} bytes is too large to store", plan.len());
        return Err(JournalError::Unavailable { context, source: None }.into());
    }
    let spent: Option<i64> = sqlx::query_scalar("SELECT 1 FROM spent WHERE name = $1")
        .bind(&head.run)
        .fetch_optional(&mut *connection)
        .await?;
    if spent.is_some() {
        return Err(JournalError::Spent(head.run.clone()).into());
    }
    if let Some(sites) = hold {
        // A refusal must come before the first change: it leaves the transaction as it is.
        match lease::run_id(connection, &head.run).await {
            Ok(_) => return Err(JournalError::Exists(head.run.clone()).into()),
            Err(Failure::Refused(_)) => {}
            Err(sql) => return Err(sql),
        }
        sites::free(connection, None, sites).await?;
    }
    let id: Option<i64> = sqlx::query_scalar(
        // Rows of a discarded run may still be there under its number.
        "INSERT INTO runs (id, name, plan_hash, created_at, plan_size, checksum) \
         SELECT 1 + max(ifnull((SELECT max(id) FROM runs), 0), ifnull((SELECT max(run) FROM discarded), 0)), \
         $1, $2, $3, $4, $5 WHERE true ON CONFLICT (name) DO NOTHING RETURNING id",
    )
    .bind(&head.run)
    .bind(&head.plan_hash)
    .bind(head.created_at)
    .bind(integer(plan.len() as u64))
    .bind(&checksum::plan(head, plan)[..])
    .fetch_optional(&mut *connection)
    .await?;
    let Some(id) = id else {
        return Err(JournalError::Exists(head.run.clone()).into());
    };
    for (part, bytes) in plan.chunks(PART).enumerate() {
        sqlx::query("INSERT INTO plans (id, bytes) VALUES ($1, $2)")
            .bind(id << PART_BITS | integer(part as u64))
            .bind(bytes)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(sites) = hold {
        sites::hold(connection, id, sites).await?;
    }
    Ok(0)
}

/// Puts a whole run in; the notes of its lease and length are as when its driver has left.
async fn put(connection: &mut SqliteConnection, copy: &RunCopy, sites: &Named) -> Result<u64, Failure> {
    create(connection, &copy.head, &copy.plan, Some(sites)).await?;
    let run = lease::run_id(connection, &copy.head.run).await?;
    for (bytes, seq) in copy.groups.iter().zip(0_u64..) {
        sqlx::query("INSERT INTO groups (id, epoch, checksum, bytes) VALUES ($1, $2, $3, $4)")
            .bind(run << GROUP_BITS | integer(seq))
            .bind(integer(copy.epoch))
            .bind(&checksum::group(&copy.head.run, seq, copy.epoch, bytes)[..])
            .bind(&bytes[..])
            .execute(&mut *connection)
            .await?;
    }
    lease::left(connection, run, copy.epoch).await?;
    Ok(0)
}

/// Epoch and number are conditions of the insert itself; only a refusal looks again to say why.
async fn append(connection: &mut SqliteConnection, lease: &Lease, expected: u64, bytes: &[u8]) -> Result<u64, Failure> {
    let checksum = checksum::group(&lease.run, expected, lease.epoch, bytes);
    // A number beyond the range is the next one of no run.
    let seq = if expected < 1 << GROUP_BITS { integer(expected) } else { -1 };
    let inserted = sqlx::query(
        "INSERT INTO groups (id, epoch, checksum, bytes) \
         SELECT r.id << 40 | $3, $2, $4, $5 FROM runs r JOIN leases l ON l.run = r.id \
         WHERE r.name = $1 AND l.epoch = $2 AND $3 = 1 + ifnull(\
             (SELECT g.id & 0xffffffffff FROM groups g WHERE g.id >= r.id << 40 AND g.id < (r.id + 1) << 40 \
              ORDER BY g.id DESC LIMIT 1), -1)",
    )
    .bind(&lease.run)
    .bind(integer(lease.epoch))
    .bind(seq)
    .bind(&checksum[..])
    .bind(bytes)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if inserted == 1 {
        return Ok(expected + 1);
    }
    lease::is_newest(connection, lease).await?;
    Err(JournalError::Conflict { run: lease.run.clone(), expected }.into())
}
