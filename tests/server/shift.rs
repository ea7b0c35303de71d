//! The desk where more than one person, site or name is in play.

use serde_json::json;

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

#[test]
fn the_sites_of_a_thing_are_counted_to_the_last() {
    let home = home(250, "val");
    rewritten(&home, "    needs: work\n", "    scope: run\n    needs: work\n");
    rewritten(&home, "    if: steps.work.outputs.page is defined\n", "");
    let (otto, val) = (home.token("otto", "operator"), home.token("val", "validator"));
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 1);
    let run = daemon.seen(&otto, "/api/v1/runs/r");
    assert_eq!(run["waits"][0]["sites"], 250, "{run:#}");
    let work = daemon.done(&val, "/api/v1/runs/r/claims/next", &json!({}));
    assert_eq!((work["sites"].as_array().map(Vec::len), &work["more_sites"]), (Some(20), &json!(230)), "{work:#}");
    let gate = work["gate"].as_str().expect("a name").replace('/', "%2F");
    let page = Visitor::of(&daemon, &val).get(&daemon, &format!("/runs/r/desk/work?gate={gate}")).body;
    assert!(page.contains("and 230 more"), "{page}");
}

#[test]
fn a_shift_goes_to_nobody_whose_name_is_misspelt() {
    let home = home(2, "val, mia");
    let (otto, val) = (home.token("otto", "operator"), home.token("val", "validator"));
    let daemon = Daemon::start(&home);
    launched(&daemon, &otto, 2);
    for _ in 0..2 {
        let _ = daemon.done(&val, "/api/v1/runs/r/claims/next", &json!({}));
    }
    let end = |to: &str| daemon.post(&val, "/api/v1/runs/r/claims/end-shift", &json!({ "to": to, "note": "halfway" }));
    let holders = || {
        let claims = daemon.seen(&otto, "/api/v1/runs/r/claims")["claims"].clone();
        claims.as_array().expect("claims").iter().map(|claim| claim["who"].clone()).collect::<Vec<_>>()
    };
    let refused = end("maia");
    assert_eq!((refused.status, refused.code().as_str()), (409, "claim-person"), "{refused:?}");
    assert_eq!(holders(), ["val", "val"], "nothing has changed");
    assert_eq!(end("mia").json(), json!({ "handed_over": 2, "given_back": 0 }));
    assert_eq!(holders(), ["mia", "mia"]);
}
