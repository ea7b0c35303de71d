//! `worker` and `workers`: executing attempts for drivers, and who does.

use std::sync::Arc;

use runtime::{Hands, LivingWorker, SystemClock, WorkerSettings, Working};
use serde_json::{Value, json};
use server::holder;
use tokio_util::sync::CancellationToken;

use crate::args::{Stored, WorkerArgs};
use crate::execute::kit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{out, signals};

/// Works until it is told to end.
pub(crate) async fn worker(args: WorkerArgs, json: bool) -> Result<Exit, Failure> {
    let store = args.stored.store.open().await?;
    let stop = signals::stop_of_worker();
    let name = args.name.unwrap_or_else(|| holder().name);
    let settings = WorkerSettings {
        name: name.clone(),
        labels: args.labels.0.clone(),
        slots: args.slots,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ttl_ms: u64::try_from(args.lease.as_millis()).unwrap_or(u64::MAX),
        drain: stop.cleanly.clone(),
        at_once: stop.at_once.clone(),
    };
    end_after(args.grace, stop.cleanly, stop.at_once);
    let kit = kit(&store, args.logged.run_logs);
    let hands = Hands::new(&kit.connectors, kit.vault.clone());
    let hands = match kit.logs_max {
        0 => hands,
        most => hands.keeping(store.clone(), Arc::new(SystemClock), most),
    };
    let mut tell = |what: Working| say(&what, &name, json);
    let executed = runtime::work(&*store, hands, settings, &mut tell).await?;
    match json {
        true => out::json(&json!({ "event": "ended", "executed": executed })),
        false => out::answer(&format!("ended; {executed} attempts executed")),
    }
    Ok(Exit::Done)
}

/// Ends what is draining for too long.
fn end_after(grace: std::time::Duration, drain: CancellationToken, at_once: CancellationToken) {
    tokio::spawn(async move {
        drain.cancelled().await;
        tokio::time::sleep(grace).await;
        at_once.cancel();
    });
}

fn say(what: &Working, name: &str, json: bool) {
    if json {
        out::json(&match what {
            Working::Enlisted(id) => json!({ "event": "enlisted", "worker": id, "name": name }),
            Working::Lapsed(had) => json!({ "event": "lapsed", "gave_up": had }),
            Working::Drains(left) => json!({ "event": "drains", "left": left }),
        });
        return;
    }
    out::answer(&report::plain(&match what {
        Working::Enlisted(id) => format!("worker {id} ({name}) takes orders; Ctrl-C lets it finish what it has"),
        Working::Lapsed(had) => format!("out of touch for too long: gave up {had} attempts, and begins anew"),
        Working::Drains(left) => format!("takes no more; {left} attempts left"),
    }));
}

/// Lists the workers of a store that live.
pub(crate) async fn workers(args: &Stored, json: bool) -> Result<Exit, Failure> {
    let store = args.store.open().await?;
    let living = store.workers().await?;
    if json {
        out::json(&living.iter().map(as_json).collect::<Vec<_>>());
    } else if living.is_empty() {
        out::note("no worker lives; `reinstate worker --labels ... --slots N` starts one");
    } else {
        let lines: Vec<String> = living.iter().map(line).collect();
        out::answer(&lines.join("\n"));
    }
    Ok(Exit::Done)
}

/// The labels that people gave it; the program's own begin with a colon.
fn labels(worker: &LivingWorker) -> Vec<&str> {
    worker.worker.labels.iter().map(String::as_str).filter(|label| !label.starts_with(':')).collect()
}

fn as_json(one: &LivingWorker) -> Value {
    json!({
        "worker": one.id, "name": one.worker.name, "labels": labels(one), "slots": one.worker.slots,
        "holds": one.holds, "drains": one.drains, "version": one.worker.version,
        "lives_until": report::stamp(one.until),
    })
}

fn line(one: &LivingWorker) -> String {
    let labels = match labels(one).join(",") {
        labels if labels.is_empty() => "no labels".to_owned(),
        labels => labels,
    };
    let (id, holds, slots, name) = (one.id, one.holds, one.worker.slots, &one.worker.name);
    let drains = if one.drains { "  drains" } else { "" };
    report::plain(&format!("{id:<5} {holds:>4} of {slots:<5} {:<9} {name:<40} {labels}{drains}", one.worker.version))
}
