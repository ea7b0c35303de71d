//! What the attempts of a unit did and printed, while they work and afterwards.

use serde_json::Value;

use crate::place::{Place, holds, runbook, wait};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_attempt_is_read_while_it_works_and_when_it_was_killed() {
    let place = Place::new();
    // It says what it does, then waits at the gate.
    let step = "  work: { scope: run, uses: exec/run@1, retry: { attempts: 2, delay: 1ms }, with: { idempotent: true, command: [sh, -c, \
                \"echo reading 7 of 9; echo careful >&2; printf 'waits for a lock'; touch began-run; while [ ! -e go ]; do sleep \
                0.05; done; echo; seq 1 30000; exit 3\"] } }\n";
    place.write("r.yaml", runbook("r", "", step));
    let mut child = place.start("r.yaml", "r");
    place.await_file("began-run", &mut child);
    let mut said = String::new();
    while !said.contains("careful") {
        said = place.said(&["logs", "r", "--unit", "work/run"], 0).out;
    }
    holds(&said, &["attempt 1 of work/run", "action  starts sh", "stdout  reading 7 of 9", "stderr  careful"]);
    crate::place::signal(child.id(), "-KILL");
    let _ = wait(child);
    let killed = place.said(&["logs", "r", "--unit", "work/run", "--attempt", "1"], 0).out;
    holds(&killed, &["stdout  reading 7 of 9", "stderr  careful"]);
    place.go();
    let _ = place.said(&["resume", "r", "--wait", "0s"], 4);

    let tail = place.said(&["logs", "r", "--unit", "work/run", "--attempt", "2", "--tail", "4"], 0).out;
    holds(&tail, &["attempt 2", "stdout  30000", "ended with 3", "driver  ended: in doubt: exec.exit"]);
    assert_eq!(tail.lines().count(), 5, "{tail}");
    let all = place.said(&["logs", "r", "--unit", "work/run", "--attempt", "2"], 0).out;
    holds(&all, &["not kept", "stdout  waits for a lock", "stdout  30000"]);
    assert!(!all.contains("stdout  15000"), "the middle is left out");
    let json = lines(&place.said(&["logs", "r", "--unit", "work/run", "--attempt", "2", "--json"], 0).out);
    let kept = json.iter().filter(|line| line["line"].is_u64()).count() as u64;
    assert_eq!(json[0]["lines"], kept + json[0]["cut_lines"].as_u64().unwrap());
    let followed = place.said(&["logs", "r", "--unit", "work/run", "--follow", "--tail", "1"], 0).out;
    holds(&followed, &["ended: in doubt"]);
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    place.write("r.yaml", runbook("r", "", "  quiet: { uses: noop@1 }\n"));
    let _ = place.said(&["run", "r.yaml", "--run", "r", "--yes", "--sites", "sites.csv", "--estate", "estate.yaml"], 0);
    let said = place.said(&["logs", "r", "--unit", "quiet/s1"], 0);
    assert_eq!(said.out.trim(), "");
    holds(&said.err, &["no attempt of quiet/s1 has written anything"]);
    holds(
        &place.said(&["logs", "r", "--unit", "quiet/s1", "--attempt", "2"], 2).err,
        &["error[logs-attempt]", "1 attempts"],
    );
    holds(&place.said(&["logs", "r", "--unit", "quiet/no"], 2).err, &["error[unit-unknown]"]);
    assert!(!place.path("runs.db-logs").exists(), "who says nothing keeps nothing");
}
