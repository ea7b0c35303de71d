//! Bringing a verb to a run: through the mailbox of the process that drives it, or, if nobody does, into its journal.

use std::time::Duration;

use engine::{Command, Input, Record, Run};
use runtime::{Clock, Fate, JournalError, Lease, Reply, Request, Settings, Store, SystemClock};

use crate::execute::holder;
use crate::failure::Failure;
use crate::{people, planning};

/// Time for which a driver is waited for; a live one answers within a second.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Looks after which the lease is tried once more: whoever held it may have been another verb, or has gone.
const LOOKS_BEFORE_LEASE: u32 = 10;

/// How a verb became an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The process that drives the run has recorded it.
    OfDriver,
    /// Nobody drives the run; it is in the journal.
    InJournal,
}

/// Takes a verb on a run; the event is durable on return. The command is made from the run as it is then.
///
/// # Errors
/// If the run refuses it, the driver does not answer (what became of the verb is said then), or the store fails.
pub(crate) async fn command(
    store: &dyn Store,
    name: &str,
    reason: &str,
    make: impl Fn(&Run) -> Result<Command, Failure>,
) -> Result<Asked, Failure> {
    loop {
        match store.acquire(name, &holder(), Settings::default().lease_ms).await {
            Ok(lease) => {
                let recorded = record(store, &lease, reason, &make).await;
                let _ = store.release(&lease).await;
                return recorded.map(|()| Asked::InJournal);
            }
            Err(JournalError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let run = runtime::recover(store, name, |_, _| {}).await?.run;
        let command = make(&run)?;
        let request =
            Request { plan: run.plan().hash().to_owned(), actor: people::actor(), reason: reason.to_owned(), command };
        if post(store, name, &request).await? {
            return Ok(Asked::OfDriver);
        }
    }
}

/// Posts a request and waits for the answer; `false` if nobody drives the run any more and it was withdrawn.
async fn post(store: &dyn Store, name: &str, request: &Request) -> Result<bool, Failure> {
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
            Fate::Withdrawn => {
                return Err(Failure::input(
                    "driver-silent",
                    "the process that drives the run did not take the verb; it was withdrawn, and nothing has changed",
                    "look at that process; `reinstate status` names it",
                ));
            }
            Fate::Lost | Fate::Gone => {
                return Err(Failure::input(
                    "verb-unknown",
                    "the process that drove the run ended while it had the verb; it may have been recorded or not",
                    "look at `reinstate logs`, and take the verb again if it is not there",
                ));
            }
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

fn answered(reply: &[u8]) -> Result<bool, Failure> {
    match Reply::decode(reply) {
        Some(Reply::Recorded) => Ok(true),
        Some(Reply::Refused(why)) => Err(refused(&why)),
        None => Err(refused("the driver's answer is of another version")),
    }
}

fn refused(why: &str) -> Failure {
    Failure::input("verb-refused", why, "look at `reinstate status` and `reinstate why`; nothing has changed")
}

async fn is_free(store: &dyn Store, name: &str) -> Result<bool, Failure> {
    Ok(store.list().await?.iter().any(|run| run.head.run == name && run.held_by.is_none()))
}

/// Decides and appends a verb under a lease.
async fn record(
    store: &dyn Store,
    lease: &Lease,
    reason: &str,
    make: &impl Fn(&Run) -> Result<Command, Failure>,
) -> Result<(), Failure> {
    let recovered = runtime::recover(store, &lease.run, |_, _| {}).await?;
    let mut run = recovered.run;
    let command = make(&run)?;
    let evaluator = planning::evaluator(run.plan())?;
    let mut group = engine::GroupWriter::default();
    let at = SystemClock.now().max(run.now());
    let input = Input::Command { actor: people::actor(), reason: reason.to_owned(), command };
    let mut inputs = vec![input];
    if run.opened_at().is_none() {
        inputs.insert(0, Input::Open { actor: people::actor() });
    }
    for input in inputs {
        let events = run.decide(at, input, &evaluator).map_err(|why| refused(&why.to_string()))?;
        for event in events {
            let record = Record { at, event };
            run.apply(&record).map_err(|error| Failure::trouble("run.defect", &error, "report this defect"))?;
            group.push(&record);
        }
    }
    store.append(lease, recovered.next, &group.finish()).await?;
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
