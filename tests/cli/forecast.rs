//! A forecast made while a run goes on, held against what became of it: a real lab, the shipped runbook, the journal of the
//! run replayed to the point of the forecast.
#![allow(clippy::print_stderr)]

use engine::{Event, Millis, Record, Status};
use reinstate_tests::process::{ServedLab, expect, reinstate, shipped};
use report::{Fold, Rest};

use crate::place::BINARY;

/// Every record of a run, with the plan that it begins with.
fn records(store: &str, name: &str) -> (std::sync::Arc<engine::Plan>, Vec<Record>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = store::open(store).await.unwrap();
        let mut tail = runtime::Tail::open(&*journal, name).await.unwrap();
        let mut records = Vec::new();
        loop {
            let groups = tail.read(&*journal).await.unwrap();
            if groups.is_empty() {
                return (tail.plan().clone(), records);
            }
            records.extend(groups.into_iter().flat_map(|(_, group)| group));
        }
    })
}

/// The forecast as it stood when a share of the run's successful attempts was in, with the time of it.
fn forecast_at(plan: &std::sync::Arc<engine::Plan>, records: &[Record], percent: usize) -> (Millis, Rest) {
    let success = |record: &&Record| matches!(record.event, Event::Succeeded { .. });
    let wanted = records.iter().filter(success).count() * percent / 100;
    let mut fold = Fold::new(plan.clone());
    let mut seen = 0;
    for record in records {
        fold.push(record).unwrap();
        seen += usize::from(success(&record));
        if seen == wanted && success(&record) {
            return (record.at, fold.rest(record.at).expect("a forecast"));
        }
    }
    panic!("the run has no {percent} %");
}

#[test]
fn at_a_tenth_of_a_run_the_forecast_is_within_a_fifth_of_the_truth() {
    let lab = ServedLab::quiet(BINARY, 150, 120, 4, 11);
    let store = format!("sqlite:{}", lab.beside("runs.db").display());
    let mut text = std::fs::read_to_string(shipped("restoration-2.yaml")).unwrap();
    // Attempts last as long as the lab takes for them, not as long as they wait for this machine's processors.
    for (pool, slots) in [("services", 4), ("identity_api", 4)] {
        let wide = format!("  {pool}: {{ slots: 64 }}");
        assert!(text.contains(&wide), "{wide}");
        text = text.replace(&wide, &format!("  {pool}: {{ slots: {slots} }}"));
    }
    let runbook = lab.beside("narrow.yaml");
    std::fs::write(&runbook, text).unwrap();
    let mut command = reinstate(BINARY);
    command.arg("run").args(lab.planned(&runbook)).args(["--store", &store, "--run", "r", "--yes"]);
    let _ = expect(&mut command, 0);
    let (plan, records) = records(&store, "r");
    let opened = records.first().unwrap().at;
    let ended = records.last().unwrap().at;
    let mut whole = Fold::new(plan.clone());
    records.iter().for_each(|record| whole.push(record).unwrap());
    assert!(matches!(whole.run().status(), Status::Ended(_)));
    let truth = (ended - opened) as f64 / 1_000.0;
    let mut at_a_tenth = 0.0;
    for percent in [5, 10, 20, 50, 80] {
        let (at, rest) = forecast_at(&plan, &records, percent);
        let past = (at - opened) as f64 / 1_000.0;
        let total = past + rest.p50_s;
        eprintln!(
            "at {percent} % (after {past:.1} s): {total:.1} s in all, {:.1} to {:.1}; the truth: {truth:.1} s ({:+.0} %)",
            past + rest.p10_s,
            past + rest.p90_s,
            (total / truth - 1.0) * 100.0
        );
        if percent == 10 {
            at_a_tenth = total;
        }
    }
    assert!((at_a_tenth / truth - 1.0).abs() < 0.2, "{at_a_tenth:.1} s were forecast, {truth:.1} s it took");
}
