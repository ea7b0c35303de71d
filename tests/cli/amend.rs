//! Another runbook for what a run has not started: the difference is shown, applied while it goes or while it waits, and
//! what has begun stands.

use crate::place::{Place, holds, runbook, wait};

fn amend<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["amend", "r", "new.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"], more].concat()
}

/// A step that writes its name and its site into a file.
fn notes(place: &Place, name: &str, more: &str) -> String {
    let log = place.path("log").display().to_string();
    format!(
        "  {name}: {{ {more} uses: exec/run@1, with: {{ failure_means: refused, command: [sh, -c, 'echo {name} $1 >> {log}', \
         sh, \"${{{{ site.id }}}}\"] }} }}\n"
    )
}

fn log(place: &Place) -> String {
    let text = std::fs::read_to_string(place.path("log")).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn attempts_in_flight_land_under_the_amended_plan() {
    let place = Place::new();
    let work = format!("  work: {}\n", place.gated(""));
    place.write("r.yaml", runbook("r", "", &format!("{work}{}", notes(&place, "old", "needs: work,"))));
    let mut child = place.start("r.yaml", "r");
    for site in ["s1", "s2", "s3", "s4"] {
        place.await_file(&format!("began-{site}"), &mut child);
    }
    // What is in flight gets other numbers: a step comes before it, one after it goes.
    let new = [notes(&place, "first", ""), work, notes(&place, "last", "needs: [work, first],")].concat();
    place.write("new.yaml", runbook("r", "", &new));
    let shown = place.said(&amend(&["--json"]), 0).json();
    assert_eq!(shown["applied"], false);
    let steps: Vec<_> =
        shown["steps"].as_array().unwrap().iter().map(|step| (&step["step"], &step["change"])).collect();
    assert_eq!(
        serde_json::json!(steps),
        serde_json::json!([["first", "added"], ["last", "added"], ["old", "removed"]])
    );
    let text = place.said(&amend(&[]), 0).out;
    holds(
        &text,
        &["+ first: runs 4 times", "+ last: runs 4 times", "- old:", "nothing is changed yet", "--from", "--plan"],
    );
    let (hash, from) = (shown["plan"].as_str().unwrap(), shown["from"].as_str().unwrap());
    let refused = place.said(&amend(&["--reason", "x", "--from", from, "--plan", "deadbeef"]), 2);
    holds(&refused.err, &["error[plan-changed]", hash]);
    // A difference from another plan is none that was looked at.
    let refused = place.said(&amend(&["--reason", "x", "--from", "deadbeef", "--plan", hash]), 2);
    holds(&refused.err, &["error[run-plan-changed]", from]);
    holds(&place.said(&amend(&["--reason", "x", "--plan", hash]), 2).err, &["--from"]);
    let said = place.said(&amend(&["--reason", "old was wrong", "--from", from, "--plan", hash]), 0);
    holds(&said.out, &["amended by the process that drives the run"]);
    place.go();
    let ran = wait(child);
    holds(&ran.out, &["run r succeeded: 4 of 4 sites returned"]);
    assert_eq!(log(&place), "first s1\nfirst s2\nfirst s3\nfirst s4\nlast s1\nlast s2\nlast s3\nlast s4");
    assert!(["s1", "s2", "s3", "s4"].iter().all(|site| place.began(site) == 1), "nothing ran twice");
    let report = place.said(&["report", "r", "--format", "json"], 0).json();
    assert_eq!(report["by_people"][0]["act"], "amended", "{report}");
    let told = report["by_people"][0]["text"].as_str().unwrap();
    holds(told, &["+ first", "- old"]);
}

#[test]
fn a_step_that_failed_is_mended_and_tried_again() {
    let place = Place::new();
    let wrong = "  fix: { needs: work, uses: exec/run@1, with: { failure_means: refused, command: ['false'] }, on_failure: \
                 pause }\n";
    let work = notes(&place, "work", "");
    place.write("r.yaml", runbook("r", "", &format!("{work}{wrong}")));
    let _ = place.run("r.yaml", "r", 5);
    place.write(
        "new.yaml",
        runbook("r", "", &format!("{work}{}", notes(&place, "fix", "needs: work, on_failure: pause,"))),
    );
    let shown = place.said(&amend(&["--reason", "typo", "--yes"]), 0).out;
    holds(&shown, &["~ fix: uses, with or verify", "amended; nobody drives the run now", "reinstate resume r"]);
    let stuck = place.said(&["status", "r", "--json"], 5).json()["for_operator"].clone();
    assert!(!stuck.as_array().unwrap().is_empty());
    for unit in ["fix/s1", "fix/s2", "fix/s3", "fix/s4"].iter().filter(|unit| stuck.to_string().contains(**unit)) {
        let _ = place.said(&["retry", "r", unit, "--reason", "mended"], 0);
    }
    let _ = place.said(&["continue", "r", "--reason", "mended"], 0);
    holds(&place.said(&["resume", "r"], 0).out, &["4 of 4 sites returned"]);
    assert_eq!(log(&place).lines().filter(|line| line.starts_with("fix")).count(), 4);
    assert_eq!(log(&place).lines().filter(|line| line.starts_with("work")).count(), 4, "what was done stands");
    let again = place.said(&amend(&["--reason", "late", "--yes"]), 0).out;
    holds(&again, &["nothing differs"]);
    place.write("new.yaml", runbook("r", "", &work));
    let over = place.said(&amend(&["--reason", "late", "--yes"]), 2);
    holds(&over.err, &["error[not-amendable]", "step `fix` has begun and cannot be removed"]);
}

#[test]
fn sites_that_have_passed_a_new_step_are_told() {
    let place = Place::new();
    let steps = |mid: &str, needs: &str| {
        [notes(&place, "work", ""), mid.to_owned(), notes(&place, "done", &format!("needs: {needs},"))].concat()
    };
    let head = "batches: { sizes: [2, rest], max_failures: [0, 0], soak: 1h }\n";
    place.write("r.yaml", runbook("r", head, &steps("", "work")));
    let mut child = place.start("r.yaml", "r");
    while !log(&place).contains("done s2") || !log(&place).contains("done s1") {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    while place.said(&["status", "r", "--json"], 0).json()["returned"] != 2 {
        std::thread::yield_now();
    }
    let head = head.replace("1h", "0s");
    place.write("new.yaml", runbook("r", &head, &steps(&notes(&place, "check", "needs: work,"), "[work, check]")));
    let shown = place.said(&amend(&["--reason", "one more check", "--yes"]), 0).out;
    holds(&shown, &["+ check: runs 2 times; too late for 2", "~ done: needs", "~ the soaks between batches differ"]);
    holds(&wait(child).out, &["run r succeeded: 4 of 4 sites returned"]);
    assert_eq!(
        log(&place).lines().filter(|line| line.starts_with("check")).collect::<Vec<_>>(),
        ["check s3", "check s4"]
    );
    holds(&place.said(&["why", "r", "check/s1"], 0).out, &["came too late"]);
}

#[test]
fn what_cannot_be_amended_is_refused_by_name() {
    let place = Place::new();
    let work = format!("  work: {}\n", place.gated(""));
    let ask = "  ask: { needs: work, approval: { from: [leads], timeout: 1h, on_timeout: reject } }\n";
    let estate = format!("{}approvers: {{ leads: [anna] }}\n", crate::place::ESTATE);
    place.write("estate.yaml", estate);
    place.write("r.yaml", runbook("r", "", &format!("{work}{ask}{}", notes(&place, "last", "needs: ask,"))));
    let mut child = place.start("r.yaml", "r");
    place.await_file("began-s1", &mut child);
    let refused = |text: &str, why: &[&str]| {
        place.write("new.yaml", runbook("r", "", text));
        let said = place.said(&amend(&["--reason", "x", "--yes"]), 2);
        holds(&said.err, &[&["error[not-amendable]", "hint:"], why].concat());
    };
    refused(&notes(&place, "last", ""), &["step `work` has begun and cannot be removed", "approval `ask`"]);
    let last = notes(&place, "last", "needs: work,");
    refused(&format!("{work}{ask}{last}"), &["step `last` must still come after approval `ask`"]);
    let late = format!(
        "  early: {{ needs: never, uses: noop@1 }}\n  never: {{ uses: noop@1 }}\n{}",
        work.replace("uses:", "needs: early, uses:")
    );
    let same = notes(&place, "last", "needs: ask,");
    place.write("new.yaml", runbook("r", "", &format!("{late}{ask}{same}")));
    holds(&place.said(&amend(&[]), 0).out, &["+ early: runs 0 times; too late for 4"]);
    let other = work.replace("echo x", "echo y");
    refused(&format!("{other}{ask}{same}"), &["`work/s1` is in flight or in doubt under the present version"]);
    place.write("sites.csv", "id,shard\ns1,a\n");
    refused(&format!("{work}{ask}{same}"), &["its sites, or their order, differ"]);
    place.write("new.yaml", "nonsense");
    let _ = place.said(&amend(&[]), 2);
    let _ = place.said(&["cancel", "r", "--reason", "enough"], 0);
    place.go();
    let _ = wait(child);
}
