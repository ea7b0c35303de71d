//! The desk where more than one person, site or name is in play.

use crate::daemon::{Daemon, Home};
use crate::desk::{home, launched};
use crate::pages::Visitor;

/// Changes the runbook of a home.
fn rewritten(home: &Home, from: &str, to: &str) {
    let book = std::fs::read_to_string(home.path("runbooks/looked.yaml")).expect("our own file");
    assert!(book.contains(from), "{book}");
    home.write("runbooks/looked.yaml", &book.replace(from, to));
}

#[test]
fn a_pass_that_is_not_the_last_one_says_how_many_it_waits_for() {
    let home = home(1, "val, mia");
    rewritten(&home, "timeout: 72h", "min: 2, timeout: 72h");
    let otto = home.token("otto", "operator");
    let tokens = [home.token("val", "validator"), home.token("mia", "validator")];
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 1);
    let said = tokens.map(|token| {
        let visitor = Visitor::of(&daemon, &token);
        assert_eq!(visitor.post(&daemon, "/runs/r/desk/take", "gate=customer%2Fs0").status, 303);
        let all = "gate=customer%2Fs0&note=fine&check-0=Log+in+as+the+customer&check-1=Open+the+newest+page";
        let passed = visitor.post(&daemon, "/runs/r/desk/pass", all);
        let next = passed.header("location").unwrap_or_else(|| panic!("{passed:?}")).to_owned();
        visitor.get(&daemon, &next).body
    });
    assert!(said[0].contains("Your approval is recorded. It waits for 1 more."), "{}", said[0]);
    assert!(!said[0].contains("has passed"), "{}", said[0]);
    assert!(said[1].contains("customer/s0 has passed."), "{}", said[1]);
}
