//! Looking at a run while it goes on and afterwards.

use crate::place::{Place, holds, runbook, wait};

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_is_seen_from_all_sides_mid_run_and_after() {
    let place = Place::new();
    let steps = format!(
        "  first: {{ uses: noop@1 }}\n  slow: {}\n  after: {{ needs: slow, uses: noop@1 }}\n",
        place.gated("needs: first,")
    );
    place.write("r.yaml", runbook("r", "batches: { sizes: [2, rest], max_failures: [0, 0] }\n", &steps));
    let mut child = place.start("r.yaml", "r");
    place.await_file("began-s1", &mut child);
    place.await_file("began-s2", &mut child);

    let holder = format!("pid {}", child.id());
    holds(&place.said(&["status", "r"], 0).out, &["running", "0 of 4", "2 under way", &holder]);
    let status = place.said(&["status", "r", "--json"], 0).json();
    assert_eq!((&status["restoring"], &status["waiting"], &status["in_flight"]), (&2.into(), &2.into(), &2.into()));
    holds(&place.said(&["runs"], 0).out, &["r ", &holder]);
    assert!(place.said(&["runs", "--json"], 0).json()[0]["driven_by"].as_str().unwrap().contains(&holder));
    let restoring = place.said(&["sites", "r", "--state", "restoring"], 0).out;
    assert_eq!(restoring.lines().count(), 2, "{restoring}");
    holds(&restoring, &["s1 ", "s2 ", "slow"]);
    assert_eq!(lines(&place.said(&["sites", "r", "--state", "waiting", "--json"], 0).out).len(), 2);
    holds(&place.said(&["why", "r", "s1"], 0).out, &["slow/s1 is in flight"]);
    holds(&place.said(&["why", "r", "s3"], 0).out, &["batch"]);
    holds(&place.said(&["why", "r", "after"], 0).out, &["slow"]);
    let _ = place.said(&["why", "r", "slow/s1"], 0);
    holds(&place.said(&["why", "r", "nothing"], 2).err, &["error[why-subject]", "nothing", "hint:"]);
    let report = place.said(&["report", "r", "--json"], 0).json();
    assert_eq!(report["ended"], serde_json::Value::Null);
    assert_ne!(report["verdict"], "succeeded");
    let mid = lines(&place.said(&["logs", "r", "--json"], 0).out).len();

    place.go();
    let said = wait(child);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    holds(&said.err, &["returned (1/4)", "returned (2/4)", "returned (3/4)", "returned (4/4)"]);
    let all = lines(&place.said(&["logs", "r", "--json"], 0).out);
    assert!(all.len() > mid);
    assert_eq!(all[0]["event"], "opened");
    assert_eq!(all.last().unwrap()["event"], "ended");
    let tail = place.said(&["logs", "r", "--tail", "3", "--json"], 0).out;
    assert_eq!(lines(&tail), all[all.len() - 3..]);
    let of_site = lines(&place.said(&["logs", "r", "--site", "s2", "--json"], 0).out);
    assert_eq!(of_site.len(), 7, "three starts, three ends, one return: {of_site:?}");
    assert!(of_site.iter().all(|event| event["subject"].as_str().unwrap().ends_with("s2")), "{of_site:?}");
    let of_step = place.said(&["logs", "r", "--step", "slow"], 0).out;
    assert_eq!(of_step.lines().count(), 8, "{of_step}");
    assert!(of_step.lines().all(|line| line.contains("slow/")), "{of_step}");
    holds(&place.said(&["why", "r", "s1"], 0).out, &["has returned"]);
    assert_eq!(place.said(&["sites", "r", "--state", "returned"], 0).out.lines().count(), 4);
    assert_eq!(place.said(&["sites", "r", "--state", "waiting", "--json"], 0).out.trim(), "");
    assert!(place.said(&["runs", "--json"], 0).json()[0]["driven_by"].is_null());
}

#[test]
fn what_cannot_be_is_refused_instead_of_answered_with_nothing() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  work: { uses: noop@1 }\n"));
    let _ = place.run("r.yaml", "r", 0);
    holds(&place.said(&["sites", "r", "--state", "retuned"], 2).err, &["retuned", "returned"]);
    holds(&place.said(&["logs", "r", "--site", "s9"], 2).err, &["s9"]);
    holds(&place.said(&["logs", "r", "--step", "wrok"], 2).err, &["wrok"]);
}

#[test]
fn json_is_json_everywhere() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  work: { uses: noop@1 }\n"));
    let ran = place.command(&[
        "run",
        "r.yaml",
        "--sites",
        "sites.csv",
        "--estate",
        "estate.yaml",
        "--run",
        "r",
        "--yes",
        "--json",
    ]);
    let mut ran = ran;
    let said = crate::place::expect(&mut ran, 0);
    assert_eq!(said.json()["end"], "succeeded");
    assert!(!lines(&said.err).is_empty(), "one event a line");
    for command in [
        &["status", "r"][..],
        &["runs"],
        &["why", "r", "s1"],
        &["report", "r"],
        &["check", "r.yaml"],
        &["graph", "r.yaml"],
    ] {
        let _ = place.said(&[command, &["--json"]].concat(), 0).json();
    }
    for command in [&["status", "x"][..], &["run", "none.yaml", "--sites", "sites.csv", "--estate", "estate.yaml"]] {
        let said = place.said(&[command, &["--json"]].concat(), 2);
        let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
        assert!(error["error"]["code"].is_string() && error["error"]["hint"].is_string(), "{error}");
    }
}

#[test]
fn a_fingerprint_names_every_table_and_is_the_same_again() {
    let place = Place::new();
    let _ = place.said(&["lab", "build", "estate", "--sites", "3", "--shards", "1"], 0);
    let print = || place.said(&["lab", "fingerprint", "estate", "--json"], 0).json();
    let (first, again) = (print(), print());
    assert_eq!(first, again);
    let tables = first["tables"].as_array().unwrap();
    for (store, table) in [("shard-00", "issues"), ("catalogue", "sites"), ("objects", "media")] {
        assert!(tables.iter().any(|one| one["store"] == store && one["table"] == table), "{store}.{table}");
    }
    let text = place.said(&["lab", "fingerprint", "estate"], 0).out;
    holds(&text, &[first["hash"].as_str().unwrap(), "catalogue.sites"]);
    let _ = place.said(&["lab", "damage", "estate", "--sites", "1"], 0);
    assert_ne!(print()["hash"], first["hash"]);
}
