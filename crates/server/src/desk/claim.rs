//! Taking things in hand and out of it again. Each is one compare-and-set in the store, so several daemons may do it at once.

use std::collections::BTreeSet;

use engine::{Gate, Run};
use runtime::{Clock, Store, SystemClock, ToClaim, WorkClaim};

use crate::app::App;
use crate::desk::DeskError;
use crate::verbs::claims::claim_on;
use crate::verbs::{REASON_MAX, VerbError, subject};

/// How long a claim lasts that nobody renews: half an hour.
const CLAIM_MS: u64 = 30 * 60 * 1_000;
/// Free things that are tried before somebody is told that nothing is free.
const TRIES: usize = 64;

/// Gives a free thing that a person may decide on, of one step or of any, in the plan's order; another one to each who asks.
pub(crate) async fn next(app: &App, run: &str, who: &str, step: Option<String>) -> Result<WorkClaim, DeskError> {
    let store = &*app.drivers.kit().store;
    let mut watch = app.followers.watch(run).await?;
    // Before the turn: reading a journal for the first time takes what it takes.
    watch.caught_up().await?;
    // Many ask in the same moment: one after another they need not try for the same thing. Other daemons still may.
    let _turn = app.desk.at(run).await;
    // Claims before the run: what is decided loses its claim after its decision is in the journal.
    let claims = store.claims(run).await?;
    watch.fresh().await?;
    let now = SystemClock.now();
    let taken: BTreeSet<String> =
        claims.into_iter().filter(|claim| claim.holder(now).is_some()).map(|claim| claim.subject).collect();
    let person = who.to_owned();
    let free = watch.ask(move |fold| free(fold.run(), &person, step.as_deref(), &taken)).await??;
    for gate in free {
        if store.set_claim(run, &gate, None, Some(&to(who))).await? {
            return held(store, run, &gate).await;
        }
    }
    Err(DeskError::NothingFree(who.to_owned()))
}

/// What is open, free, and this person's to decide.
fn free(run: &Run, who: &str, step: Option<&str>, taken: &BTreeSet<String>) -> Result<Vec<String>, DeskError> {
    let step = step.map(|name| subject::step(run, name)).transpose()?;
    let of_step = |gate: Gate| match gate {
        Gate::Unit(unit) => step.is_none() || run.unit_at(unit).map(|(node, _)| run.plan().node_at(node).0) == step,
        Gate::Start | Gate::Batch(_) => false,
    };
    let mine = run.requests_open_to(who).map(|request| request.gate).filter(|&gate| of_step(gate));
    let named = mine.map(|gate| report::gate_word(run, gate)).filter(|name| !taken.contains(name));
    Ok(named.take(TRIES).collect())
}

/// Takes a free thing, by name; renews it if it is this person's already.
pub(crate) async fn take(app: &App, run: &str, who: &str, gate: &str) -> Result<WorkClaim, DeskError> {
    let gate = decidable(app, run, who, gate).await?;
    let store = &*app.drivers.kit().store;
    let free = store.set_claim(run, &gate, None, Some(&to(who))).await?;
    if free || store.set_claim(run, &gate, Some(who), Some(&to(who))).await? {
        return held(store, run, &gate).await;
    }
    Err(match claim_on(store, run, &gate).await? {
        Some(claim) => VerbError::Claimed { gate, who: claim.who, until: claim.until }.into(),
        None => DeskError::NotYours { gate },
    })
}

/// Takes a thing out of another's hands, and says there why.
pub(crate) async fn take_over(
    app: &App,
    run: &str,
    who: &str,
    (gate, from): (&str, &str),
    reason: &str,
) -> Result<WorkClaim, DeskError> {
    sound(reason)?;
    let gate = decidable(app, run, who, gate).await?;
    let store = &*app.drivers.kit().store;
    let note = Some((who.to_owned(), format!("took it over from {from}: {reason}")));
    if store.set_claim(run, &gate, Some(from), Some(&ToClaim { note, ..to(who) })).await? {
        return held(store, run, &gate).await;
    }
    Err(DeskError::NotTheirs { gate, who: from.to_owned() })
}

/// Has a claim last its full time from now on.
pub(crate) async fn renew(app: &App, run: &str, who: &str, gate: &str) -> Result<WorkClaim, DeskError> {
    let store = &*app.drivers.kit().store;
    set_own(store, run, who, gate, &to(who)).await?;
    held(store, run, gate).await
}

/// Puts a thing into the hands of somebody who may decide on it, with a note for them.
pub(crate) async fn hand_over(
    app: &App,
    run: &str,
    who: &str,
    (gate, next): (&str, &str),
    note: &str,
) -> Result<(), DeskError> {
    sound(note)?;
    let gate = &may(app, run, next, gate).await?.map_err(|why| {
        let (gate, who) = (gate.to_owned(), next.to_owned());
        DeskError::Person { gate, who, why }
    })?;
    let note = Some((who.to_owned(), note.to_owned()));
    set_own(&*app.drivers.kit().store, run, who, gate, &ToClaim { note, ..to(next) }).await
}

/// Lets a thing go; a note for whoever comes next may be left with it.
pub(crate) async fn give_back(app: &App, run: &str, who: &str, gate: &str, note: &str) -> Result<(), DeskError> {
    let note = if note.trim().is_empty() { None } else { Some((who.to_owned(), note.to_owned())) };
    if let Some((_, note)) = &note {
        sound(note)?;
    }
    let back = ToClaim { who: who.to_owned(), ttl_ms: 0, note };
    set_own(&*app.drivers.kit().store, run, who, gate, &back).await
}

/// Hands over or gives back all that is in a person's hands; gives how many things that were. What the next person may
/// not decide on is given back; if they may decide on none of it, the name is wrong, and nothing changes.
pub(crate) async fn end_shift(
    app: &App,
    run: &str,
    who: &str,
    next: Option<&str>,
    note: &str,
) -> Result<(usize, usize), DeskError> {
    if next.is_some() || !note.trim().is_empty() {
        sound(note)?;
    }
    let (now, mut handed, mut back) = (SystemClock.now(), 0, 0);
    let claims = app.drivers.kit().store.claims(run).await?;
    let held: Vec<&WorkClaim> = claims.iter().filter(|claim| claim.holder(now) == Some(who)).collect();
    if let Some(next) = next {
        goes_on(app, run, next, &held).await?;
    }
    for claim in held {
        let given = match next {
            Some(next) => hand_over(app, run, who, (&claim.subject, next), note).await.map(|()| handed += 1),
            None => Err(DeskError::NotYours { gate: claim.subject.clone() }),
        };
        match given {
            Ok(()) => {}
            // It may have been decided or lost meanwhile; then there is nothing to give back.
            Err(DeskError::Person { .. } | DeskError::NotYours { .. } | DeskError::Verb(VerbError::Subject(_))) => {
                match give_back(app, run, who, &claim.subject, note).await {
                    Ok(()) => back += 1,
                    Err(DeskError::NotYours { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok((handed, back))
}

/// Refuses somebody who may decide on nothing of what is held and still waits.
async fn goes_on(app: &App, run: &str, next: &str, held: &[&WorkClaim]) -> Result<(), DeskError> {
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    let gates: Vec<String> = held.iter().map(|claim| claim.subject.clone()).collect();
    let person = next.to_owned();
    let asked = watch.ask(move |fold| {
        let run = fold.run();
        let mut refused = None;
        for name in gates {
            let Some(gate) = subject::gate(run, &name).ok().filter(|&gate| run.request(gate).is_some()) else {
                continue;
            };
            match run.may_be_approved_by(gate, &person) {
                Ok(()) => return None,
                Err(why) => refused = refused.or_else(|| Some((name, why.to_string()))),
            }
        }
        refused
    });
    match asked.await? {
        Some((gate, why)) => Err(DeskError::Person { gate, who: next.to_owned(), why }),
        None => Ok(()),
    }
}

fn to(who: &str) -> ToClaim {
    ToClaim { who: who.to_owned(), ttl_ms: CLAIM_MS, note: None }
}

fn sound(text: &str) -> Result<(), VerbError> {
    if text.trim().is_empty() || text.chars().count() > REASON_MAX { Err(VerbError::NoReason) } else { Ok(()) }
}

async fn set_own(store: &dyn Store, run: &str, who: &str, gate: &str, to: &ToClaim) -> Result<(), DeskError> {
    if store.set_claim(run, gate, Some(who), Some(to)).await? {
        return Ok(());
    }
    Err(DeskError::NotYours { gate: gate.to_owned() })
}

async fn held(store: &dyn Store, run: &str, gate: &str) -> Result<WorkClaim, DeskError> {
    claim_on(store, run, gate).await?.ok_or_else(|| DeskError::NotYours { gate: gate.to_owned() })
}

/// The name of a thing that a person may decide on; refused as their decision would be.
async fn decidable(app: &App, run: &str, who: &str, gate: &str) -> Result<String, DeskError> {
    may(app, run, who, gate).await?.map_err(|why| VerbError::Refused(why).into())
}

/// The name of an approval step's unit, or why a person may not decide on it.
async fn may(app: &App, run: &str, who: &str, gate: &str) -> Result<Result<String, String>, DeskError> {
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    let (gate, who) = (gate.to_owned(), who.to_owned());
    let asked = watch.ask(move |fold| {
        let run = fold.run();
        let found = subject::gate(run, &gate)?;
        if !matches!(found, Gate::Unit(_)) {
            return Ok(Err("the start of a run and its batches are approved, not validated".to_owned()));
        }
        let may = run.may_be_approved_by(found, &who);
        Ok(may.map(|()| report::gate_word(run, found)).map_err(|why| why.to_string()))
    });
    asked.await?
}
