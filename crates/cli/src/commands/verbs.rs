//! The operator's verbs: each is one event with actor and reason, taken on a run that is going or not.

use engine::{Again, Command, Decree, Ruling, Run, SiteIx, Status, TakeOut};
use runtime::Store;
use serde_json::json;

use crate::args::{
    Adopt, Cancel, GateVerb, MarkDone, OfRun, PoolSet, Resolve, ResolveArg, Retry, SiteVerb, UnitVerb, Verb,
};
use crate::ask::{self, Asked};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{out, subject};

/// Takes a verb and says what became of it.
async fn take(
    of: &OfRun,
    reason: &str,
    json: bool,
    make: impl Fn(&Run) -> Result<Command, Failure>,
) -> Result<Exit, Failure> {
    let store = store::open(&of.stored.store).await?;
    let asked = ask::command(&*store, &of.name, reason, make).await?;
    tell(of, asked, json);
    Ok(Exit::Done)
}

fn tell(of: &OfRun, asked: Asked, json: bool) {
    if json {
        out::json(&json!({ "run": of.name, "recorded": true, "driven": asked == Asked::OfDriver }));
        return;
    }
    match asked {
        Asked::OfDriver => out::answer("recorded by the process that drives the run"),
        Asked::InJournal => out::answer(&format!(
            "recorded; nobody drives the run now: `reinstate resume {} --store {}` goes on",
            of.name, of.stored.store
        )),
    }
}

/// Starts nothing new.
pub(crate) async fn pause(args: Verb, json: bool) -> Result<Exit, Failure> {
    take(&args.of, &args.reason, json, |_| Ok(Command::Pause)).await
}

/// Lets a paused run go on.
pub(crate) async fn go_on(args: Verb, json: bool) -> Result<Exit, Failure> {
    take(&args.of, &args.reason, json, |_| Ok(Command::Continue)).await
}

/// Cancels a run, and takes back what it did if that is wished.
pub(crate) async fn cancel(args: Cancel, json: bool) -> Result<Exit, Failure> {
    if args.undo {
        hold_again(&args.verb.of).await?;
    }
    take(&args.verb.of, &args.verb.reason, json, |_| Ok(Command::Cancel { undo: args.undo })).await
}

/// Approves a gate.
pub(crate) async fn approve(args: GateVerb, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, |run| Ok(Command::Approve { gate: subject::gate(run, &args.gate)? }))
        .await
}

/// Rejects a gate.
pub(crate) async fn reject(args: GateVerb, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, |run| Ok(Command::Reject { gate: subject::gate(run, &args.gate)? }))
        .await
}

/// Tries again.
pub(crate) async fn retry(args: Retry, json: bool) -> Result<Exit, Failure> {
    hold_again(&args.verb.of).await?;
    take(&args.verb.of, &args.verb.reason, json, |run| {
        let what = match (&args.subject, &args.from) {
            (None, _) => Again::Quarantined,
            (Some(id), Some(step)) => Again::From(subject::site(run, id)?, subject::step(run, step)?),
            (Some(text), None) => match subject::site(run, text) {
                Ok(site) => Again::Site(site),
                Err(_) => Again::Unit(subject::unit(run, text)?),
            },
        };
        Ok(Command::Retry { what })
    })
    .await
}

/// Settles a step as not to be done.
pub(crate) async fn skip(args: UnitVerb, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, |run| {
        let (node, item) = subject::node(run, &args.unit)?;
        Ok(Command::Overrule { node, item, how: Decree::Skip })
    })
    .await
}

/// Settles a step as done by hand.
pub(crate) async fn mark_done(args: MarkDone, json: bool) -> Result<Exit, Failure> {
    let outputs = match &args.outputs {
        None => None,
        Some(text) if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok() => {
            Some(text.clone().into_boxed_str())
        }
        Some(_) => {
            return Err(Failure::input("outputs-form", "the outputs are no JSON object", "write '{\"path\": ...}'"));
        }
    };
    take(&args.of, &args.evidence, json, |run| {
        let (node, item) = subject::node(run, &args.unit)?;
        Ok(Command::Overrule { node, item, how: Decree::Done { outputs: outputs.clone() } })
    })
    .await
}

/// Says what is true of a unit in doubt.
pub(crate) async fn resolve(args: Resolve, json: bool) -> Result<Exit, Failure> {
    let ruling = match args.truth {
        ResolveArg::Done => Ruling::Done,
        ResolveArg::NotDone => Ruling::Again,
        ResolveArg::GiveUp => Ruling::GiveUp,
    };
    take(&args.verb.of, &args.verb.reason, json, |run| {
        Ok(Command::Rule { unit: subject::unit(run, &args.unit)?, ruling })
    })
    .await
}

/// Takes a site out.
pub(crate) async fn take_out(args: SiteVerb, how: TakeOut, json: bool) -> Result<Exit, Failure> {
    if how == TakeOut::Undo {
        hold_again(&args.verb.of).await?;
    }
    take(&args.verb.of, &args.verb.reason, json, |run| {
        Ok(Command::TakeOut { site: subject::site(run, &args.site)?, how })
    })
    .await
}

/// Changes the size of a pool.
pub(crate) async fn pool_set(args: PoolSet, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, |run| {
        Ok(Command::SetPool { pool: subject::pool(run, &args.pool)?, slots: args.slots })
    })
    .await
}

/// Brings a site in that another run has released.
pub(crate) async fn adopt(args: Adopt, json: bool) -> Result<Exit, Failure> {
    let of = &args.verb.of;
    let store = store::open(&of.stored.store).await?;
    let other = runtime::recover(&*store, &args.from, |_, _| {}).await?.run;
    let mine = runtime::recover(&*store, &of.name, |_, _| {}).await?.run;
    let site = subject::site(&mine, &args.site)?;
    let (from, units) = begun_there(&other, &args.from, &mine, site, &args.site)?;
    let sites = [args.site.clone()];
    let estate = &mine.plan().spec().origin.estate;
    store.hold_sites(&of.name, estate, &sites).await?;
    let asked = ask::command(&*store, &of.name, &args.verb.reason, |run| {
        Ok(Command::Adopt { site: subject::site(run, &args.site)?, from: from.clone(), units: units.clone() })
    })
    .await;
    if asked.is_err() {
        store.let_go(&of.name, estate, &sites).await?;
    }
    tell(of, asked?, json);
    Ok(Exit::Done)
}

/// What another run may have done for a site, in units of this one: those of steps of the same name and action.
fn begun_there(
    other: &Run,
    name: &str,
    mine: &Run,
    site: SiteIx,
    id: &str,
) -> Result<(String, Vec<(engine::UnitIx, u32)>), Failure> {
    let there = subject::site(other, id)?;
    if other.taken_out(there) != Some(TakeOut::Release) {
        return Err(Failure::input(
            "site-not-released",
            format!("run {name} has not released site {id}"),
            format!("`reinstate release {name} {id} --reason ...` lets it go"),
        ));
    }
    let mut units = Vec::new();
    let own = |run: &Run, site: SiteIx, step: engine::StepIx| {
        let spec = run.plan().step(step);
        let of_site = spec.scope == engine::Scope::Site && !spec.finally;
        let uses = run.plan().action(step).map(|action| action.uses.clone());
        (of_site && uses.is_some()).then(|| (run.plan().node(step, engine::KeyIx(site.0)), spec.name.clone(), uses))
    };
    for step in mine.plan().steps() {
        let Some((node, step_name, uses)) = own(mine, site, step) else { continue };
        let same = other.plan().steps().find_map(|step| {
            own(other, there, step).filter(|(_, name, other_uses)| *name == step_name && *other_uses == uses)
        });
        let Some((theirs, _, _)) = same else { continue };
        for (unit, theirs) in mine.units_of(node).zip(other.units_of(theirs)) {
            let theirs = engine::UnitIx(theirs);
            if other.may_have_acted(theirs) {
                units.push((engine::UnitIx(unit), other.attempts(theirs)));
            }
        }
    }
    // Keys stand under the run that began the site, however often it has moved since.
    Ok((other.adopted_from(there).unwrap_or(name).to_owned(), units))
}

/// A run that has ended has let its sites go; to go on with it, it must hold them again.
pub(crate) async fn hold_again(of: &OfRun) -> Result<(), Failure> {
    let store = store::open(&of.stored.store).await?;
    let run = runtime::recover(&*store, &of.name, |_, _| {}).await?.run;
    if !matches!(run.status(), Status::Ended(_)) {
        return Ok(());
    }
    hold_own_sites(&*store, &of.name, &run).await
}

/// Holds every site of a run that it has not given up.
pub(crate) async fn hold_own_sites(store: &dyn Store, name: &str, run: &Run) -> Result<(), Failure> {
    let kept = |site: &SiteIx| !matches!(run.taken_out(*site), Some(TakeOut::Release | TakeOut::Exclude));
    let sites = (0..run.plan().site_count()).map(SiteIx).filter(kept);
    let sites: Vec<String> = sites.map(|site| run.plan().spec().sites.id(site).to_owned()).collect();
    Ok(store.hold_sites(name, &run.plan().spec().origin.estate, &sites).await?)
}
