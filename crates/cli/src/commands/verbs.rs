//! Verbs on a run that nobody drives: each is an event with actor and reason, appended under the run's lease.

use engine::{Command, Input, Record, Ruling, Run, UnitIx};
use runtime::{Clock, Settings, SystemClock};
use serde_json::json;

use crate::args::{Rule, RulingArg, Verb};
use crate::execute::{actor, holder};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{out, planning};

/// Lets a paused run go on.
pub(crate) async fn go_on(args: Verb, json: bool) -> Result<Exit, Failure> {
    record(args, json, |_| Ok(Command::Continue)).await
}

/// Cancels a run.
pub(crate) async fn cancel(args: Verb, json: bool) -> Result<Exit, Failure> {
    record(args, json, |_| Ok(Command::Cancel { undo: false })).await
}

/// Rules on a unit that waits for an operator.
pub(crate) async fn rule(args: Rule, json: bool) -> Result<Exit, Failure> {
    let ruling = match args.ruling {
        RulingArg::Done => Ruling::Done,
        RulingArg::Again => Ruling::Again,
        RulingArg::GiveUp => Ruling::GiveUp,
    };
    let name = args.unit;
    record(args.verb, json, |run| {
        let unit = find(run, &name)?;
        Ok(Command::Rule { unit, ruling })
    })
    .await
}

fn find(run: &Run, name: &str) -> Result<UnitIx, Failure> {
    let waiting: Vec<UnitIx> = run.for_operator().collect();
    waiting.iter().copied().find(|&unit| run.unit_name(unit) == name).ok_or_else(|| {
        let known: Vec<String> = waiting.iter().take(5).map(|&unit| run.unit_name(unit)).collect();
        let hint = if known.is_empty() {
            "no unit of this run waits for a ruling".to_owned()
        } else {
            format!("units that wait: {}", known.join(", "))
        };
        Failure::input("unit-unknown", format!("{name} does not wait for a ruling"), hint)
    })
}

async fn record(
    args: Verb,
    json: bool,
    command: impl FnOnce(&Run) -> Result<Command, Failure>,
) -> Result<Exit, Failure> {
    let journal = store::open(&args.of.stored.store).await?;
    let name = &args.of.name;
    let lease = journal.acquire(name, &holder(), Settings::default().lease_ms).await?;
    let result = async {
        let recovered = runtime::recover(&*journal, name, |_, _| {}).await?;
        let mut run = recovered.run;
        let evaluator = planning::evaluator(run.plan())?;
        let command = command(&run)?;
        let at = SystemClock.now().max(run.now());
        let input = Input::Command { actor: actor(), reason: args.reason.clone(), command };
        let events = run
            .decide(at, input, &evaluator)
            .map_err(|why| Failure::input("verb-refused", why.to_string(), "look at `reinstate status`"))?;
        let mut group = engine::GroupWriter::default();
        for event in events {
            let record = Record { at, event };
            run.apply(&record).map_err(|error| Failure::trouble("run.defect", &error, "report this defect"))?;
            group.push(&record);
        }
        journal.append(&lease, recovered.next, &group.finish()).await?;
        Ok::<(), Failure>(())
    }
    .await;
    let _ = journal.release(&lease).await;
    result?;
    if json {
        out::json(&json!({ "run": name, "recorded": true }));
    } else {
        out::answer(&format!("recorded; `reinstate resume {name} --store {}` goes on", args.of.stored.store));
    }
    Ok(Exit::Done)
}
