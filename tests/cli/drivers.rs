//! Who drives a run, what ends it early, and what a store can be.

use std::process::Child;

use crate::place::{Place, holds, runbook, signal, wait};

/// A place with a run named `r` whose first step is in flight for all four sites.
fn in_flight() -> (Place, Child) {
    let place = Place::new();
    let steps = format!("  slow: {}\n  after: {{ needs: slow, uses: noop@1 }}\n", place.gated(""));
    place.write("r.yaml", runbook("gated", "", &steps));
    let mut child = place.start("r.yaml", "r");
    for site in ["s1", "s2", "s3", "s4"] {
        place.await_file(&format!("began-{site}"), &mut child);
    }
    (place, child)
}

#[test]
fn a_second_driver_is_told_who_drives() {
    let (place, child) = in_flight();
    let holder = format!("pid {}", child.id());
    let second = place.said(&["resume", "r"], 7);
    holds(&second.err, &["error[journal-held]", &holder, "hint:"]);
    let json = place.said(&["resume", "r", "--json"], 7);
    let error: serde_json::Value = serde_json::from_str(json.err.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "journal-held");
    // Verbs go to the process that drives it, and its refusals come back.
    holds(&place.said(&["continue", "r", "--reason", "x"], 2).err, &["error[verb-refused]", "not paused"]);
    let ruled = place.said(&["resolve", "r", "slow/s1", "done", "--reason", "x"], 2);
    holds(&ruled.err, &["error[verb-refused]"]);
    let taken = place.run("r.yaml", "r", 2);
    holds(&taken.err, &["error[journal-exists]", "hint:"]);
    holds(&place.said(&["status", "r"], 0).out, &["running", &holder]);
    place.go();
    let said = wait(child);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    holds(&said.out, &["run r succeeded: 4 of 4"]);
    for site in ["s1", "s2", "s3", "s4"] {
        assert_eq!(place.began(site), 1, "nobody else did anything");
    }
}

#[test]
fn unknown_runs_and_unusable_stores_are_named() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  work: { uses: noop@1 }\n"));
    let _ = place.run("r.yaml", "known", 0);
    for command in [
        &["resume", "nope"][..],
        &["status", "nope"],
        &["report", "nope"],
        &["logs", "nope"],
        &["sites", "nope"],
        &["why", "nope", "s1"],
    ] {
        let said = place.said(command, 2);
        holds(&said.err, &["error[journal-no-such-run]", "nope", "hint:"]);
        assert_eq!(said.out, "");
    }
    place.write("garbage.db", "this is no database, and long enough to be looked at as one".repeat(100));
    place.write("text.db", "short");
    std::fs::create_dir(place.path("folder.db")).unwrap();
    for store in ["sqlite:garbage.db", "sqlite:text.db", "sqlite:folder.db", "sqlite:no/such/folder/runs.db"] {
        for command in [&["status", "known"][..], &["resume", "known"], &["runs"]] {
            let said = place.said(&[command, &["--store", store]].concat(), 1);
            holds(&said.err, &["error[journal-", "hint:"]);
        }
    }
    let garbage = std::fs::read(place.path("garbage.db")).unwrap();
    assert!(garbage.starts_with(b"this is no database"), "it was left as it was");
    let nobody = place.said(&["runs", "--store", "postgres://u:pa55word@127.0.0.1:1/x"], 1);
    holds(&nobody.err, &["error[journal-unavailable]", "database x at 127.0.0.1:1", "hint:"]);
    assert!(!nobody.all().contains("pa55word"), "{nobody:?}");
    for store in ["postgres://u:pa55word@localhost/x?schema=a-b", "mysql:x", "runs.db", "sqlite:", ""] {
        let said = place.said(&["runs", "--store", store], 2);
        holds(&said.err, &["error[journal-unsupported]", "hint:", "sqlite:PATH"]);
        assert!(!said.all().contains("pa55word"), "{said:?}");
    }
}

/// SIGTERM and Ctrl-C: running steps are let go, the run says how to go on, and goes on.
fn stopped_by(name: &str) {
    let place = Place::new();
    // Stopped or killed half-way, this step may run again.
    let gated = place.gated("").replace("with: { ", "with: { idempotent: true, ");
    place
        .write("r.yaml", runbook("gated", "", &format!("  slow: {gated}\n  after: {{ needs: slow, uses: noop@1 }}\n")));
    let mut child = place.start("r.yaml", "r");
    place.await_file("began-s1", &mut child);
    signal(child.id(), name);
    place.go();
    let said = wait(child);
    assert_eq!(said.status.code(), Some(6), "{said:?}");
    holds(&said.out, &["run r was stopped", "next: reinstate resume r --store sqlite:runs.db"]);
    let status = place.said(&["status", "r"], 0);
    holds(&status.out, &["nobody drives it", "reinstate resume r"]);
    let resumed = place.said(&["resume", "r"], 0);
    holds(&resumed.out, &["run r succeeded: 4 of 4 sites returned"]);
    // A run that has ended says so again and changes nothing.
    let again = place.said(&["resume", "r"], 0);
    holds(&again.out, &["run r succeeded: 4 of 4 sites returned"]);
}

#[test]
fn sigterm_ends_cleanly() {
    stopped_by("-TERM");
}

#[test]
fn ctrl_c_ends_cleanly() {
    stopped_by("-INT");
}

#[test]
fn a_second_ctrl_c_gives_the_run_back_so_that_nobody_who_stands_by_goes_on_with_it() {
    let (place, mut child) = in_flight();
    // Two that come at once are one.
    while child.try_wait().unwrap().is_none() {
        signal(child.id(), "-INT");
        std::thread::yield_now();
    }
    let said = wait(child);
    assert_eq!(said.status.code(), Some(6), "{said:?}");
    holds(&said.err, &["error[stopped-at-once]", "in doubt", "reinstate resume"]);
    let store = place.path("runs.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let abandoned = runtime.block_on(async {
        let store = store::open(&format!("sqlite:{}", store.display())).await.unwrap();
        store.abandoned().await.unwrap()
    });
    assert!(abandoned.is_empty(), "{abandoned:?}");
}

#[test]
fn a_run_can_be_cancelled_and_ends_as_that() {
    let (place, child) = in_flight();
    signal(child.id(), "-KILL");
    assert_eq!(wait(child).status.code(), None);
    holds(&place.said(&["cancel", "r", "--reason", "wrong estate"], 0).out, &["recorded"]);
    place.go();
    let ended = place.said(&["resume", "r"], 4);
    holds(&ended.out, &["run r cancelled: 0 of 4 sites returned"]);
    let report = place.said(&["report", "r", "--json"], 0).json();
    assert_eq!(report["verdict"], "cancelled");
    assert_eq!(report["sites_by_state"]["returned"], 0);
    assert_eq!(report["interrupted"], 4, "what was in flight is told");
    holds(&place.said(&["logs", "r"], 0).out, &["wrong estate"]);
    let _ = place.said(&["status", "r"], 4);
}
