//! What is taken back, what cannot be, and what runs at the end however the rest went.

use crate::place::{Place, holds};

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
