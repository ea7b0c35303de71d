//! A slot of a drill takes place once, and what came of it is said once.

use runtime::{DrillClaim, DrillEntry, DrillResult};

use crate::fixture::Fixture;

fn claim(drill: &str, slot: i64) -> DrillClaim {
    DrillClaim {
        drill: drill.to_owned(),
        slot,
        run: format!("{drill}-{slot}"),
        at: slot + 5,
        runbook_hash: format!("hash of {}", drill.len()),
    }
}

fn result(ended_at: i64, good: bool) -> DrillResult {
    DrillResult { ended_at, good, proves: good, sites: 7, bytes: vec![0, 1, 255] }
}

async fn claimed(it: &Fixture, slots: &[(&str, i64)]) {
    for &(drill, slot) in slots {
        assert!(it.journal.claim_drill(&claim(drill, slot)).await.unwrap());
    }
}

/// Entries as `drill:slot`.
fn named(entries: Vec<DrillEntry>) -> Vec<String> {
    entries.into_iter().map(|entry| format!("{}:{}", entry.claim.drill, entry.claim.slot)).collect()
}

pub(crate) async fn a_slot_of_a_drill_is_claimed_once(it: Fixture) {
    claimed(&it, &[("a", 10), ("a", 20), ("b", 10)]).await;
    let other = DrillClaim { run: "another".to_owned(), at: 99, ..claim("a", 10) };
    assert!(!it.journal.claim_drill(&other).await.unwrap());
    let entries = it.journal.drills(Some("a"), 9).await.unwrap();
    assert_eq!(entries[1], DrillEntry { claim: claim("a", 10), result: None }, "whoever came first stands there");
}

pub(crate) async fn one_of_many_claimants_wins(it: Fixture) {
    let claims = (0..16).map(|rival| {
        let journal = it.journal.clone();
        tokio::spawn(async move {
            journal.claim_drill(&DrillClaim { run: format!("rival-{rival}"), ..claim("a", 10) }).await.unwrap()
        })
    });
    let mut won = 0;
    for claim in claims.collect::<Vec<_>>() {
        won += u32::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
}

pub(crate) async fn what_came_of_a_drill_is_said_once(it: Fixture) {
    claimed(&it, &[("a", 10)]).await;
    assert!(it.journal.finish_drill("a", 10, &result(50, true)).await.unwrap());
    assert!(!it.journal.finish_drill("a", 10, &result(60, false)).await.unwrap());
    let entries = it.journal.drills(Some("a"), 9).await.unwrap();
    assert_eq!(entries, [DrillEntry { claim: claim("a", 10), result: Some(result(50, true)) }]);
    for (drill, slot) in [("a", 11), ("b", 10)] {
        assert!(!it.journal.finish_drill(drill, slot, &result(50, true)).await.unwrap());
    }
    assert_eq!(it.journal.drills(None, 9).await.unwrap().len(), 1, "what was not claimed is not made");
}

pub(crate) async fn drills_are_listed_newest_slot_first(it: Fixture) {
    claimed(&it, &[("a", 20), ("b", 15), ("a", 10), ("a", -5)]).await;
    assert_eq!(named(it.journal.drills(Some("a"), 9).await.unwrap()), ["a:20", "a:10", "a:-5"]);
    assert_eq!(named(it.journal.drills(None, 2).await.unwrap()), ["a:20", "b:15"]);
    assert!(it.journal.drills(Some("c"), 9).await.unwrap().is_empty());
    assert!(it.journal.drills(None, 0).await.unwrap().is_empty());
}

pub(crate) async fn unfinished_drills_are_listed_oldest_first(it: Fixture) {
    claimed(&it, &[("a", 20), ("b", 15), ("a", 10), ("a", 30)]).await;
    assert!(it.journal.finish_drill("a", 20, &result(21, false)).await.unwrap());
    assert_eq!(named(it.journal.unfinished_drills(None).await.unwrap()), ["a:10", "b:15", "a:30"]);
    assert_eq!(named(it.journal.unfinished_drills(Some("b")).await.unwrap()), ["b:15"]);
}

pub(crate) async fn the_last_good_drill_is_the_one_that_ended_last(it: Fixture) {
    assert!(it.journal.last_good_drill("a", 500).await.unwrap().is_none());
    claimed(&it, &[("a", 10), ("a", 20), ("a", 30), ("a", 40), ("b", 50)]).await;
    for (drill, slot, ended, good) in
        [("a", 10, 99, true), ("a", 20, 25, true), ("a", 30, 120, false), ("b", 50, 200, true)]
    {
        assert!(it.journal.finish_drill(drill, slot, &result(ended, good)).await.unwrap());
    }
    let good = it.journal.last_good_drill("a", 500).await.unwrap().unwrap();
    assert_eq!((good.claim.slot, good.result), (10, Some(result(99, true))));
}

pub(crate) async fn a_good_drill_that_proves_nothing_is_neither_the_last_good_one_nor_a_certificate(it: Fixture) {
    claimed(&it, &[("a", 10), ("a", 20)]).await;
    assert!(it.journal.finish_drill("a", 10, &result(11, true)).await.unwrap());
    let chaos = DrillResult { proves: false, ..result(21, true) };
    assert!(it.journal.finish_drill("a", 20, &chaos).await.unwrap());
    assert_eq!(it.journal.drills(Some("a"), 1).await.unwrap()[0].result, Some(chaos));
    let (last, certificate) =
        (it.journal.last_good_drill("a", 500).await, it.journal.certificate("hash of 1", 500).await);
    assert_eq!([last, certificate].map(|found| found.unwrap().unwrap().claim.slot), [10, 10]);
}

pub(crate) async fn what_ended_in_the_time_to_come_proves_nothing_yet(it: Fixture) {
    claimed(&it, &[("a", 10), ("a", 20)]).await;
    assert!(it.journal.finish_drill("a", 10, &result(11, true)).await.unwrap());
    assert!(it.journal.finish_drill("a", 20, &result(9_000, true)).await.unwrap());
    for (by, slot) in [(10, None), (11, Some(10)), (8_999, Some(10)), (9_000, Some(20))] {
        let last = it.journal.last_good_drill("a", by).await.unwrap();
        let certificate = it.journal.certificate("hash of 1", by).await.unwrap();
        assert_eq!([last, certificate].map(|found| found.map(|entry| entry.claim.slot)), [slot, slot], "by {by}");
    }
}

pub(crate) async fn the_first_drill_is_that_of_the_oldest_slot(it: Fixture) {
    assert!(it.journal.first_drill("a").await.unwrap().is_none());
    claimed(&it, &[("a", 20), ("b", 5), ("a", 10)]).await;
    assert_eq!(it.journal.first_drill("a").await.unwrap().unwrap().claim.slot, 10);
}

pub(crate) async fn proofs_are_what_the_last_good_ones_and_certificates_are(it: Fixture) {
    // Drill, runbook, when it ended, whether it proves.
    let all =
        [("a", "x", 10, true), ("a", "y", 20, true), ("b", "x", 5, true), ("b", "z", 30, false), ("a", "y", 90, true)];
    for (slot, (drill, runbook_hash, ended_at, proves)) in (1..).zip(all) {
        let (drill, runbook_hash) = (drill.to_owned(), runbook_hash.to_owned());
        let claim = DrillClaim { drill: drill.clone(), slot, run: format!("run-{slot}"), at: slot, runbook_hash };
        assert!(it.journal.claim_drill(&claim).await.unwrap());
        let result = DrillResult { ended_at, good: true, proves, sites: 1, bytes: vec![7; 9] };
        assert!(it.journal.finish_drill(&drill, slot, &result).await.unwrap());
    }
    // Of a: run-2 as of 50, of x: run-1, of b: run-3; run-5 once its time has come.
    for (by, runs) in [(50, &["run-1", "run-2", "run-3", "run-5"][..]), (100, &["run-1", "run-3", "run-5"])] {
        assert_eq!(it.journal.proofs(by).await.unwrap(), runs, "by {by}");
    }
}

pub(crate) async fn a_runbook_is_certified_by_the_good_drill_that_ended_last(it: Fixture) {
    // Names of one length share a runbook here.
    claimed(&it, &[("a", 10), ("b", 20), ("b", 30), ("cc", 40)]).await;
    assert!(it.journal.certificate("hash of 1", 500).await.unwrap().is_none());
    for (drill, slot, ended, good) in
        [("a", 10, 11, true), ("b", 20, 22, true), ("b", 30, 33, false), ("cc", 40, 44, true)]
    {
        assert!(it.journal.finish_drill(drill, slot, &result(ended, good)).await.unwrap());
    }
    let entry = it.journal.certificate("hash of 1", 500).await.unwrap().unwrap();
    assert_eq!((entry.claim.drill.as_str(), entry.claim.slot), ("b", 20));
    assert!(it.journal.certificate("hash", 500).await.unwrap().is_none());
}
