//! Bringing a verb to a run: through the mailbox of the process that drives it, or, if nobody does, into its journal.

use std::time::Duration;

use engine::{Command, Input, Record, Run};
use runtime::{Clock, Fate, JournalError, Lease, Reply, Request, Settings, Store, SystemClock};

use crate::drivers::holder;
use crate::planning::evaluator;
use crate::verbs::VerbError;

/// Time for which a driver is waited for; a live one answers within a second.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Looks after which the lease is tried once more: whoever held it may have been another verb, or has gone.
const LOOKS_BEFORE_LEASE: u32 = 10;

/// Who asks for a verb, and why.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Their name, for the journal.
    pub actor: &'a str,
    /// Their reason.
    pub reason: &'a str,
    /// Whether a run that nobody drives is to go on then: it is left to whoever stands by, and not as it was.
    pub goes_on: bool,
}

/// How a verb became an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The process that drives the run has recorded it.
    OfDriver,
    /// Nobody drives the run; it is in the journal.
    InJournal,
}

/// Brings a verb to a run; the event is durable on return. The command is made from the run as it is then.
///
/// # Errors
/// If the run refuses it, the driver does not answer (what became of the verb is said then), or the store fails.
///
/// # Cancel safety
/// Dropping the future leaves it open whether the verb was taken.
pub async fn ask(
    store: &dyn Store,
    name: &str,
    asker: Asker<'_>,
    make: impl Fn(&Run) -> Result<Command, VerbError>,
) -> Result<Asked, VerbError> {
    let Asker { actor, reason, goes_on } = asker;
    loop {
        match store.borrow(name, &holder(), Settings::default().lease_ms).await {
            Ok(lease) => {
                let recorded = record(store, &lease, actor, reason, &make).await;
                let _ = match goes_on && recorded.is_ok() {
                    true => store.hand_on(&lease).await,
                    false => store.give_back(&lease).await,
                };
                return recorded.map(|()| Asked::InJournal);
            }
            Err(JournalError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let run = runtime::recover(store, name, |_, _| {}).await?.run;
        let command = make(&run)?;
        let request =
            Request { plan: run.plan().hash().to_owned(), actor: actor.to_owned(), reason: reason.to_owned(), command };
        if deliver(store, name, &request).await? {
            return Ok(Asked::OfDriver);
        }
    }
}

/// Posts a request to whoever drives a run and waits for the answer; `false` if nobody does any more and it was withdrawn.
///
/// # Errors
/// As for [`ask`].
///
/// # Cancel safety
/// Dropping the future leaves it open whether the verb was taken.
pub(crate) async fn deliver(store: &dyn Store, name: &str, request: &Request) -> Result<bool, VerbError> {
    let ttl = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    let id = store.post(name, &request.encode(), ttl).await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut looks = 0_u32;
    loop {
        let over = tokio::time::Instant::now() >= until;
        let fate = if over { store.withdraw(id).await? } else { store.fate(id).await? };
        match fate {
            Fate::Answered(reply) => return answered(&reply),
            Fate::Waiting | Fate::Taken => {}
            Fate::Withdrawn => return Err(VerbError::DriverSilent),
            Fate::Lost | Fate::Gone => return Err(VerbError::Lost),
        }
        looks += 1;
        if fate == Fate::Waiting && looks.is_multiple_of(LOOKS_BEFORE_LEASE) && is_free(store, name).await? {
            match store.withdraw(id).await? {
                Fate::Withdrawn => return Ok(false),
                Fate::Answered(reply) => return answered(&reply),
                _ => {}
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn answered(reply: &[u8]) -> Result<bool, VerbError> {
    match Reply::decode(reply) {
        Some(Reply::Recorded) => Ok(true),
        Some(Reply::Refused(why)) => Err(VerbError::Refused(why)),
        None => Err(VerbError::Refused("the driver's answer is of another version".to_owned())),
    }
}

async fn is_free(store: &dyn Store, name: &str) -> Result<bool, VerbError> {
    Ok(store.list().await?.iter().any(|run| run.head.run == name && run.held_by.is_none()))
}

/// Decides and appends a verb under a lease.
async fn record(
    store: &dyn Store,
    lease: &Lease,
    actor: &str,
    reason: &str,
    make: &impl Fn(&Run) -> Result<Command, VerbError>,
) -> Result<(), VerbError> {
    let recovered = runtime::recover(store, &lease.run, |_, _| {}).await?;
    let mut run = recovered.run;
    let command = make(&run)?;
    let evaluator = evaluator(run.plan()).map_err(VerbError::Expressions)?;
    let mut group = recovered.chain.writer();
    let at = SystemClock.now().max(run.now());
    let input = Input::Command { actor: actor.to_owned(), reason: reason.to_owned(), command };
    let mut inputs = vec![input];
    if run.opened_at().is_none() {
        inputs.insert(0, Input::Open { actor: actor.to_owned() });
    }
    for input in inputs {
        let events = run.decide(at, input, &evaluator).map_err(|why| VerbError::Refused(why.to_string()))?;
        for event in events {
            let record = Record { at, event };
            run.apply(&record)?;
            group.push(&record);
        }
    }
    store.append(lease, recovered.next, &group.finish().bytes).await?;
    let left = given_up(&run);
    if !left.is_empty() {
        store.let_go(&lease.run, &run.plan().spec().origin.estate, &left).await?;
    }
    Ok(())
}

/// Sites that the run has given up; letting go of one twice changes nothing.
fn given_up(run: &Run) -> Vec<String> {
    use engine::TakeOut;
    let left = |site: &engine::SiteIx| matches!(run.taken_out(*site), Some(TakeOut::Release | TakeOut::Exclude));
    let sites = (0..run.plan().site_count()).map(engine::SiteIx).filter(left);
    sites.map(|site| run.plan().spec().sites.id(site).to_owned()).collect()
}
