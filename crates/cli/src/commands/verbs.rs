//! The operator's verbs: each is one event with actor and reason, taken on a run that is going or not.

use engine::TakeOut;
use serde_json::json;
use server::verbs::{Truth, Verb as What, VerbError, subject};

use crate::args::{
    Adopt, Approve, Cancel, GateVerb, MarkDone, OfRun, PoolSet, Resolve, ResolveArg, Retry, SiteVerb, UnitVerb, Verb,
};
use crate::ask::{self, Asked};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// Takes a verb and says what became of it.
async fn take(of: &OfRun, reason: &str, json: bool, verb: What) -> Result<Exit, Failure> {
    let store = of.stored.store.open().await?;
    let asked = ask::take(&*store, &of.name, reason, &verb).await?;
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
    take(&args.of, &args.reason, json, What::Pause).await
}

/// Lets a paused run go on.
pub(crate) async fn go_on(args: Verb, json: bool) -> Result<Exit, Failure> {
    take(&args.of, &args.reason, json, What::Continue).await
}

/// Cancels a run, and takes back what it did if that is wished.
pub(crate) async fn cancel(args: Cancel, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::Cancel { undo: args.undo }).await
}

/// Approves a gate. What `--checked` confirms is what the run says is open.
pub(crate) async fn approve(args: Approve, json: bool) -> Result<Exit, Failure> {
    let GateVerb { verb: Verb { of, reason }, gate } = args.gate;
    let store = of.stored.store.open().await?;
    let mut checked = Vec::new();
    if args.checked {
        let run = runtime::recover(&*store, &of.name, |_, _| {}).await?.run;
        checked = run.checklist(subject::gate(&run, &gate).map_err(VerbError::from)?).to_vec();
    }
    let asked = ask::take(&*store, &of.name, &reason, &What::Approve { gate, checked }).await?;
    tell(&of, asked, json);
    Ok(Exit::Done)
}

/// Rejects a gate.
pub(crate) async fn reject(args: GateVerb, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::Reject { gate: args.gate }).await
}

/// Tries again.
pub(crate) async fn retry(args: Retry, json: bool) -> Result<Exit, Failure> {
    let verb = match (args.subject, args.from) {
        (None, _) => What::RetryQuarantined,
        (Some(site), Some(step)) => What::RetryFrom { site, step },
        (Some(subject), None) => What::Retry { subject },
    };
    take(&args.verb.of, &args.verb.reason, json, verb).await
}

/// Settles a step as not to be done.
pub(crate) async fn skip(args: UnitVerb, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::Skip { unit: args.unit }).await
}

/// Settles a step as done by hand.
pub(crate) async fn mark_done(args: MarkDone, json: bool) -> Result<Exit, Failure> {
    take(&args.of, &args.evidence, json, What::MarkDone { unit: args.unit, outputs: args.outputs }).await
}

/// Says what is true of a unit in doubt.
pub(crate) async fn resolve(args: Resolve, json: bool) -> Result<Exit, Failure> {
    let truth = match args.truth {
        ResolveArg::Done => Truth::Done,
        ResolveArg::NotDone => Truth::NotDone,
        ResolveArg::GiveUp => Truth::GiveUp,
    };
    take(&args.verb.of, &args.verb.reason, json, What::Resolve { unit: args.unit, truth }).await
}

/// Takes a site out.
pub(crate) async fn take_out(args: SiteVerb, how: TakeOut, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::TakeOut { site: args.site, how }).await
}

/// Changes the size of a pool.
pub(crate) async fn pool_set(args: PoolSet, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::SetPool { pool: args.pool, slots: args.slots }).await
}

/// Brings a site in that another run has released.
pub(crate) async fn adopt(args: Adopt, json: bool) -> Result<Exit, Failure> {
    take(&args.verb.of, &args.verb.reason, json, What::Adopt { site: args.site, from: args.from }).await
}
