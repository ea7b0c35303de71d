//! `drill list`, `history` and `verify`: what the history says.

use std::path::PathBuf;
use std::sync::Arc;

use engine::Millis;
use report::{DrillReport, Readiness, stamp};
use runtime::{Clock, DrillEntry, Store, SystemClock};
use serde_json::json;
use server::drills::LoadedDrill;

use super::conclude;
use super::read;
use crate::args::{DrillHistory, DrillList, StoreAddress};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::out;

/// How a drill stands.
struct Standing {
    name: String,
    next: Option<Millis>,
    next_there: Option<String>,
    last: Option<DrillEntry>,
    last_good: Option<Millis>,
    /// Since when a good drill is missing.
    alarm: Option<Millis>,
}

/// Lists drills.
pub(super) async fn list(args: &DrillList, json: bool) -> Result<Exit, Failure> {
    let (all, _) = match standings(&args.files, &args.stored.store, false, json).await? {
        Ok(all) => all,
        Err(exit) => return Ok(exit),
    };
    if json {
        out::json(&all.iter().map(Standing::json).collect::<Vec<_>>());
    } else {
        all.iter().for_each(|standing| out::answer(&standing.line()));
    }
    Ok(Exit::Done)
}

/// Fails unless each drill passed lately, by the history, once what was lost is ended: that nothing was running is no excuse.
pub(super) async fn verify(args: &DrillList, json: bool) -> Result<Exit, Failure> {
    let (all, now) = match standings(&args.files, &args.stored.store, true, json).await? {
        Ok(all) => all,
        Err(exit) => return Ok(exit),
    };
    let late = |standing: &&Standing| standing.last_good.is_none() || standing.alarm.is_some_and(|since| since < now);
    let count = all.iter().filter(late).count();
    if json {
        out::json(&all.iter().map(Standing::json).collect::<Vec<_>>());
    } else {
        all.iter().for_each(|standing| out::answer(&standing.line()));
    }
    Ok(if count == 0 { Exit::Done } else { Exit::NotGood })
}

/// Shows how a drill went.
pub(super) async fn history(args: &DrillHistory, json: bool) -> Result<Exit, Failure> {
    let loaded = match read::loaded(&args.file, json)? {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let store = args.stored.store.open().await?;
    let entries = store.drills(Some(loaded.drill.name()), args.last).await?;
    let bytes = entries.iter().filter_map(|entry| Some(&entry.result.as_ref()?.bytes));
    let reports: Vec<DrillReport> = bytes.filter_map(|bytes| DrillReport::from_json(bytes)).collect();
    let trend = report::trend(&reports);
    let ready = ready(&store, &loaded, &reports).await?;
    if json {
        out::json(&json!({ "drill": loaded.drill.name(), "trend": trend, "readiness": ready, "drills": reports }));
    } else {
        out::answer(report::render_trend(&trend).trim_end());
        out::answer(&words(&ready));
    }
    Ok(Exit::Done)
}

async fn ready(store: &Arc<dyn Store>, loaded: &LoadedDrill, reports: &[DrillReport]) -> Result<Readiness, Failure> {
    let hash = loaded.runbook_hash();
    let now = SystemClock.now();
    let good = store.last_good_drill(loaded.drill.name(), now).await?.and_then(|entry| entry.result);
    let steps = loaded.runbook.outline().map(|step| (step.name, step.undo));
    let ended = good.map(|good| good.ended_at);
    Ok(report::readiness(loaded.runbook.name(), &hash, steps, reports, ended, now))
}

fn words(ready: &Readiness) -> String {
    let mut text = match ready.days_since_good {
        None => format!("runbook {}: no good drill yet", ready.runbook),
        Some(days) => format!("runbook {}: the last good drill ended {days:.1} days ago", ready.runbook),
    };
    if ready.days_since_good.is_some() && !ready.unchanged {
        text.push_str("; the runbook has CHANGED since");
    }
    for (what, steps) in [("steps", &ready.never_run), ("undos of steps", &ready.never_undone)] {
        if !steps.is_empty() {
            text.push_str(&format!("\n  {what} that no drill has ever run: {}", steps.join(", ")));
        }
    }
    text
}

async fn standings(
    files: &[PathBuf],
    address: &StoreAddress,
    take_up: bool,
    json: bool,
) -> Result<Result<(Vec<Standing>, Millis), Exit>, Failure> {
    let store = address.open().await?;
    let mut all = Vec::new();
    for file in files {
        let loaded = match read::loaded(file, json)? {
            Ok(loaded) => loaded,
            Err(exit) => return Ok(Err(exit)),
        };
        if take_up {
            conclude::take_up(&store, loaded.drill.name(), None, json).await?;
        }
        all.push(standing(&store, &loaded).await?);
    }
    Ok(Ok((all, SystemClock.now())))
}

async fn standing(store: &Arc<dyn Store>, loaded: &LoadedDrill) -> Result<Standing, Failure> {
    let (drill, now) = (&loaded.drill, SystemClock.now());
    let last = store.drills(Some(drill.name()), 1).await?.pop();
    let good = store.last_good_drill(drill.name(), now).await?.and_then(|entry| entry.result);
    let good = good.map(|result| result.ended_at);
    let oldest = store.first_drill(drill.name()).await?;
    // One that never took place is watched since now: `verify` fails without a good drill anyhow.
    let since = oldest.map_or(now, |entry| entry.claim.at);
    let next = drill.schedule().and_then(|schedule| schedule.next_after(now));
    Ok(Standing {
        name: drill.name().to_owned(),
        next,
        next_there: drill.schedule().zip(next).map(|(schedule, next)| schedule.shown(next)),
        last,
        last_good: good,
        alarm: drill.alarm(good, since, now),
    })
}

impl Standing {
    fn result(&self) -> &'static str {
        match self.last.as_ref().map(|entry| &entry.result) {
            None => "never took place",
            Some(None) => "not ended",
            Some(Some(result)) if result.good => "good",
            Some(Some(_)) => "not good",
        }
    }

    fn line(&self) -> String {
        let next = self.next_there.as_deref().unwrap_or("by hand");
        let good = self.last_good.map_or_else(|| "never".to_owned(), stamp);
        let alarm = match self.alarm {
            Some(since) => format!("  ALARM: no good drill since it was due by {}", stamp(since)),
            None => String::new(),
        };
        format!("{}  next {next}  last {}  last good {good}{alarm}", self.name, self.result())
    }

    fn json(&self) -> serde_json::Value {
        let last = self.last.as_ref().map(
            |DrillEntry { claim, .. }| json!({ "slot": stamp(claim.slot), "run": claim.run, "result": self.result() }),
        );
        json!({
            "drill": self.name,
            "next": self.next.map(stamp),
            "last": last,
            "last_good": self.last_good.map(stamp),
            "alarm_since": self.alarm.map(stamp),
        })
    }
}
