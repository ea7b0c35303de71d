//! Several small tenants in one transaction, each with its own ledger row and its own proof: of what a tiny tenant costs,
//! most is not its rows but its statements and its COMMIT (`adr/0004`).

use std::collections::BTreeMap;
use std::time::Instant;

use super::back;
use super::error::RestoreError;
use super::load::{self, Deed, Opened, Restored, Ticket};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::references;
use super::send;
use super::session::Live;
use super::source::Extract;
use super::statements::Statements;
use super::ties::Open;

/// Rows of one transaction, give or take a tenant: others wait for its locks as long as these take.
const ROWS: u64 = 2_000;
/// Tenants of one transaction.
const TENANTS: usize = 64;

/// A tenant whose rows are in memory.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) ticket: Ticket<'a>,
    pub(crate) extract: &'a Extract,
}

/// Whether tenants of so many rows have room for one more beside them.
pub(crate) fn has_room(rows: impl ExactSizeIterator<Item = u64>) -> bool {
    let tenants = rows.len();
    tenants > 0 && tenants < TENANTS && rows.sum::<u64>() < ROWS
}

/// Restores tenants together that have no row in the live database.
///
/// Returns what came of each, in the order of the members; of one that has to be restored by itself, nothing. Either all
/// others are committed and verified, or nothing was changed and each has to be restored by itself: that is where what is
/// wrong with one of them is found out.
///
/// # Errors
/// The connection is of no more use, or it is not known whether all or none of them are committed
/// ([`RestoreError::InDoubt`]).
///
/// # Cancel safety
/// As of one tenant.
pub(crate) async fn restore(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    members: &[Member<'_>],
    pace: &Pace,
) -> Result<Vec<Option<Restored>>, RestoreError> {
    load::begin(&mut live.connection).await?;
    let done = attempt(live, origin, pair, statements, members, pace).await;
    match done {
        Ok(done) if done.iter().flatten().any(|restored| !restored.before) => {
            match load::commit(&mut live.connection).await {
                Ok(()) => Ok(done),
                Err(error @ RestoreError::InDoubt(_)) => Err(error),
                Err(refused) => Ok(apart(members, &refused)),
            }
        }
        Ok(done) => load::rollback(&mut live.connection).await.map(|()| done),
        Err(error) => load::rollback(&mut live.connection).await.map(|()| apart(members, &error)),
    }
}

fn apart(members: &[Member<'_>], why: &RestoreError) -> Vec<Option<Restored>> {
    tracing::debug!(tenants = members.len(), why = why.code(), "small tenants are restored one by one");
    members.iter().map(|_| None).collect()
}

async fn attempt(
    live: &mut Live,
    origin: &mut Origin,
    pair: &Pair,
    statements: &Statements,
    members: &[Member<'_>],
    pace: &Pace,
) -> Result<Vec<Option<Restored>>, RestoreError> {
    let tickets: Vec<Ticket<'_>> = members.iter().map(|member| member.ticket).collect();
    let opened = statements.open(&mut live.connection, &tickets).await?;
    let mut done: Vec<Option<Restored>> = members.iter().map(|_| None).collect();
    let mut fresh = Vec::with_capacity(members.len());
    let mut start = None;
    for (at, (opening, ticket)) in opened.into_iter().zip(&tickets).enumerate() {
        if !opening.alone {
            continue;
        }
        match opening.judged(*ticket) {
            Ok(Opened::Before(restored)) => done[at] = Some(restored),
            Ok(Opened::New { before, present }) if !present.contains(&true) => {
                start.get_or_insert(before);
                fresh.push(at);
            }
            Ok(Opened::New { .. }) | Err(_) => {}
        }
    }
    let lefts: Vec<_> = fresh.iter().map(|at| members[*at].extract.ties.left(&pair.sheets)).collect();
    // Values that only the rows themselves tell are asked for tenant by tenant.
    let asks_rows = lefts.iter().flatten().any(|(_, _, open)| open.all_rows);
    let Some(before) = start.filter(|_| fresh.len() > 1 && !asks_rows) else { return Ok(done) };
    let extracts: Vec<&Extract> = fresh.iter().map(|at| members[*at].extract).collect();
    send::held(&mut live.connection, pair, statements, &extracts, pace).await?;
    let one = tickets[fresh[0]];
    let settled = references::settle(&mut live.connection, origin, pair, one, joined(&lefts)).await?;
    if !settled.made.is_empty() {
        // Whose need it was is told in a ledger row, which only one of them has.
        return Err(RestoreError::Stream("a shared row had to be made again"));
    }
    let begun = Instant::now();
    let names: Vec<&str> = fresh.iter().map(|at| tickets[*at].tenant).collect();
    let back = statements.read_back(&mut live.connection, pair, &names).await?;
    let mut restored = Vec::with_capacity(fresh.len());
    for ((extract, name), found) in extracts.iter().zip(&names).zip(&back) {
        let meant = extract.tallies();
        back::compare(pair, name, &meant, found)?;
        restored.push(Restored::whole(pair, &meant));
    }
    let verifying = begun.elapsed() / u32::try_from(fresh.len()).unwrap_or(1);
    for ((restored, at), left) in restored.iter_mut().zip(&fresh).zip(lefts) {
        restored.verifying = verifying;
        if !settled.differs.is_empty() {
            restored.shared_differs = references::told(pair, tickets[*at].shared, left);
        }
    }
    let deeds: Vec<_> = fresh.iter().zip(&restored).map(|(at, one)| (tickets[*at], Deed::of(one))).collect();
    load::seal(live, pair, statements, &deeds, &before).await?;
    for (at, one) in fresh.into_iter().zip(restored) {
        done[at] = Some(one);
    }
    Ok(done)
}

/// What several tenants ask of the live database, asked once.
fn joined(lefts: &[Vec<(usize, usize, Open)>]) -> Vec<(usize, usize, Open)> {
    let mut all = BTreeMap::<(usize, usize), Open>::new();
    for (table, at, open) in lefts.iter().flatten() {
        all.entry((*table, *at)).or_default().values.extend(open.values.iter().cloned());
    }
    all.into_iter().map(|((table, at), open)| (table, at, open)).collect()
}
