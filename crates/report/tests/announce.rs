//! When a run is to be told of.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use reinstate_report::announce::{Due, Milestone, Stand, Wish, due, next_due};
use support::{Drive, T0, ids, rough, spec};

fn wish(on: &[&str], every_ms: Option<u64>) -> Wish {
    Wish { on: on.iter().map(|text| Milestone::parse(text).unwrap()).collect(), every_ms }
}

const ALL: &[&str] = &["started", "batch", "25%", "50%", "75%", "exceptions", "ended"];

#[test]
fn words_are_read_as_they_are_written() {
    assert_eq!(Milestone::parse("25%"), Some(Milestone::Percent(25)));
    for bad in ["", "0%", "101%", "25", "-1%", "Started", "batch-1", "99.5%"] {
        assert_eq!(Milestone::parse(bad), None, "{bad}");
    }
}

#[test]
fn each_milestone_of_a_run_is_told_once_and_in_order() {
    let mut drive = Drive::new(spec(&ids(40), 3), rough());
    let wish = wish(ALL, None);
    let (mut told, mut order) = (BTreeSet::new(), Vec::new());
    loop {
        let more = drive.step();
        let stand = Stand::of(drive.fold.run());
        while let Some(due) = due(&wish, &stand, drive.now, &|name| told.contains(name)) {
            told.extend(due.passed);
            told.insert(due.name.clone());
            order.push(due.name);
        }
        // Somebody settles what only a person can.
        if !more && drive.rule_all(engine::Ruling::Done, "asked the vendor") == 0 {
            break;
        }
    }
    assert_eq!(order.first().map(String::as_str), Some("started"));
    assert_eq!(order.last().map(String::as_str), Some("ended"));
    let unique: BTreeSet<&String> = order.iter().collect();
    assert_eq!(unique.len(), order.len(), "{order:?}");
    let at = |name: &str| order.iter().position(|told| told == name).unwrap_or_else(|| panic!("{name} in {order:?}"));
    assert!(at("batch-1") < at("25%") && at("25%") < at("50%") && at("50%") < at("75%"), "{order:?}");
    assert!(order.contains(&"exceptions".to_owned()));
}

#[test]
fn whoever_was_away_gets_one_message() {
    let stand = Stand { opened_at: Some(T0), batches: 3, given: 100, returned: 60, exceptions: 0, ended: false };
    let wish = wish(ALL, None);
    let missed = due(&wish, &stand, T0, &|name| name == "started").unwrap();
    assert_eq!(missed.name, "50%");
    assert_eq!(missed.passed, ["batch-1", "batch-2", "batch-3", "25%"]);
    let end = Stand { returned: 100, ended: true, ..stand };
    let told =
        |name: &str| missed.name == name || missed.passed.iter().any(|passed| passed == name) || name == "started";
    assert_eq!(due(&wish, &end, T0, &told), Some(Due { opened: T0, name: "ended".into(), passed: vec!["75%".into()] }));
}

#[test]
fn degraded_sites_are_no_part_of_the_percentage() {
    let stand = Stand { opened_at: Some(T0), given: 4, returned: 1, exceptions: 3, ..Stand::default() };
    let name = |on: &[&str]| due(&wish(on, None), &stand, T0, &|_| false).map(|due| due.name);
    assert_eq!(name(&["25%"]).as_deref(), Some("25%"));
    assert_eq!(name(&["26%"]), None);
    assert_eq!(name(&["exceptions"]).as_deref(), Some("exceptions"));
    assert_eq!(due(&wish(ALL, Some(1)), &Stand { opened_at: None, ..stand }, T0, &|_| false), None, "not opened yet");
}

#[test]
fn by_the_clock_only_the_newest_is_due_and_nothing_after_the_end() {
    let hour = 3_600_000;
    let stand = Stand { opened_at: Some(T0), given: 4, ..Stand::default() };
    let wish = wish(&[], Some(7_200_000));
    let name = |at, told: &[&str]| due(&wish, &stand, at, &|name| told.contains(&name)).map(|due| due.name);
    assert_eq!(name(T0 + hour, &[]), None);
    assert_eq!(name(T0 + 2 * hour, &[]).as_deref(), Some("every-1"));
    assert_eq!(name(T0 + 7 * hour, &["every-1"]).as_deref(), Some("every-3"), "every-2 is old by now");
    assert_eq!(name(T0 + 7 * hour, &["every-3"]), None);
    assert_eq!(next_due(&wish, &stand, T0 + 7 * hour), Some(T0 + 8 * hour));
    let ended = Stand { ended: true, ..stand };
    assert_eq!(due(&wish, &ended, T0 + 9 * hour, &|_| false), None);
    assert_eq!(next_due(&wish, &ended, T0 + 9 * hour), None);
}
