//! What failed is said everywhere, and never as success.

use crate::place::{Place, holds, runbook, signal, wait};

const CHECKED: &str = "  work: { uses: noop@1 }\n  check: { needs: work, uses: exec/run@1, with: { command: [sh, -c, \
                       \"test \\\"$1\\\" != s3\", sh, \"${{ site.id }}\"], failure_means: refused } }\n";

#[test]
fn a_site_whose_check_fails_is_quarantined_in_every_form() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "batches: { sizes: [rest], max_failures: [1] }\n", CHECKED));
    let said = place.run("r.yaml", "r", 3);
    holds(&said.out, &["succeeded with exceptions", "3 of 4", "1 quarantined"]);
    holds(&said.err, &["check/s3", "exec.exit", "site s3 quarantined"]);

    let json = place.said(&["report", "r", "--format", "json"], 0).json();
    assert_eq!(json["verdict"], "succeeded_with_exceptions");
    assert_eq!(json["sites_by_state"]["quarantined"], 1);
    assert_eq!(json["sites_by_state"]["returned"], 3);
    assert_eq!(json["exceptions"][0]["site"], "s3");
    assert_eq!(json["exceptions"][0]["row"], 4);
    assert_eq!(json["exceptions"][0]["step"], "check");
    assert_eq!(json, place.said(&["report", "r", "--json"], 0).json(), "`--json` is short for it");

    let text = place.said(&["report", "r"], 0).out;
    holds(&text, &["Succeeded with exceptions", "quarantined", "s3", "exec.exit", "r.yaml:"]);
    let junit = place.said(&["report", "r", "--format", "junit"], 0).out;
    holds(&junit, &["tests=\"4\" failures=\"1\"", "name=\"s3\"><failure type=\"quarantined\""]);
    let _ = place.said(&["report", "r", "--format", "html", "--output", "r.html"], 0);
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    holds(&html, &["ucceeded with exceptions", "quarantined", "s3", "exec.exit"]);
    let status = place.said(&["status", "r"], 3).out;
    holds(&status, &["succeeded with exceptions", "1 quarantined"]);
    holds(&html, &["<title>r: Succeeded with exceptions"]);
    for form in [said.out, text, status] {
        let lower = form.to_lowercase();
        for (at, word) in lower.match_indices("succeeded") {
            assert!(lower[at + word.len()..].starts_with(" with exceptions") || in_a_column(&lower, at), "{form}");
        }
    }
    // The exit code stays as it was for those who come later.
    let _ = place.said(&["resume", "r"], 3);
}

/// Units that succeeded are counted in columns and words of their own.
fn in_a_column(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end();
    before.ends_with(|c: char| c.is_ascii_digit()) || before.ends_with('>') || before.ends_with('"')
}

#[test]
fn an_exceeded_budget_waits_for_an_operator_and_goes_on_when_told() {
    let place = Place::new();
    let batches = "batches: { sizes: [3, rest], max_failures: [0, 0], on_exceeded: pause }\n";
    place.write("r.yaml", runbook("r", batches, CHECKED));
    let said = place.run("r.yaml", "r", 5);
    holds(&said.out, &["waits for an operator", "1 quarantined", "1 not restored", "reinstate continue r"]);
    let status = place.said(&["status", "r"], 5).out;
    holds(&status, &["paused by failure budget", "1 waiting"]);
    holds(&place.said(&["why", "r", "s4"], 0).out, &["paused by failure budget"]);
    let again = place.said(&["resume", "r"], 5);
    holds(&again.out, &["paused by failure budget", "1 not restored"]);
    let json = place.said(&["resume", "r", "--json"], 5).json();
    assert_eq!(json["end"], "waits for an operator");
    assert_eq!(json["not_restored"], 1);

    assert_ne!(place.said(&["continue", "r"], 2).err, "", "a reason is wanted");
    let _ = place.said(&["continue", "r", "--reason", "s3 is known"], 0);
    let twice = place.said(&["continue", "r", "--reason", "again"], 2);
    holds(&twice.err, &["error[verb-refused]"]);
    holds(&place.said(&["resume", "r"], 3).out, &["3 of 4 sites returned", "0 not restored"]);
    holds(&place.said(&["logs", "r"], 0).out, &["s3 is known"]);
}

#[test]
fn a_step_killed_half_way_is_never_guessed_and_a_ruling_decides() {
    let place = Place::new();
    let steps = format!("  slow: {}\n  after: {{ needs: slow, uses: noop@1 }}\n", place.gated(""));
    place.write("r.yaml", runbook("r", "batches: { sizes: [rest], max_failures: [4] }\n", &steps));
    let mut child = place.start("r.yaml", "r");
    for site in ["s1", "s2", "s3", "s4"] {
        place.await_file(&format!("began-{site}"), &mut child);
    }
    signal(child.id(), "-KILL");
    assert_eq!(wait(child).status.code(), None);
    place.go();
    let said = place.said(&["resume", "r"], 5);
    holds(&said.out, &["0 of 4 sites returned", "4 not restored", "reinstate resolve r"]);
    let units: Vec<String> = (1..=4).map(|site| format!("slow/s{site}")).collect();
    let status = place.said(&["status", "r", "--json"], 5).json();
    assert_eq!(status["for_operator"], serde_json::json!(units));
    holds(&place.said(&["why", "r", "s1"], 0).out, &["ruling"]);
    holds(&place.said(&["report", "r"], 0).out, &["slow/s1"]);
    for site in ["s1", "s2", "s3", "s4"] {
        assert_eq!(place.began(site), 1, "it was not applied again");
    }

    let rule =
        |unit: &str, truth: &str, code: i32| place.said(&["resolve", "r", unit, truth, "--reason", "looked"], code);
    let _ = rule("slow/s1", "done", 0);
    let _ = rule("slow/s2", "not-done", 0);
    let _ = rule("slow/s3", "give-up", 0);
    holds(&rule("slow/s9", "done", 2).err, &["error[unit-unknown]"]);
    holds(&rule("slow/s1", "done", 2).err, &["error[verb-refused]"]);
    let _ = rule("slow/s4", "perhaps", 2);
    let _ = place.said(&["resume", "r"], 5);
    let _ = rule("slow/s4", "not-done", 0);
    holds(&place.said(&["resume", "r"], 3).out, &["3 of 4 sites returned", "1 quarantined"]);
    let began: Vec<usize> = ["s1", "s2", "s3", "s4"].iter().map(|site| place.began(site)).collect();
    assert_eq!(began, [1, 2, 1, 2], "again is once more, done and give-up are not");
    let quarantined = place.said(&["sites", "r", "--state", "quarantined"], 0).out;
    assert!(quarantined.starts_with("s3 ") && quarantined.lines().count() == 1, "{quarantined}");
}

#[test]
fn a_site_whose_steps_were_cancelled_for_another_sites_failure_has_not_returned() {
    let place = Place::new();
    let more = "batches: { sizes: [rest], max_failures: [4] }\n";
    let steps = "  work: { uses: exec/run@1, with: { command: [sh, -c, \"test \\\"$1\\\" != s3\", sh, \"${{ site.id }}\"], \
                 failure_means: refused } }\n  together: { scope: shard, needs: { step: work, require: all }, uses: noop@1 \
                 }\n  last: { needs: together, uses: noop@1 }\n";
    let text =
        runbook("r", more, steps).replace("shard: string } }", "shard: string }, scopes: { shard: site.shard } }");
    place.write("r.yaml", text);
    let said = place.run("r.yaml", "r", 3);
    holds(&said.out, &["2 of 4 sites returned"]);
    let report = place.said(&["report", "r", "--json"], 0).json();
    assert_eq!(report["sites_by_state"]["returned"], 2, "s4 shares the shard of s3");
    let sites = place.said(&["sites", "r"], 0).out;
    let s4 = sites.lines().find(|line| line.starts_with("s4 ")).unwrap();
    holds(s4, &["quarantined", "last/s4"]);
    holds(&place.said(&["report", "r"], 0).out, &["s4", "2 quarantined"]);
}
