//! Making a run of a plan: its name, its hold on its sites, and who opened it.

use std::collections::BTreeMap;

use engine::{Command, Input, Millis, Plan, Record, TakeOut};
use runtime::{Clock, Settings, Store, SystemClock};

use crate::drivers::holder;
use crate::planning::evaluator;
use crate::verbs::{Asker, VerbError, ask, subject};

/// Whether something can be the name of a run: names stand in idempotency keys, file names and commands.
#[must_use]
pub fn is_run_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with(['-', '.'])
}

/// The name of a run that nobody named: the runbook's, and the time.
#[must_use]
pub fn default_run_name(plan: &Plan, now: Millis) -> String {
    let time: String = report::stamp(now).chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{}-{time}Z", plan.spec().origin.runbook)
}

/// Creates a run with its hold on every site, or, if `skip_held`, on those that no other run holds: the others are excluded
/// by `actor`. Nobody has opened it then, unless sites were excluded.
///
/// # Errors
/// If the name is taken, another run holds a site, or the store fails.
///
/// # Cancel safety
/// Dropping the future leaves it open whether the run was created.
pub async fn create_run(
    store: &dyn Store,
    name: &str,
    plan: &Plan,
    actor: &str,
    skip_held: bool,
) -> Result<(), VerbError> {
    let spec = plan.spec();
    let ids: Vec<String> = spec.sites.ids.iter().map(str::to_owned).collect();
    let held = if skip_held { store.holders(&spec.origin.estate, &ids).await? } else { Vec::new() };
    let holder: BTreeMap<&str, &str> = held.iter().map(|held| (held.site.as_str(), held.run.as_str())).collect();
    let free: Vec<String> = ids.iter().filter(|id| !holder.contains_key(id.as_str())).cloned().collect();
    let (head, bytes) = runtime::created(name, plan, SystemClock.now())?;
    store.create_holding(&head, &bytes, &spec.origin.estate, &free).await?;
    for (id, run) in holder {
        let reason = format!("run {run} holds it");
        let exclude =
            |mine: &engine::Run| Ok(Command::TakeOut { site: subject::site(mine, id)?, how: TakeOut::Exclude });
        ask(store, name, Asker { actor, reason: &reason, goes_on: false }, exclude).await?;
    }
    Ok(())
}

/// Opens a run in the name of whoever asked for it, who may then not approve it, and leaves it to whoever stands by; durable on
/// return. Nothing for one that is open.
///
/// # Errors
/// If somebody else drives it, or the store fails.
///
/// # Cancel safety
/// Dropping the future leaves it open whether the run was opened.
pub(crate) async fn open_run(store: &dyn Store, name: &str, actor: &str) -> Result<(), VerbError> {
    let lease = store.borrow(name, &holder(), Settings::default().lease_ms).await?;
    let opened = async {
        let recovered = runtime::recover(store, name, |_, _| {}).await?;
        let mut run = recovered.run;
        if run.opened_at().is_some() {
            return Ok(());
        }
        let evaluator = evaluator(run.plan()).map_err(VerbError::Expressions)?;
        let at = SystemClock.now();
        let input = Input::Open { actor: actor.to_owned() };
        let events = run.decide(at, input, &evaluator).map_err(|why| VerbError::Refused(why.to_string()))?;
        let mut group = recovered.chain.writer();
        for event in events {
            let record = Record { at, event };
            run.apply(&record)?;
            group.push(&record);
        }
        store.append(&lease, recovered.next, &group.finish().bytes).await?;
        Ok(())
    };
    let opened = opened.await;
    // Whoever asked was told that it goes on, also if this process does not come to drive it.
    let _ = if opened.is_ok() { store.hand_on(&lease).await } else { store.give_back(&lease).await };
    opened
}
