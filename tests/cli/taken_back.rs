//! What is taken back, what cannot be, and what runs at the end however the rest went.

use crate::place::{Place, holds, runbook};

/// Steps that write what they do into a file, one line each; the check fails for the site `s2`.
fn text(place: &Place) -> String {
    let log = place.path("log").display().to_string();
    r#"schema: runbook/v1
name: taken-back
targets: { attributes: { shard: string }, scopes: { shard: site.shard } }
defaults: { timeout: 10s }
steps:
  recover: { scope: shard, uses: exec/run@1, with: { command: [sh, -c, "echo '{\"path\": \"file-${{ shard }}\"}'"] } }
  make:
    needs: recover
    for_each: ['x', 'y']
    uses: exec/run@1
    with: { command: [sh, -c, "echo make ${{ site.id }} ${{ item }} >> LOG; echo '{\"n\": \"got-${{ item }}\"}'"] }
    undo:
      uses: exec/run@1
      with: { idempotent: true, command: [sh, -c, "echo undo ${{ site.id }} ${{ steps.make.outputs.n }} ${{ steps.recover.outputs.path }} >> LOG"] }
  check: { needs: make, uses: exec/run@1, with: { idempotent: true, command: [sh, -c, "test ${{ site.id }} != s2"] }, on_failure: undo, undo: { uses: noop@1 } }
  open: { needs: check, uses: exec/run@1, with: { command: [sh, -c, "echo open ${{ site.id }} >> LOG"] } }
finally:
  drop: { scope: shard, if: steps.recover.outputs is defined, uses: exec/run@1, with: { command: [sh, -c, "echo drop ${{ steps.recover.outputs.path }} >> LOG"] } }
"#
    .replace("LOG", &log)
}

#[test]
fn a_site_that_fails_is_taken_back_and_finally_runs_last() {
    let place = Place::new();
    place.write("r.yaml", text(&place));
    let files = ["r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"];
    let plan = place.said(&[&["plan", "--json"], &files[..]].concat(), 0).json();
    assert_eq!(plan["points_of_no_return"], serde_json::json!(["recover", "open", "drop"]));
    holds(&place.said(&[&["plan"], &files[..]].concat(), 0).out, &["no return     recover, open, drop", "(finally)"]);

    let said = place.run("r.yaml", "r", 3);
    holds(&said.all(), &["3 of 4 sites returned"]);
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let of = |word: &str| -> Vec<&str> {
        let mut found: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with(word)).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(of("make").len(), 8, "{log}");
    assert_eq!(of("undo"), ["undo s2 got-x file-a", "undo s2 got-y file-a"], "{log}");
    assert_eq!(of("open"), ["open s1", "open s3", "open s4"], "{log}");
    assert_eq!(of("drop"), ["drop file-a", "drop file-b"], "{log}");
    assert!(lines[lines.len() - 2..].iter().all(|line| line.starts_with("drop")), "{log}");
    assert_eq!(place.said(&["sites", "r", "--state", "undone"], 0).out.lines().count(), 1);
}

#[test]
fn what_a_person_settled_is_no_plain_success_and_an_undo_no_step() {
    let place = Place::new();
    let act = "uses: exec/run@1, with: { failure_means: refused, command: [sh, -c,";
    // The run pauses by s3, and starts nothing more: the undo of s2 must have begun by then.
    let last = "case ${{ site.id }} in s3) until test -e begun; do sleep 0.02; done; exit 1;; esac";
    let steps = format!(
        "  make: {{ {act} 'true'] }}, undo: {{ {act} 'touch begun; exit 1'] }} }} }}\n  check: {{ needs: make, {act} 'test ${{{{ \
         site.id }}}} != s2'] }}, on_failure: undo, undo: {{ uses: noop@1 }} }}\n  last: {{ needs: check, {act} '{last}'] }}, \
         on_failure: pause }}\n"
    );
    place.write("r.yaml", runbook("r", "batches: { sizes: [rest], max_failures: [4] }\n", &steps));
    let _ = place.run("r.yaml", "r", 5);
    holds(&place.said(&["why", "r", "s2"], 0).out, &["its undo failed", "reinstate skip r make/s2"]);
    assert_eq!(place.said(&["status", "r", "--json"], 5).json()["on_a_persons_word"], 0);
    let _ = place.said(&["skip", "r", "make/s2", "--reason", "in use elsewhere"], 0);
    let _ = place.said(&["mark-done", "r", "last/s3", "--evidence", "ticket 7"], 0);
    let _ = place.said(&["resume", "r"], 3);
    let logs = place.said(&["logs", "r"], 0).out;
    let line = |word: &str| logs.lines().find(|line| line.contains(word)).unwrap_or_default();
    holds(line("in use elsewhere"), &["make/s2", "left as it is, not taken back, by "]);
    holds(line("ticket 7"), &["last/s3", "marked done by "]);
    holds(&place.said(&["status", "r"], 3).out, &["2 units settled on a person's word"]);
    assert_eq!(place.said(&["status", "r", "--json"], 3).json()["on_a_persons_word"], 2);
}

#[test]
fn a_plan_says_what_the_undo_of_one_site_leaves() {
    let place = Place::new();
    let act = "uses: exec/run@1, with: { command: ['true'] }, undo: { uses: exec/run@1, with: { command: ['true'] } }";
    let steps = format!("  make: {{ scope: run, {act} }}\n  one: {{ {act} }}\n");
    place.write("r.yaml", runbook("r", "", &steps));
    let plan = ["plan", "r.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"];
    holds(&place.said(&plan, 0).out, &["shared undo   make: taken back with the whole run, not with one site"]);
    let json = place.said(&[&plan[..], &["--json"]].concat(), 0).json();
    assert_eq!(json["undone_with_the_run_only"], serde_json::json!(["make"]));
}
