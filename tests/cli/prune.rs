//! Runs that are over are deleted when somebody has agreed, and nothing else is.

use crate::place::{Place, holds, runbook};

#[test]
fn runs_are_shown_before_they_go_and_say_why_they_stay() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  says: { uses: exec/run@1, with: { command: [echo, hello] } }\n"));
    let given = ["--yes", "--sites", "sites.csv", "--estate", "estate.yaml"];
    for run in ["one", "two"] {
        let _ = place.said(&[&["run", "r.yaml", "--run", run], &given[..]].concat(), 0);
    }
    holds(
        &place.said(&["runs", "prune", "--older-than", "1h", "--dry-run"], 0).out,
        &["one ", "kept: it is not old enough"],
    );
    let refused = place.said(&["runs", "prune", "--older-than", "0s", "--keep", "1"], 2);
    holds(&refused.out, &["would be deleted", "two ", "kept: it is one of the newest"]);
    holds(&refused.err, &["error[prune-not-agreed]", "1 runs"]);
    let dry = place.said(&["runs", "prune", "--older-than", "0s", "--dry-run", "--json"], 0).out;
    assert_eq!(dry.lines().filter(|line| line.contains("\"deleted\":false,\"kept\":null")).count(), 2, "{dry}");
    holds(&place.said(&["runs", "prune", "--older-than", "0s", "--keep", "1", "--yes"], 0).out, &["one ", "deleted"]);
    let left = place.said(&["runs", "--json"], 0).json();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["run"]), (1, &"two".into()));
    holds(&place.said(&["status", "one"], 2).err, &["journal-no-such-run"]);
    holds(&place.said(&["logs", "two", "--unit", "says/s1"], 0).out, &["stdout  hello"]);
    // Systems that were restored know the name: another run of it would find everything done.
    let again = place.said(&[&["run", "r.yaml", "--run", "one"], &given[..]].concat(), 2);
    holds(&again.err, &["error[journal-name-spent]", "choose another name"]);
}
