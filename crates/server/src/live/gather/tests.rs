use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{ActionSpec, Command, Holds, Input, Outcome, Plan, Record};
use runbook::{Estate, Format, SiteList, Source};

use super::*;
use crate::live::Kind;
use crate::planning;

const BOOK: &str = "schema: runbook/v1
name: r
targets: { id: '^s[0-9]+$', attributes: { shard: string }, scopes: { shard: site.shard } }
pools: { writes: { per: shard, slots: 1 } }
batches: { sizes: [10%, rest], max_failures: [100%, 100%], gate: { approval: { from: [leads], timeout: 1h, on_timeout: pause } } }
defaults: { timeout: 1m, retry: { attempts: 1 } }
steps:
  recover: { scope: shard, uses: noop@1 }
  work: { needs: recover, pool: writes, uses: noop@1 }
  extra: { needs: work, on_failure: degrade, uses: noop@1 }
";

fn noop() -> ActionSpec {
    ActionSpec {
        uses: "noop@1".into(),
        summary: "Does nothing".into(),
        input: serde_json::json!({ "type": "object" }),
        output: serde_json::json!({ "type": "object" }),
        idempotent: Holds::Always,
        has_probe: Holds::Never,
        read_only: false,
    }
}

pub(in crate::live) fn plan(sites: u32) -> Arc<Plan> {
    let source = |name: &str, text: String| Source::new(name.to_owned(), text);
    let book = runbook::check(&source("r.yaml", BOOK.to_owned()), &[noop()]);
    let book = book.runbook.expect("the runbook is good");
    let estate = "schema: estate/v1\nname: e\nsandbox: true\napprovers: { leads: [ben, mia] }\n".to_owned();
    let estate = Estate::parse(&source("e.yaml", estate)).0.expect("the estate is good");
    let mut rows = "id,shard\n".to_owned();
    (0..sites).for_each(|site| rows.push_str(&format!("s{site},shard-{}\n", site % 7)));
    let list = SiteList::parse(&source("s.csv", rows), Format::Csv, &book).0.expect("the list is good");
    let none = BTreeMap::new();
    Plan::new(runbook::plan(&book, &estate, &list, &none, &none).expect("it can be planned")).expect("admitted")
}

/// Drives a run in which every tenth site fails; `each` sees it after every event.
fn drive(plan: &Arc<Plan>, mut each: impl FnMut(&Fold)) -> Fold {
    let evaluator = planning::evaluator(plan).expect("the plan has its expressions");
    let mut fold = Fold::new(plan.clone()).named("r");
    let mut at = 1_000;
    // The last is taken first.
    let mut inputs = vec![Input::Adopt { epoch: 1, holder: "d".into() }, Input::Open { actor: "mia".into() }];
    loop {
        let input = inputs.pop().unwrap_or(Input::Advance);
        let advance = input == Input::Advance;
        let events = fold.run().decide(at, input, &evaluator).expect("it may be done");
        let none = events.is_empty();
        for event in events {
            fold.push(&Record { at, event }).expect("it fits");
            each(&fold);
        }
        if !advance || !none {
            continue;
        }
        at += 10;
        if let Some(request) = fold.run().requests().next().map(|request| request.gate) {
            let command = Command::Approve { gate: request, checked: Vec::new() };
            inputs.push(Input::Command { actor: "ben".into(), reason: "go".into(), command });
        } else if let Some(pending) = fold.run().pending().next() {
            let unit = pending.unit;
            let bad = fold.run().unit_name(unit).ends_with('3') && !fold.run().unit_name(unit).contains("shard");
            let failure = engine::Failure { code: "x".into(), message: "no".into(), hint: "".into() };
            let outcome = if bad {
                Outcome::Refused { failure, retry: engine::Advice::Never }
            } else {
                Outcome::Done { outputs: None }
            };
            let flight = pending.flight;
            inputs.push(Input::Report { unit, attempt: flight.attempt, mode: flight.mode, outcome });
        } else {
            return fold;
        }
    }
}

fn seen(fold: &Fold) -> Snapshot {
    gather(fold, fold.run().now(), Snapshot::default())
}

#[test]
fn every_node_and_every_site_is_counted_once_after_every_event() {
    let plan = plan(40);
    let mut looks = 0;
    let fold = drive(&plan, |fold| {
        let seen = seen(fold);
        for (step, ix) in seen.steps.iter().zip(plan.steps()) {
            assert_eq!(step.of(), plan.key_count(plan.step(ix).scope), "{step:?}");
        }
        assert_eq!(seen.steps.iter().map(|step| step.running as usize).sum::<usize>(), seen.in_flight);
        let sites = seen.sites;
        let all = sites.returned + sites.degraded + sites.quarantined + sites.under_way + sites.waiting;
        assert_eq!(all, 40, "{sites:?}");
        assert_eq!(seen.batches.iter().map(|batch| batch.ended).sum::<u32>(), 40 - sites.under_way - sites.waiting);
        looks += 1;
    });
    let end = seen(&fold);
    assert!(looks > 100, "{looks}");
    assert_eq!((end.state.word, end.sites.quarantined), ("ended: SUCCEEDED WITH EXCEPTIONS", 4));
    let first = end.waits.items.first().expect("sites are out");
    assert_eq!((first.kind, first.subject.as_str()), (Kind::Quarantined, "s3"));
    assert_eq!(first.fact, "work: [x] no");
}

#[test]
fn who_may_approve_and_until_when_is_told_without_who_asked() {
    let mut told = None;
    let _ = drive(&plan(20), |fold| {
        let gate = seen(fold).waits.items.into_iter().find(|item| item.subject == "batch-2");
        told = told.take().or(gate);
    });
    let gate = told.expect("the second batch waits for people");
    assert_eq!((gate.fact.as_str(), gate.sites), ("until 01:00 UTC: 1 more of leads (ben)", 18));
    assert!(gate.more.contains(&("not", "mia, who asked for the run".to_owned())), "{gate:?}");
}

#[test]
fn of_a_hundred_thousand_quarantined_sites_some_are_listed_and_all_counted() {
    let plan = plan(100_000);
    let mut fold = Fold::new(plan.clone());
    let evaluator = planning::evaluator(&plan).expect("the plan has its expressions");
    let mut take = |input| {
        let events = fold.run().decide(1, input, &evaluator).expect("it may be done");
        let some = !events.is_empty();
        for event in events {
            fold.push(&Record { at: 1, event }).expect("it fits");
        }
        some
    };
    take(Input::Open { actor: "mia".into() });
    take(Input::Adopt { epoch: 1, holder: "d".into() });
    for site in (0..100_000).map(engine::SiteIx) {
        let command = Command::TakeOut { site, how: engine::TakeOut::Quarantine };
        take(Input::Command { actor: "ben".into(), reason: "not ours".into(), command });
    }
    while take(Input::Advance) {}
    let seen = seen(&fold);
    assert_eq!(seen.sites.quarantined, 100_000);
    // One more waits: the approval of the batch that is left.
    assert_eq!(seen.waits.items.len() + seen.waits.more, 100_001);
    assert!(seen.waits.items.len() < 1_000, "{}", seen.waits.items.len());
    assert_eq!(seen.waits.items[1].fact, "[operator.quarantined] quarantined by ben: not ours");
}
