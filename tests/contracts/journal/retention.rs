//! Runs that are over are given up, and nothing else is.

use std::sync::Arc;

use reinstate_tests::oracle::Oracle;
use reinstate_tests::plans;
use reinstate_tests::random::Random;
use runtime::engine::{Command, GroupWriter, Input, Link, Plan, Record, Run, Status};
use runtime::{DrillClaim, JournalError, Judged, LogLine, LogPiece, LogTally, Pruning, Voice};

use crate::fixture::{Fixture, driven, head, holder};

fn piece(text: &str) -> LogPiece {
    let line = LogLine { number: 0, at: 0, voice: Voice::Stdout, text: text.to_owned() };
    LogPiece { unit: "u".to_owned(), attempt: 1, lines: vec![line], forget: None, tally: LogTally::default() }
}

pub(crate) async fn a_discarded_run_is_found_by_nobody_and_its_name_stays_taken(it: Fixture) {
    let lease = driven(&*it.journal, "a", 1_000).await;
    it.journal.append(&lease, 0, b"old").await.unwrap();
    it.journal.keep_logs("a", &[piece("old")]).await.unwrap();
    let request = it.journal.post("a", b"please", 1_000).await.unwrap();
    let ann = runtime::ToClaim { who: "ann".into(), ttl_ms: 9_000, note: None };
    assert!(it.journal.set_claim("a", "u", None, Some(&ann)).await.unwrap());
    it.journal.discard(&lease).await.unwrap();
    assert!(it.journal.list().await.unwrap().is_empty());
    assert!(matches!(it.journal.plan("a").await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.load("a", 0, 9).await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.append(&lease, 1, b"x").await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.logs_of("a", "u").await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(it.journal.discard(&lease).await, Err(JournalError::NoSuchRun(_))));
    assert_eq!(it.journal.fate(request).await.unwrap(), runtime::Fate::Gone);
    // Systems outside know what was done under its name: before its rows are freed, and after.
    for _ in 0..2 {
        let taken = it.journal.create(&runtime::RunHead { created_at: 78, ..head("a") }, b"new plan").await;
        assert!(matches!(taken, Err(JournalError::Spent(run)) if run == "a"));
        let taken = it.journal.create_holding(&head("a"), b"new plan", "prod", &["s1".to_owned()]).await;
        assert!(matches!(taken, Err(JournalError::Spent(run)) if run == "a"));
        assert!(it.journal.holders("prod", &["s1".to_owned()]).await.unwrap().is_empty());
        while it.journal.free().await.unwrap().is_some() {}
    }
    // Its place is another run's, which finds nothing of it.
    it.journal.create(&head("b"), b"plan").await.unwrap();
    assert!(it.journal.load("b", 0, 9).await.unwrap().is_empty());
    assert!(it.journal.claims("b").await.unwrap().is_empty() && it.journal.logs_of("b", "u").await.unwrap().is_empty());
}

pub(crate) async fn a_name_is_taken_or_spent_whoever_comes_first(it: Fixture) {
    for round in 0..12 {
        let name = format!("run {round}");
        let lease = driven(&*it.journal, &name, 1_000).await;
        let again = head(&name);
        let (one, gone, two) = tokio::join!(
            it.journal.create(&again, b"other"),
            it.journal.discard(&lease),
            it.journal.create_holding(&again, b"other", "prod", &[]),
        );
        gone.unwrap();
        for refused in [one, two] {
            assert!(matches!(&refused, Err(JournalError::Exists(_) | JournalError::Spent(_))), "{refused:?}");
        }
        assert!(matches!(it.journal.plan(&name).await, Err(JournalError::NoSuchRun(_))));
    }
}

pub(crate) async fn only_the_newest_epoch_discards_and_no_run_that_holds_sites(it: Fixture) {
    let stale = driven(&*it.journal, "a", 10).await;
    it.clock.advance(20);
    let lease = it.journal.acquire("a", &holder("b"), 10).await.unwrap();
    assert!(matches!(it.journal.discard(&stale).await, Err(JournalError::Fenced { .. })));
    let sites = ["s2".to_owned(), "s1".to_owned()];
    it.journal.hold_sites("a", "prod", &sites).await.unwrap();
    // A site of the same name in another estate is another one.
    it.journal.hold_sites("a", "sandbox", &sites[..1]).await.unwrap();
    match it.journal.discard(&lease).await {
        Err(JournalError::SiteHeld { site, run, more }) => assert_eq!((&*site, &*run, more), ("s1", "a", 2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(it.journal.let_go_all("a").await.unwrap(), 3);
    it.journal.discard(&lease).await.unwrap();
}

pub(crate) async fn what_is_freed_is_the_discarded_run_and_no_other(it: Fixture) {
    for run in ["a", "b", "c"] {
        let lease = driven(&*it.journal, run, 1_000).await;
        for seq in 0..700 {
            it.journal.append(&lease, seq, &[7; 100]).await.unwrap();
        }
        it.journal.keep_logs(run, &[piece(run)]).await.unwrap();
        if run == "b" {
            it.journal.discard(&lease).await.unwrap();
        }
    }
    let mut freed = 0;
    while let Some(bytes) = it.journal.free().await.unwrap() {
        freed += bytes;
    }
    assert!(freed >= 70_000, "{freed}");
    assert_eq!(it.journal.free().await.unwrap(), None);
    for run in ["a", "c"] {
        assert_eq!(it.journal.load(run, 0, u32::MAX).await.unwrap().len(), 700);
        assert_eq!(it.journal.log_lines(run, "u", 1, 0, 9).await.unwrap()[0].text, run);
    }
}

/// A plan whose run is over as soon as it is cancelled: nothing is done at the end.
fn plan() -> Arc<Plan> {
    let mut random = Random::new(1);
    loop {
        if let Ok(plan) = Plan::new(plans::spec(&mut random))
            && matches!(events(&plan, 0, true).0.status(), Status::Ended(_))
        {
            return plan;
        }
    }
}

/// A run that was opened and, if it is to be over, cancelled a second later.
fn events(plan: &Arc<Plan>, at: i64, is_over: bool) -> (Run, Vec<Record>) {
    let (mut run, mut records) = (Run::new(plan.clone()), Vec::new());
    let oracle = Oracle { fails: false };
    let mut input = |at, input| {
        let events = run.decide(at, input, &oracle).unwrap();
        let some = !events.is_empty();
        for event in events {
            let record = Record { at, event };
            run.apply(&record).unwrap();
            records.push(record);
        }
        some
    };
    input(at, Input::Open { actor: "ada".into() });
    if is_over {
        let command = Command::Cancel { undo: false };
        input(at + 1_000, Input::Command { actor: "ada".into(), reason: "enough".into(), command });
        while input(at + 1_000, Input::Advance) {}
    }
    (run, records)
}

async fn run(it: &Fixture, name: &str, created_at: i64, is_over: bool) {
    let plan = plan();
    runtime::open(&*it.journal, name, &plan, created_at).await.unwrap();
    let lease = it.journal.acquire(name, &holder(name), 10).await.unwrap();
    let mut writer = GroupWriter::after(Link::first(name, plan.hash()));
    events(&plan, created_at, is_over).1.iter().for_each(|record| writer.push(record));
    it.journal.append(&lease, 0, &writer.finish().bytes).await.unwrap();
    it.journal.release(&lease).await.unwrap();
    it.clock.advance(20);
}

async fn judged(it: &Fixture, since: i64, newest: usize) -> Vec<Judged> {
    Pruning::of(&*it.journal, 1_000_000, since).await.unwrap().judged(newest).await.unwrap()
}

async fn prune(it: &Fixture, run: &str, since: i64) -> Option<String> {
    Pruning::of(&*it.journal, 1_000_000, since).await.unwrap().prune(run, &holder("pruner")).await.unwrap()
}

pub(crate) async fn runs_are_judged_by_their_end_and_by_who_needs_them(it: Fixture) {
    for (name, created_at, is_over) in [
        ("old", 1_000, true),
        ("holds", 2_000, true),
        ("going", 3_000, false),
        ("drill", 4_000, true),
        ("drill-clean-up", 4_000, true),
        ("late", 90_000, true),
        ("new", 200_000, true),
    ] {
        run(&it, name, created_at, is_over).await;
    }
    let claim = DrillClaim { drill: "d".into(), slot: 1, run: "drill".into(), at: 1, runbook_hash: "h".into() };
    assert!(it.journal.claim_drill(&claim).await.unwrap());
    let plan = plan();
    let site = plan.spec().sites.ids.iter().next().unwrap().to_string();
    it.journal.hold_sites("holds", &plan.spec().origin.estate, &[site]).await.unwrap();
    let since = 90_500;
    let told = |judged: Vec<Judged>| -> Vec<(String, String)> {
        judged.into_iter().map(|one| (one.run, one.kept.unwrap_or_default())).collect()
    };
    let drill = "it belongs to a drill that is not cleaned up";
    let expected = [
        ("old", ""),
        ("holds", "it holds sites"),
        ("going", "it has not ended"),
        ("drill", drill),
        ("drill-clean-up", drill),
        ("late", "it is not old enough"),
        ("new", "it is not old enough"),
    ]
    .map(|(run, kept)| (run.to_owned(), kept.to_owned()));
    assert_eq!(told(judged(&it, since, 0).await), expected);
    let all = judged(&it, since, 7).await;
    assert!(all.iter().all(|one| one.kept.is_some()));
    // The drill passed, and is what certifies its runbook; a later one takes its place.
    let result = |ended_at| runtime::DrillResult { ended_at, good: true, proves: true, sites: 1, bytes: vec![] };
    assert!(it.journal.finish_drill("d", 1, &result(10)).await.unwrap());
    let kept = |judged: Vec<Judged>| judged.iter().filter(|one| one.kept.is_none()).count();
    assert_eq!(kept(judged(&it, since, 0).await), 1);
    let later = DrillClaim { slot: 2, run: "drill-2".into(), ..claim };
    assert!(it.journal.claim_drill(&later).await.unwrap());
    assert!(it.journal.finish_drill("d", 2, &result(20)).await.unwrap());
    assert_eq!(kept(judged(&it, since, 0).await), 3);
    for (name, _) in expected {
        let _ = prune(&it, &name, since).await;
    }
    runtime::free_all(&*it.journal).await.unwrap();
    let left: Vec<String> = it.journal.list().await.unwrap().into_iter().map(|run| run.head.run).collect();
    assert_eq!(left, ["new", "late", "going", "holds"]);
    assert_eq!(it.journal.drills(None, 9).await.unwrap().len(), 2, "the history of drills stays");
}

pub(crate) async fn a_run_that_somebody_drives_is_kept(it: Fixture) {
    run(&it, "r", 1_000, true).await;
    let lease = it.journal.acquire("r", &holder("driver"), 1_000).await.unwrap();
    let why = prune(&it, "r", i64::MAX).await.unwrap();
    assert!(why.contains("driven by driver"), "{why}");
    it.journal.release(&lease).await.unwrap();
    assert_eq!(prune(&it, "r", i64::MAX).await, None);
    assert!(prune(&it, "r", i64::MAX).await.is_some());
}
