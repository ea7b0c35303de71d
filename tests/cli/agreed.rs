//! A run needs a plan that somebody looked at.

use crate::place::{Place, holds, runbook};

const PLANNED: [&str; 4] = ["--sites", "sites.csv", "--estate", "estate.yaml"];

fn place() -> Place {
    let place = Place::new();
    place.write("r.yaml", runbook("agreed", "", "  work: { uses: noop@1 }\n"));
    place
}

fn args<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, "r.yaml"], &PLANNED[..], more].concat()
}

#[test]
fn without_an_agreed_plan_nothing_runs_and_the_hash_is_named() {
    let place = place();
    let plan = place.said(&args("plan", &["--json"]), 0).json();
    let hash = plan["hash"].as_str().unwrap();
    let refused = place.said(&args("run", &["--run", "a"]), 2);
    holds(&refused.err, &["error[plan-not-agreed]", "4 sites", &hash[..16], "hint:"]);
    assert_eq!(refused.out, "");
    for wrong in ["deadbeefdeadbeef", "", &hash[..7], "0"] {
        let refused = place.said(&args("run", &["--run", "a", "--plan", wrong]), 2);
        holds(&refused.err, &["error[plan-changed]", hash, "hint:"]);
    }
    let both = place.said(&args("run", &["--run", "a", "--yes", "--plan", hash]), 2);
    holds(&both.err, &["--plan", "--yes"]);
    assert_eq!(place.said(&["runs", "--json"], 0).json(), serde_json::json!([]), "nothing was recorded");
}

#[test]
fn the_hash_of_the_plan_runs_it_until_anything_changes() {
    let place = place();
    let hash = || place.said(&args("plan", &["--json"]), 0).json()["hash"].as_str().unwrap().to_owned();
    let first = hash();
    assert_eq!(first, hash(), "the same files give the same plan");
    holds(&place.said(&args("plan", &[]), 0).out, &[&first, "4 sites", "work", "noop@1"]);
    let ran = place.said(&args("run", &["--run", "whole", "--plan", &first]), 0);
    holds(&ran.out, &["run whole succeeded: 4 of 4 sites returned"]);
    let _ = place.said(&args("run", &["--run", "short", "--plan", &first[..16]]), 0);

    let sites = std::fs::read_to_string(place.path("sites.csv")).unwrap();
    place.write("sites.csv", format!("{sites}s5,a\n"));
    let second = hash();
    assert_ne!(first, second);
    let refused = place.said(&args("run", &["--run", "changed", "--plan", &first]), 2);
    holds(&refused.err, &["error[plan-changed]", &second, &first]);
    place.write("sites.csv", sites);
    assert_eq!(first, hash(), "as before");
    place.write("estate.yaml", format!("{}variables: {{ a: 1 }}\n", crate::place::ESTATE));
    assert_ne!(first, hash(), "the estate is part of it");
    let runs = place.said(&["runs", "--json"], 0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
}

#[test]
fn names_that_would_hurt_are_refused() {
    let place = place();
    for name in ["", "a b", "../x", "-x", ".x", "a/b", "a\nb", &"a".repeat(101)] {
        let run = format!("--run={name}");
        let refused = place.said(&args("run", &[run.as_str(), "--yes"]), 2);
        holds(&refused.err, &["error[run-name]", "hint:"]);
    }
    for bad in [&["run"][..], &["frobnicate"], &["run", "r.yaml", "--store"], &["status"], &["lab", "build"]] {
        assert_ne!(place.said(bad, 2).err, "");
    }
    let _ = place.said(&args("run", &["--yes", "--input", "novalue"]), 2);
    let _ = place.said(&args("run", &["--yes", "--input", "unknown=1"]), 2);
    holds(&place.said(&["--help"], 0).out, &["Exit codes:", "resume"]);
    holds(&place.said(&["--version"], 0).out, &["reinstate"]);
}
