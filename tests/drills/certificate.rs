//! An estate that demands a passed drill of the runbook of larger runs.

use std::process::Output;

use reinstate_tests::process::{expect, reinstate};
use serde_json::Value;

use crate::files::{BINARY, Place};

const GUARD: &str = "approvers: { leads: [anna] }\nguard: { sites: 100, approval: { from: [leads], timeout: 1h }, \
                     certificate: { max_age: 30d, above: 2 } }\nsandbox";

fn place() -> Place {
    let place = Place::new("'true'", "'true'", "'true'");
    place.change("estate.yaml", "sandbox", GUARD);
    place
}

fn call(place: &Place, args: &[&str], code: i32) -> Output {
    let store = format!("sqlite:{}", place.path("runs.db").display());
    let mut command = reinstate(BINARY);
    command.args(args).args(["--store", &store]);
    if matches!(args[0], "run" | "amend") {
        command.arg(place.path("book.yaml")).arg("--sites").arg(place.path("sites.csv"));
        command.arg("--estate").arg(place.path("estate.yaml")).arg("--yes");
        if args[0] == "amend" {
            command.args(["--reason", "better"]);
        }
    }
    expect(&mut command, code)
}

fn refused(place: &Place, args: &[&str], code: &str) {
    let output = call(place, args, 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(code), "{code}: {said}");
}

#[test]
fn a_larger_run_needs_a_runbook_that_a_drill_has_passed_with() {
    let place = place();
    refused(&place, &["run", "--run", "a"], "runbook-uncertified");
    let _ = place.said("run", 0);
    let _ = call(&place, &["run", "--run", "b"], 0);
    // A changed runbook is another one.
    place.change("book.yaml", "name: book", "name: book # changed");
    refused(&place, &["run", "--run", "c"], "no drill has passed with this text");
    place.change("book.yaml", " # changed", "");
    let _ = call(&place, &["run", "--run", "d"], 0);
    place.change("estate.yaml", "max_age: 30d", "max_age: 1ms");
    refused(&place, &["run", "--run", "e"], "the last drill that this runbook has passed ended");
    place.change("sites.csv", "s3,b\n", "");
    let _ = call(&place, &["run", "--run", "f"], 0);
}

#[test]
fn a_drill_that_was_not_good_certifies_nothing() {
    let place = place();
    place.change("drill.yaml", "command: ['true']", "command: ['false']");
    let _ = place.said("run", 9);
    refused(&place, &["run", "--run", "a"], "runbook-uncertified");
}

#[test]
fn going_without_waits_for_a_second_person_and_is_told_in_the_report() {
    let place = place();
    let _ = call(&place, &["run", "--run", "a", "--uncertified", "customers are down"], 5);
    let waiting = call(&place, &["approvals", "a"], 0);
    assert!(String::from_utf8_lossy(&waiting.stdout).contains("start"), "{waiting:?}");
    let report = call(&place, &["report", "a", "--json"], 0);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["uncertified"], "customers are down");
    let text = String::from_utf8(call(&place, &["report", "a"], 0).stdout).unwrap();
    assert!(text.contains("UNCERTIFIED") && text.contains("customers are down"), "{text}");
}

#[test]
fn going_without_is_refused_where_nobody_could_approve_it_or_nothing_is_demanded() {
    let place = place();
    refused(&place, &["run", "--run", "a", "--uncertified", " "], "uncertified-form");
    place.change("estate.yaml", "approval: { from: [leads], timeout: 1h }, ", "");
    refused(&place, &["run", "--run", "a", "--uncertified", "hurry"], "uncertified-final");
    place.change("estate.yaml", ", certificate: { max_age: 30d, above: 2 }", "");
    refused(&place, &["run", "--run", "a", "--uncertified", "hurry"], "uncertified-idle");
}

#[test]
fn an_amended_runbook_needs_a_drill_as_a_fresh_run_does() {
    let place = place();
    let becomes = |from: &str, to: &str| place.change("book.yaml", from, to);
    let _ = place.said("run", 0);
    becomes("['true']", "[echo, drilled]");
    let _ = place.said("run", 0);
    becomes("[echo, drilled]", "['true']");
    // The run waits for a second person, and has begun nothing.
    place.change("estate.yaml", "sites: 100", "sites: 1");
    let _ = call(&place, &["run", "--run", "a", "--count", "3"], 5);
    becomes("['true']", "[echo, new]");
    refused(&place, &["amend", "a"], "runbook-uncertified");
    refused(&place, &["amend", "a", "--uncertified", "hurry"], "uncertified-late");
    becomes("[echo, new]", "[echo, drilled]");
    let _ = call(&place, &["amend", "a"], 0);
}
